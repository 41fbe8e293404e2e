-- What the operators are told, and who answers what only a human can (spec: operations).

-- One row for what is the matter within an hour. Nobody's own rows: admins and workflows only.
create table ops_alerts (
    id              bigint generated always as identity primary key,
    type            text        not null,
    severity        text        not null,
    fingerprint     text        not null,
    data            jsonb       not null default '{}',
    count           bigint      not null default 1,
    first_seen_at   timestamptz not null,
    last_seen_at    timestamptz not null,
    channels        text[]      not null default '{}',
    attempts        integer     not null default 0,
    next_attempt_at timestamptz not null,
    sent_at         timestamptz,
    acknowledged_at timestamptz,
    acknowledged_by uuid references users (id),
    constraint ops_alerts_severity_is_known
        check (severity in ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL')),
    constraint ops_alerts_count_from_one check (count >= 1),
    constraint ops_alerts_are_acknowledged_by_somebody
        check ((acknowledged_at is null) = (acknowledged_by is null))
);
create index ops_alerts_by_fingerprint on ops_alerts (fingerprint, first_seen_at desc);
create index ops_alerts_unsent on ops_alerts (next_attempt_at)
    where sent_at is null and severity in ('HIGH', 'CRITICAL');
create index ops_alerts_open on ops_alerts (id) where acknowledged_at is null;

-- A support ticket is an escalation that a user opens; level counts the raises of its severity.
alter table escalations
    add column user_id     uuid references users (id),
    add column title       text,
    add column severity    text    not null default 'LOW',
    add column level       integer not null default 0,
    add column resolution  text,
    add column resolved_by uuid references users (id),
    add constraint escalations_severity_is_known
        check (severity in ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL')),
    add constraint escalations_level_is_known check (level between 0 and 3);
create index escalations_by_user on escalations (user_id, id desc) where user_id is not null;

-- Orders and fills of the last hour are counted for operators. BRIN: an order pays next to nothing.
create index orders_by_age on orders using brin (created_at);
create index fills_by_age on fills using brin (created_at);
-- What broke lately, and the runs of one workflow.
create index workflow_runs_failed on workflow_runs (started_at) where status = 'failed';
create index workflow_runs_by_name on workflow_runs (name, started_at desc, id desc);
