-- A dead letter knows when it may be tried again, and how often it was (spec: workflows).
-- next_attempt_at is null where nothing comes by itself: under review, resolved, discarded.
alter table dead_letters
    add column retries         integer not null default 0,
    add column next_attempt_at timestamptz,
    add column reason          text;
update dead_letters set next_attempt_at = updated_at where status = 'pending';
alter table dead_letters
    add constraint dead_letters_retries_are_counted check (retries >= 0),
    add constraint dead_letters_come_again_while_pending
        check ((status = 'pending') = (next_attempt_at is not null)),
    add constraint dead_letters_say_why_they_were_discarded
        check ((status = 'discarded') = (reason is not null));
create index dead_letters_due on dead_letters (next_attempt_at) where status = 'pending';
create index dead_letters_open on dead_letters (workflow)
    where status in ('pending', 'manual_review');
