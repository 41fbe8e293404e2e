-- Trades summed by market and wallet, a place in the first arrays each: the shares they add (those
-- sold are less than nothing), what was paid and received in units of 1/1,000,000,000 SOL, how many.
-- From `traded` on a place is a market: the same, with volume for what was paid and received, and the
-- latest price and that trade's place in chain order.
create type chain_trade_sums as (
    markets       text[],
    wallets       text[],
    yes           numeric[],
    no            numeric[],
    paid          numeric[],
    received      numeric[],
    trades        integer[],
    traded        text[],
    traded_yes    numeric[],
    traded_no     numeric[],
    volumes       numeric[],
    traded_trades integer[],
    prices        numeric[],
    slots         bigint[],
    tx_indexes    bigint[],
    ordinals      bigint[]
);

-- What a trade adds to its holder's shares, and its place in chain order.
create or replace view chain_trades with (security_invoker = true) as
select signature, ordinal, slot, tx_index, market, wallet,
       case event_type when 'SharesBought' then 'buy' else 'sell' end as side,
       (data ->> 'outcome')::boolean as outcome,
       (data ->> 'shares')::numeric(20) as shares,
       coalesce(data ->> 'cost', data ->> 'proceeds')::numeric(20) as amount,
       (data ->> 'new_price_yes')::numeric(20) as price_yes,
       block_time as traded_at,
       case when (data ->> 'outcome')::boolean then
           case event_type when 'SharesBought' then 1 else -1 end * (data ->> 'shares')::numeric(20)
       else 0 end as shares_yes,
       case when (data ->> 'outcome')::boolean then 0 else
           case event_type when 'SharesBought' then 1 else -1 end * (data ->> 'shares')::numeric(20)
       end as shares_no,
       array[slot, tx_index, ordinal] as place
from chain_events
where event_type in ('SharesBought', 'SharesSold');

-- Nobody asks when an event came but people, and the database knows.
alter table chain_events alter column received_at set default now();
