-- Why: every change of a market's state is told in three places, with the change: its history, the
-- outbox and the audit log. It also answers what humans were asked about the state that is left: how
-- an active market ends, or a dispute. The caller has locked and updated the market.
create or replace function public.record_move(
    p_market_id uuid, p_action text, p_from text, p_to text, p_reason text, p_changes jsonb,
    p_request_id text, p_ip text, p_now timestamptz
) returns void
language plpgsql volatile set search_path = ''
as $$
declare
    v_actor uuid := public.actor_id();
begin
    insert into public.market_state_changes (market_id, from_state, to_state, actor, reason, created_at)
    values (p_market_id, p_from, p_to, v_actor, p_reason, p_now);
    insert into public.outbox (topic, market_id, payload, created_at)
    values (
        'market_state', p_market_id,
        jsonb_build_object('oldState', p_from, 'newState', p_to, 'automatic', v_actor is null),
        p_now
    );
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        v_actor, p_action, 'market', p_market_id::text, p_request_id, p_ip,
        jsonb_build_object('from', p_from, 'to', p_to, 'reason', p_reason) || p_changes, p_now
    );
    if p_from in ('ACTIVE', 'DISPUTED') then
        perform public.answer_escalation(
            case p_from when 'DISPUTED' then 'dispute:' else '' end || p_market_id,
            coalesce(p_reason, format('The market is %s.', p_to)), p_now);
    end if;
end;
$$;
revoke execute on function public.record_move(
    uuid, text, text, text, text, jsonb, text, text, timestamptz
) from public;
