-- Which channels have taken a day's report, so that one which failed does not repeat the others.
alter table daily_reports add column channels text[] not null default '{}';
