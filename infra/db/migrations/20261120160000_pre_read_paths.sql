-- Indexes and a table for lists that otherwise read everything before their limit.

-- What a market list sorts by, apart from the rows that trading writes: an index on
-- market_counters.volume_micros would move that row on every trade (no update in place). The keys
-- are refreshed by snapshot_prices every five minutes; a trigger makes the row with its market.
create table public.market_listings (
    market_id        uuid   primary key,
    volume_micros    bigint not null default 0,
    liquidity_micros bigint not null default 0,
    created_us       bigint not null,
    closes_us        bigint not null,
    constraint market_listings_name_a_market foreign key (market_id) references public.markets (id)
);
create index market_listings_by_volume
    on public.market_listings (volume_micros desc, market_id desc);
create index market_listings_by_liquidity
    on public.market_listings (liquidity_micros desc, market_id desc);
create index market_listings_by_creation
    on public.market_listings (created_us desc, market_id desc);
-- Soonest first, and still descending: one comparison with the cursor serves every order.
create index market_listings_by_close
    on public.market_listings ((-closes_us) desc, market_id desc);

insert into public.market_listings (
    market_id, volume_micros, liquidity_micros, created_us, closes_us
)
select m.id, c.volume_micros,
       coalesce((
           select sum((
               select p.liquidity_micros from public.price_points p
               where p.market_id = o.market_id and p.outcome = o.outcome
               order by p.slot desc limit 1))
           from public.outcomes o
           where o.market_id = m.id and m.state = 'ACTIVE'), 0),
       extract(epoch from m.created_at) * 1000000, extract(epoch from m.closes_at) * 1000000
from public.markets m
join public.market_counters c on c.market_id = m.id;

create index markets_by_tag on public.markets using gin (tags);
create index markets_by_venue on public.markets (venue, created_at desc);

-- One user's orders of one market; orders_open_by_user stays for those that rest.
create index orders_by_user_and_market on public.orders (user_id, market_id, seq desc);
