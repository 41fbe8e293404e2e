-- name: know_wallet
-- Whether a wallet ever signed in or did something on chain.
select public.wallet_is_known(%(wallet)s) as is_known;

-- name: get_user
-- Who a wallet is, and its figures on the exchange for whoever may read them.
select display_name, joined_at, trades, volume_micros, markets_traded, votes, open_positions,
       profit_micros
from public.user_profile(%(wallet)s, %(as_admin)s);

-- name: get_chain_stats
-- A wallet's figures on chain.
select coalesce(sum(h.trades), 0) as trades, coalesce(sum(h.paid + h.received), 0) as volume,
       count(*) filter (where h.trades > 0) as markets_traded,
       (select count(*) from public.chain_votes as v where v.wallet = %(wallet)s) as votes,
       count(*) filter (where h.is_open) as open_positions, coalesce(sum(h.profit), 0) as profit
from public.chain_holdings as h
where h.wallet = %(wallet)s;

-- name: list_chain_positions
-- A page of what a wallet holds or held on chain, by market.
select h.market, h.market_id, m.slug as market_slug, m.question, h.state, h.shares_yes, h.shares_no,
       h.is_open, h.cost, h.profit
from (
    select p.market
    from public.chain_positions as p
    where p.wallet = %(wallet)s
      and (%(after_key)s::text is null or p.market > %(after_key)s::text)
    order by p.market
    limit %(limit)s
) as k
join public.chain_holdings as h on h.market = k.market and h.wallet = %(wallet)s
left join public.markets as m on m.id = h.market_id and m.venue = 'solana'
order by h.market;

-- name: list_native_positions
-- A page of what a wallet holds or earned on the exchange, for whoever may read it.
select p.market_id, m.slug as market_slug, m.question, m.state, p.outcome, p.yes_lots, p.no_lots,
       p.cost_micros, p.realised_micros
from public.user_positions(%(wallet)s, %(as_admin)s, %(after_id)s, %(after_outcome)s,
                           %(limit)s) as p
join public.markets as m on m.id = p.market_id
order by p.market_id, p.outcome;

-- name: list_chain_trades
-- A page of a wallet's trades on chain, newest first.
select e.signature, e.ordinal, e.slot, e.tx_index, e.block_time as traded_at, a.market_id,
       case e.event_type when 'SharesBought' then 'BUY' else 'SELL' end as side,
       case (e.data ->> 'outcome')::boolean when true then 'YES' else 'NO' end as position,
       (e.data ->> 'shares')::numeric as shares,
       coalesce(e.data ->> 'cost', e.data ->> 'proceeds')::numeric as amount
from public.chain_events as e
join public.chain_addresses as a on a.market = e.market
where e.wallet = %(wallet)s and e.event_type in ('SharesBought', 'SharesSold')
  and (%(before_time)s::timestamptz is null
       or (e.block_time, e.slot, e.tx_index, e.ordinal, e.signature)
        < (%(before_time)s::timestamptz, %(before_slot)s::bigint, %(before_index)s::integer,
           %(before_ordinal)s::integer, %(before_signature)s::text))
order by e.block_time desc, e.slot desc, e.tx_index desc, e.ordinal desc, e.signature desc
limit %(limit)s;

-- name: list_native_trades
-- A page of a wallet's fills on the exchange, its newest order first, for whoever may read them.
select seq, fill_id, market_id, outcome, position, side, is_taker, price_bps, size_lots, traded_at
from public.user_trades(%(wallet)s, %(as_admin)s, %(before_seq)s, %(before_fill)s, %(limit)s);

-- name: list_chain_votes
-- A page of a wallet's votes on chain, newest first.
select v.market, a.market_id, v.kind, v.vote, v.voted_at
from public.chain_votes as v
join public.chain_addresses as a on a.market = v.market
where v.wallet = %(wallet)s
  and (%(before)s::timestamptz is null
       or (v.voted_at, v.market, v.kind)
        < (%(before)s::timestamptz, %(before_key)s::text, %(before_kind)s::text))
order by v.voted_at desc, v.market desc, v.kind desc
limit %(limit)s;

-- name: list_native_votes
-- A page of the votes a wallet cast here, newest first, for whoever may read them.
select id, market_id, kind, vote, voted_at
from public.user_votes(%(wallet)s, %(as_admin)s, %(before)s, %(before_id)s, %(limit)s);
