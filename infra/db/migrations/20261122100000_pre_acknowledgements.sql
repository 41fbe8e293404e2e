-- An alert that went to PagerDuty and was acknowledged here is acknowledged there, once.
alter table ops_alerts add column acknowledgement_sent_at timestamptz;
-- What was acknowledged before is not told now: its key may stand for another incident.
update ops_alerts set acknowledgement_sent_at = acknowledged_at where acknowledged_at is not null;
create index ops_alerts_acknowledged on ops_alerts (next_attempt_at)
    where acknowledged_at is not null and acknowledgement_sent_at is null
      and 'pagerduty' = any (channels);
