-- Why: sets what is not a sum to the latest word of each market's events. Shares begin anew only
-- where what they begin from has changed, and trades are added up again only where its place has: they
-- are those since an account was looked at, and not all that there ever were.
create or replace function public.project_chain_markets(p_markets text[]) returns void
language plpgsql volatile set search_path = ''
as $$
begin
    update public.chain_markets as m
    set state = coalesce(n.state, m.state),
        state_order = coalesce(
            array(select jsonb_array_elements_text(f.state_at -> 'order')::bigint), m.state_order),
        state_signature = f.state_at ->> 'signature',
        creator = n.creator,
        b_parameter = n.b_parameter,
        initial_liquidity = n.initial_liquidity,
        likes = n.likes,
        dislikes = n.dislikes,
        resolver = n.resolver,
        proposed_outcome = n.proposed_outcome,
        final_outcome = n.final_outcome,
        evidence_hash = n.evidence_hash,
        dispute_initiator = n.dispute_initiator,
        was_disputed = coalesce(n.was_disputed, false),
        created_at = n.created_at,
        approved_at = n.approved_at,
        activated_at = n.activated_at,
        resolved_at = n.resolved_at,
        disputed_at = n.disputed_at,
        finalized_at = n.finalized_at,
        cancelled_at = n.cancelled_at
    from public.chain_market_facts(p_markets, 9223372036854775807) as f
    cross join lateral jsonb_populate_record(null::public.chain_markets, f.facts) as n
    where m.market = f.market;

    update public.chain_markets as m
    set base_yes = n.base_yes,
        base_no = n.base_no,
        base_order = n.base_order,
        shares_yes = n.base_yes + t.yes,
        shares_no = n.base_no + t.no
    from public.chain_market_facts(p_markets, 9223372036854775807) as f
    cross join lateral jsonb_populate_record(null::public.chain_markets, f.facts) as n
    join public.chain_markets as c on c.market = f.market
    cross join lateral (
        select c.shares_yes - c.base_yes as yes, c.shares_no - c.base_no as no
        where n.base_order = c.base_order
        union all
        select s.yes, s.no
        from public.chain_shares_traded(f.market, n.base_order,
            coalesce((f.facts ->> 'base_since')::timestamptz, '-infinity')) as s
        where n.base_order <> c.base_order
    ) as t
    where m.market = f.market and n.base_order is not null
      and (m.base_yes, m.base_no, m.base_order)
          is distinct from (n.base_yes, n.base_no, n.base_order);
end;
$$;
revoke execute on function public.project_chain_markets(text[]) from public;
