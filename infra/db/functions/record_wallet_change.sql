-- Why: every change of a deposit or a withdrawal is told twice, with the change: to the audit log
-- and to the outbox. p_changes holds no reference, no number and no destination. p_actor_id is null
-- where nobody decided. The caller has written the change.
create or replace function public.record_wallet_change(
    p_actor_id uuid, p_action text, p_resource text, p_resource_id uuid, p_user_id uuid,
    p_changes jsonb, p_request_id text, p_ip text, p_now timestamptz
) returns void
language plpgsql volatile set search_path = ''
as $$
begin
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (p_actor_id, p_action, p_resource, p_resource_id, p_request_id, p_ip, p_changes, p_now);
    insert into public.outbox (topic, payload, created_at)
    values (
        'wallet',
        jsonb_build_object('action', p_action, 'id', p_resource_id, 'user_id', p_user_id)
            || p_changes,
        p_now
    );
end;
$$;
revoke execute on function public.record_wallet_change(
    uuid, text, text, uuid, uuid, jsonb, text, text, timestamptz
) from public;
