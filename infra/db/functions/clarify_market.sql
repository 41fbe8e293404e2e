-- Adds a clarification to a market's rules: a row with its time, never an edit, so that everybody
-- can see what was said before they traded.
create or replace function public.clarify_market(
    p_market_id uuid, p_body text, p_body_bn text, p_request_id text, p_ip text, p_now timestamptz
) returns table (id bigint, market_id uuid, body text, body_bn text, created_at timestamptz)
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_actor uuid := public.actor_id();
    v_id    bigint;
begin
    if not exists (select from public.markets m where m.id = p_market_id) then
        raise exception 'There is no such market.' using errcode = 'PR404', column = 'market_id';
    end if;
    insert into public.market_clarifications as c (market_id, body, body_bn, author, created_at)
    values (p_market_id, p_body, p_body_bn, v_actor, p_now)
    returning c.id into v_id;
    insert into public.outbox (topic, market_id, payload, created_at)
    values ('clarification', p_market_id, jsonb_build_object('id', v_id, 'body', p_body), p_now);
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        v_actor, 'clarify_market', 'market', p_market_id::text, p_request_id, p_ip,
        jsonb_build_object('clarification', v_id), p_now
    );
    return query select v_id, p_market_id, p_body, p_body_bn, p_now;
end;
$$;
revoke all on function public.clarify_market from public;
grant execute on function public.clarify_market to presage_admin;
