-- Why: markets of the venue solana follow the chain: their state, outcome and times are the chain's,
-- and a market that began elsewhere gets a row. A native market is never touched, whatever id
-- somebody gives a market on chain; one that was proposed here and whose id somebody else took first
-- can never begin, and is cancelled. What a vote on a dispute weighs is what its wallet holds: trading
-- is over by then. p_moved are markets whose state may have changed, p_held those whose holdings have.
-- Answers the markets that have begun here, and those whose state has changed.
create or replace function public.follow_chain_markets(
    p_moved text[], p_held text[], p_request_id text, p_now timestamptz
) returns uuid[]
language plpgsql volatile set search_path = ''
as $$
declare
    -- The chain knows no close: a wallet resolves whenever it likes.
    c_never constant timestamptz := '2199-01-01 00:00:00+00';
    v_window_s integer := public.chain_window_s();
    v_begun    uuid[];
    v_changed  uuid[];
    v_disputed text[];
begin
    if p_moved is not null then
        with begun as (
            insert into public.markets (id, slug, question, venue, chain_address, chain_market_id,
                state, closes_at, dispute_window_s, created_at, updated_at)
            select m.market_id, 'solana-' || m.market,
                'Market ' || m.market || ' of the Solana programme', 'solana', m.address, m.market,
                'PROPOSED', c_never, v_window_s, coalesce(m.created_at, p_now), p_now
            from public.chain_markets as m
            where m.market = any (p_moved) and m.state_signature is not null
            order by m.market_id
            on conflict do nothing
            returning id
        ),
        books as (
            insert into public.outcomes (market_id, outcome, label) select b.id, 0, 'YES' from begun as b
        ),
        changes as (
            insert into public.market_state_changes (market_id, to_state, created_at)
            select b.id, 'PROPOSED', p_now from begun as b
        )
        select array_agg(b.id) into v_begun from begun as b;

        with old as materialized (
            select k.id, k.state, k.creator is null or public.wallet_of(k.creator) = m.creator as is_its
            from public.markets as k
            join public.chain_markets as m on m.market_id = k.id
            where m.market = any (p_moved) and k.venue = 'solana' and m.state_signature is not null
            order by k.id
            for no key update of k
        ),
        taken as (
            update public.markets as k
            set state = 'CANCELLED', updated_at = p_now
            where k.id in (select o.id from old as o where not o.is_its) and k.state = 'PROPOSED'
            returning k.id, k.state
        ),
        followed as (
            update public.markets as k
            set state = m.state,
                chain_address = m.address,
                chain_market_id = m.market,
                last_state_change_tx = m.state_signature,
                dispute_window_s = v_window_s,
                proposed_at = m.resolved_at,
                proposed_payout_bps = case when m.resolved_at is not null
                    then public.chain_payout(m.proposed_outcome) end,
                disputed_at = m.disputed_at,
                claims_available_at = m.resolved_at + make_interval(secs => v_window_s),
                final_payout_bps = case when m.state = 'FINALIZED'
                    then public.chain_payout(m.final_outcome) end,
                finalized_at = case when m.state = 'FINALIZED'
                    then coalesce(m.finalized_at, p_now) end,
                claims_enabled = m.state = 'FINALIZED',
                created_at = least(k.created_at, m.created_at),
                updated_at = case when k.state = m.state then k.updated_at else p_now end
            from public.chain_markets as m
            where m.market_id = k.id and k.id in (select o.id from old as o where o.is_its)
            returning k.id, k.state
        ),
        moves as (
            select o.id, o.state as from_state, n.state as to_state, n.reason
            from old as o
            join (
                select f.id, f.state, 'The chain says so.' as reason from followed as f
                union all
                select t.id, t.state, 'Its id was taken on chain by another creator.' from taken as t
            ) as n using (id)
            where n.state <> o.state
            order by o.id
        ),
        told as (
            select m.id, public.record_move(m.id, 'follow_chain', m.from_state, m.to_state,
                m.reason, '{}', p_request_id, null, p_now)
            from moves as m
        )
        select array_agg(t.id) into v_changed from told as t;
    end if;

    update public.outcomes as o
    set last_price_bps = least(9999, greatest(1, round(m.price_yes / 100000)))::integer
    from public.chain_markets as m
    join public.markets as k on k.id = m.market_id and k.venue = 'solana'
    where m.market = any (p_moved || p_held) and o.market_id = m.market_id and o.outcome = 0
      and o.last_price_bps is distinct from
          least(9999, greatest(1, round(m.price_yes / 100000)))::integer
      and m.price_yes is not null;

    select array_agg(m.market) into v_disputed
    from public.chain_markets as m
    join public.markets as k on k.id = m.market_id and k.venue = 'solana'
    where m.market = any (p_moved || p_held) and m.disputed_at is not null;
    if v_disputed is not null then
        insert into public.dispute_weights as w (market_id, wallet, weight)
        select m.market_id, p.wallet, abs(p.shares_yes - p.shares_no)
        from public.chain_markets as m
        join public.chain_positions as p on p.market = m.market
        left join public.dispute_weights as h on h.market_id = m.market_id and h.wallet = p.wallet
        where m.market = any (v_disputed) and (p.shares_yes <> 0 or p.shares_no <> 0)
          and h.weight is distinct from abs(p.shares_yes - p.shares_no)
        on conflict (market_id, wallet) do update set weight = excluded.weight;
        delete from public.dispute_weights as w
        using public.chain_markets as m
        join public.chain_positions as p on p.market = m.market
        where m.market = any (v_disputed) and w.market_id = m.market_id and w.wallet = p.wallet
          and p.shares_yes = 0 and p.shares_no = 0;
    end if;
    return array(select distinct unnest(v_begun || v_changed));
end;
$$;
revoke execute on function public.follow_chain_markets(text[], text[], text, timestamptz) from public;
