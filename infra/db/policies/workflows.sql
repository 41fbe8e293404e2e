-- Workflows write what they did; admins read it and answer escalations. No user may see any of it.
revoke all on public.workflow_runs, public.dead_letters, public.escalations, public.price_feeds
    from presage_api, presage_admin, presage_worker;
grant select, insert, update, delete
    on public.workflow_runs, public.dead_letters, public.escalations, public.price_feeds
    to presage_worker;
grant select on public.workflow_runs, public.dead_letters, public.escalations, public.price_feeds
    to presage_admin;
grant update on public.dead_letters, public.escalations to presage_admin;
