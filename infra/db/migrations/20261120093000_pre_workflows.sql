-- Scheduled work: its runs, what it could not handle, and the prices it decides by
-- (spec: workflows). None of these tables holds a user's rows.

-- One row a slot of a workflow (and a part, when its work is cut into slices). The lease says that
-- somebody works on it; an expired lease is a crashed run, which the next delivery takes over.
create table workflow_runs (
    id           uuid primary key,
    name         text        not null,
    slot         timestamptz not null,
    part         integer     not null,
    message_id   text        not null,
    group_run_id uuid,
    attempt      integer     not null,
    status       text        not null,
    counts       jsonb       not null default '{}',
    error        text,
    next_cursor  jsonb,
    lease_until  timestamptz not null,
    started_at   timestamptz not null,
    finished_at  timestamptz,
    constraint workflow_runs_complete_once_per_slot unique (name, slot, part),
    constraint workflow_runs_complete_once_per_message unique (name, message_id),
    constraint workflow_runs_status_is_known
        check (status in ('running', 'completed', 'partial', 'failed')),
    constraint workflow_runs_finish_when_they_stop
        check ((status = 'running') = (finished_at is null)),
    constraint workflow_runs_part_is_counted check (part between 0 and 10000)
);
create index workflow_runs_by_group on workflow_runs (group_run_id) where group_run_id is not null;
create index workflow_runs_by_start on workflow_runs (started_at desc);

-- Items that failed on their own while the rest of a run went on.
create table dead_letters (
    id            bigint generated always as identity primary key,
    workflow      text        not null,
    item          text        not null,
    payload       jsonb       not null default '{}',
    error         text        not null,
    failures      integer     not null,
    status        text        not null,
    created_at    timestamptz not null,
    updated_at    timestamptz not null,
    constraint dead_letters_have_one_row_per_item unique (workflow, item),
    constraint dead_letters_status_is_known
        check (status in ('pending', 'manual_review', 'resolved', 'discarded')),
    constraint dead_letters_count_from_one check (failures >= 1)
);

-- Questions only a human may answer.
create table escalations (
    id          bigint generated always as identity primary key,
    kind        text        not null,
    subject     text        not null,
    market_id   uuid,
    reason      text        not null,
    data        jsonb       not null default '{}',
    status      text        not null default 'open',
    created_at  timestamptz not null,
    resolved_at timestamptz,
    constraint escalations_are_opened_once_per_subject unique (kind, subject),
    constraint escalations_kind_is_known check (kind in ('support', 'settlement', 'resolution')),
    constraint escalations_status_is_known check (status in ('open', 'resolved'))
);
create index escalations_open on escalations (created_at) where status = 'open';

-- Ticks of outside prices. `observed_at` is the source's own time; of two values for one moment
-- the one received later is the correction and replaces the other.
create table price_feeds (
    source      text            not null,
    symbol      text            not null,
    observed_at timestamptz     not null,
    value       numeric(38, 18) not null,
    received_at timestamptz     not null,
    primary key (symbol, source, observed_at),
    constraint price_feeds_value_is_positive check (value > 0)
);
create index price_feeds_by_time on price_feeds (observed_at);
