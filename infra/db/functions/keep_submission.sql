-- Notes that a transaction which somebody was given to sign was relayed, once a signature, in the
-- audit log too: a repeat leaves nothing. Definer: people do not write the audit log.
-- Raises PR404 (the caller was given no such message).
create or replace function public.keep_submission(
    p_message_hash bytea, p_signature text, p_request_id text, p_ip text, p_now timestamptz
) returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_actor uuid := public.actor_id();
    v_found public.unsigned_transactions;
begin
    select t.* into v_found from public.unsigned_transactions as t
    where t.message_hash = p_message_hash and t.user_id = v_actor
    for no key update;
    if not found then
        raise exception using errcode = 'PR404', column = 'transaction',
            message = 'this transaction was not made for you here';
    end if;
    if v_found.signature = p_signature then
        return;
    end if;
    update public.unsigned_transactions as t
    set submitted_at = coalesce(t.submitted_at, p_now), signature = p_signature
    where t.message_hash = p_message_hash;
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (v_actor, 'submit_trade', 'market', v_found.market_id::text, p_request_id, p_ip,
            jsonb_build_object('purpose', v_found.purpose, 'signature', p_signature), p_now);
end;
$$;
revoke all on function public.keep_submission from public;
grant execute on function public.keep_submission to presage_api;
