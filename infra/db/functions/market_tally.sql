-- The votes on a market: counted on a proposal, weighed on a dispute. One a wallet, and a vote on
-- chain counts in place of one cast here. A dispute's end with its three days, however late they are
-- counted: the programme takes votes for as long as it is not told. Definer: who voted what is
-- private, the sum is not.
create or replace function public.market_tally(p_market_id uuid, p_kind text)
returns table (yes numeric, "no" numeric, votes bigint)
language sql stable security definer set search_path = ''
as $$
    with vote as materialized (
        select m.venue,
               case p_kind when 'dispute' then m.disputed_at + interval '3 days' end as ends_at
        from public.markets as m
        where m.id = p_market_id
    ),
    on_chain as materialized (
        select v.wallet, v.vote
        from vote as b
        join public.chain_markets as c on c.market_id = p_market_id
        join public.chain_votes as v on v.market = c.market and v.kind = p_kind
        where b.venue = 'solana' and (v.voted_at < b.ends_at) is not false
    ),
    cast_votes as (
        select wallet, vote from on_chain
        union all
        select v.wallet, v.vote
        from vote as b
        join public.votes as v on v.market_id = p_market_id and v.kind = p_kind
        where (v.created_at < b.ends_at) is not false
          and not exists (select from on_chain as c where c.wallet = v.wallet)
    ),
    weighed as (
        select v.vote, case p_kind when 'dispute' then w.weight else 1 end as weight
        from cast_votes as v
        left join public.dispute_weights as w
            on p_kind = 'dispute' and w.market_id = p_market_id and w.wallet = v.wallet
    )
    select coalesce(sum(w.weight) filter (where w.vote), 0),
           coalesce(sum(w.weight) filter (where not w.vote), 0),
           count(*) filter (where w.weight > 0)
    from weighed as w
$$;
revoke all on function public.market_tally from public;
grant execute on function public.market_tally to presage_api, presage_admin, presage_worker;
