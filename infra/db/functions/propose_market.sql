-- Creates a binary market in PROPOSED, with its one book, its first state change and its audit row:
-- a native one, or one on Solana, which is real when the chain has it. Definer: a user may create a
-- market but not write the table. The fee stays zero until an admin sets it with the approval.
create or replace function public.propose_market(
    p_id uuid, p_slug text, p_question text, p_question_bn text, p_description text, p_rules text,
    p_category text, p_tags text[], p_resolution_source text, p_image_url text,
    p_tick_size_bps integer, p_min_size_lots bigint, p_opens_at timestamptz,
    p_closes_at timestamptz, p_resolution_rule jsonb, p_dispute_window_s integer,
    p_venue text, p_chain_market_id text, p_chain_address text,
    p_request_id text, p_ip text, p_now timestamptz
) returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_actor uuid := public.actor_id();
begin
    insert into public.markets (
        id, slug, question, question_bn, description, rules, category, tags, resolution_source,
        image_url, tick_size_bps, min_size_lots, opens_at, closes_at, resolution_rule,
        dispute_window_s, venue, chain_market_id, chain_address, creator, created_at, updated_at
    )
    values (
        p_id, p_slug, p_question, p_question_bn, p_description, p_rules, p_category, p_tags,
        p_resolution_source, p_image_url, p_tick_size_bps, p_min_size_lots, p_opens_at, p_closes_at,
        p_resolution_rule, p_dispute_window_s, p_venue, p_chain_market_id, p_chain_address, v_actor,
        p_now, p_now
    )
    on conflict (slug) do nothing;
    if not found then
        raise exception 'The slug is taken.' using errcode = 'PR409', column = 'slug';
    end if;
    insert into public.outcomes (market_id, outcome, label) values (p_id, 0, 'YES');
    insert into public.market_state_changes (market_id, to_state, actor, created_at)
    values (p_id, 'PROPOSED', v_actor, p_now);
    insert into public.audit_log (actor_id, action, resource, resource_id, request_id, ip, created_at)
    values (v_actor, 'propose_market', 'market', p_id::text, p_request_id, p_ip, p_now);
end;
$$;
revoke all on function public.propose_market from public;
grant execute on function public.propose_market to presage_api;
