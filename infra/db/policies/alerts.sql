-- Workflows raise and send alerts, admins read them and acknowledge by a definer function.
revoke all on public.ops_alerts from presage_api, presage_admin, presage_worker;
grant select on public.ops_alerts to presage_admin, presage_worker;
grant update (channels, attempts, next_attempt_at, sent_at, acknowledgement_sent_at)
    on public.ops_alerts to presage_worker;
grant delete on public.ops_alerts to presage_worker;
