-- name: list_kept
-- Which events of some transactions are here already.
select signature, ordinal from public.chain_events where signature = any (%(signatures)s::text[]);

-- name: copy_events
-- Keep events, all in one statement.
copy public.chain_events (signature, ordinal, slot, tx_index, block_time, event_type, market, wallet,
    data) from stdin;

-- name: index_events
-- Project the events that were kept.
select public.index_events(
    %(others)s::text[], %(other_ordinals)s::integer[],
    row(%(sum_markets)s::text[], %(sum_wallets)s::text[], %(yes)s::numeric[], %(no)s::numeric[],
        %(paid)s::numeric[], %(received)s::numeric[], %(trades)s::integer[], %(traded)s::text[],
        %(traded_yes)s::numeric[], %(traded_no)s::numeric[], %(volumes)s::numeric[],
        %(traded_trades)s::integer[], %(prices)s::numeric[], %(slots)s::bigint[],
        %(tx_indexes)s::bigint[], %(ordinals)s::bigint[]
    )::public.chain_trade_sums,
    %(times)s::timestamptz[], %(markets)s::text[], %(market_ids)s::uuid[], %(addresses)s::text[],
    %(request_id)s, %(now)s
) as changed;

-- name: keep_malformed
-- Keep what could not be read, with its bytes, and what could not be fetched.
select public.keep_dead_letters(%(workflow)s, %(letters)s::jsonb, false, %(now)s);

-- name: keep_incomplete
-- Note transactions to be fetched again: logs that are cut off, or no place in the block.
insert into public.chain_incomplete (signature, slot, next_attempt_at, created_at)
select t.signature, t.slot, %(now)s, %(now)s
from unnest(%(signatures)s::text[], %(slots)s::bigint[]) as t (signature, slot)
order by t.signature
on conflict (signature) do nothing;

-- name: list_events
-- A page of events, newest first: of a market, of a type, of a time.
select e.signature, e.ordinal, e.slot, e.tx_index, e.block_time, e.event_type, e.market, a.market_id,
       e.wallet, e.data::text as data
from public.chain_events as e
left join public.chain_addresses as a on a.market = e.market
where (%(chain_market)s::text is null or e.market = %(chain_market)s::text collate "C")
  and (%(market_id)s::uuid is null or e.market = (
      select k.market from public.chain_addresses as k where k.market_id = %(market_id)s::uuid))
  and (%(event_type)s::text is null or e.event_type = %(event_type)s::text)
  and (%(from)s::timestamptz is null or e.block_time >= %(from)s::timestamptz)
  and (%(to)s::timestamptz is null or e.block_time < %(to)s::timestamptz)
  and (%(before_time)s::timestamptz is null
       or (e.block_time, e.slot, e.tx_index, e.ordinal, e.signature)
        < (%(before_time)s::timestamptz, %(before_slot)s::bigint, %(before_index)s::integer,
           %(before_ordinal)s::integer, %(before_signature)s::text))
order by e.block_time desc, e.slot desc, e.tx_index desc, e.ordinal desc, e.signature desc
limit %(limit)s;

-- name: count_events
-- How many events `list_events` would list, up to a limit that keeps it cheap.
select count(*)::integer as count
from (
    select from public.chain_events as e
    where (%(chain_market)s::text is null or e.market = %(chain_market)s::text collate "C")
      and (%(market_id)s::uuid is null or e.market = (
          select k.market from public.chain_addresses as k where k.market_id = %(market_id)s::uuid))
      and (%(event_type)s::text is null or e.event_type = %(event_type)s::text)
      and (%(from)s::timestamptz is null or e.block_time >= %(from)s::timestamptz)
      and (%(to)s::timestamptz is null or e.block_time < %(to)s::timestamptz)
    limit %(most)s
) as n;

-- name: search_events
-- A page of the events of the first wallets, and of the transactions, that begin with a text.
with recursive wallets as (
    (select e.wallet, 1 as n from public.chain_events as e
     where e.wallet >= %(q)s and e.wallet < %(q)s || '~' order by e.wallet limit 1)
    union all
    select (select e.wallet from public.chain_events as e
            where e.wallet > w.wallet and e.wallet < %(q)s || '~' order by e.wallet limit 1), w.n + 1
    from wallets as w
    where w.wallet is not null and w.n < %(wallets)s
),
found as (
    select f.*
    from wallets as w
    cross join lateral (
        select * from public.chain_events as e
        where e.wallet = w.wallet
          and (%(before_time)s::timestamptz is null
               or (e.block_time, e.slot, e.tx_index, e.ordinal, e.signature)
                < (%(before_time)s::timestamptz, %(before_slot)s::bigint, %(before_index)s::integer,
                   %(before_ordinal)s::integer, %(before_signature)s::text))
        order by e.block_time desc, e.slot desc, e.tx_index desc, e.ordinal desc, e.signature desc
        limit %(limit)s
    ) as f
    union
    (select * from public.chain_events as e
     where e.signature >= %(q)s and e.signature < %(q)s || '~'
       and (%(before_time)s::timestamptz is null
            or (e.block_time, e.slot, e.tx_index, e.ordinal, e.signature)
             < (%(before_time)s::timestamptz, %(before_slot)s::bigint, %(before_index)s::integer,
                %(before_ordinal)s::integer, %(before_signature)s::text))
     order by e.block_time desc, e.slot desc, e.tx_index desc, e.ordinal desc, e.signature desc
     limit %(limit)s)
)
select e.signature, e.ordinal, e.slot, e.tx_index, e.block_time, e.event_type, e.market, a.market_id,
       e.wallet, e.data::text as data
from found as e
left join public.chain_addresses as a on a.market = e.market
order by e.block_time desc, e.slot desc, e.tx_index desc, e.ordinal desc, e.signature desc
limit %(limit)s;

-- name: count_found_events
-- How many events `search_events` would find, up to a limit that keeps it cheap.
with recursive wallets as (
    (select e.wallet, 1 as n from public.chain_events as e
     where e.wallet >= %(q)s and e.wallet < %(q)s || '~' order by e.wallet limit 1)
    union all
    select (select e.wallet from public.chain_events as e
            where e.wallet > w.wallet and e.wallet < %(q)s || '~' order by e.wallet limit 1), w.n + 1
    from wallets as w
    where w.wallet is not null and w.n < %(wallets)s
)
select count(*)::integer as count
from (
    select e.signature, e.ordinal
    from wallets as w
    cross join lateral (
        select c.signature, c.ordinal from public.chain_events as c
        where c.wallet = w.wallet limit %(most)s
    ) as e
    union
    (select e.signature, e.ordinal from public.chain_events as e
     where e.signature >= %(q)s and e.signature < %(q)s || '~' limit %(most)s)
    limit %(most)s
) as n;

-- name: find_cursor
-- How far the chain's history has been fetched.
select slot, signature from public.chain_cursors where programme = %(programme)s;

-- name: move_cursor
-- Say how far the chain's history has been fetched, and that it was looked at; never back.
insert into public.chain_cursors as c (programme, slot, signature, updated_at)
values (%(programme)s, %(slot)s, %(signature)s, %(now)s)
on conflict (programme) do update
set slot = greatest(c.slot, excluded.slot),
    signature = case when excluded.slot >= c.slot then excluded.signature else c.signature end,
    updated_at = excluded.updated_at;

-- name: list_known
-- Which of these transactions are here already, or are to be fetched again anyway.
select t.signature
from unnest(%(signatures)s::text[]) as t (signature)
where exists (select from public.chain_events as e
              where e.signature = t.signature collate "C")
   or exists (select from public.chain_incomplete as i where i.signature = t.signature);

-- name: list_incomplete
-- Transactions to be fetched again, and those whose dead letters are due.
select d.signature, d.slot, d.attempts, d.is_letter
from (
    (select signature, slot, attempts, next_attempt_at, false as is_letter
     from public.chain_incomplete
     where next_attempt_at <= %(now)s
     order by next_attempt_at, signature
     limit %(limit)s)
    union all
    (select split_part(item, ':', 2), (payload ->> 'slot')::bigint, 0, next_attempt_at, true
     from public.dead_letters
     where workflow = %(workflow)s and status = 'pending' and next_attempt_at <= %(now)s
       and item like 'transaction:%%'
     order by next_attempt_at, id
     limit %(limit)s)
) as d
order by d.next_attempt_at, d.signature
limit %(limit)s;

-- name: count_incomplete
-- How many transactions wait to be fetched again.
select count(*)::integer as waiting from public.chain_incomplete;

-- name: find_markets_at
-- Markets by where their accounts are, and the time of the last event by a slot.
select a.address, a.market, (
    select e.block_time from public.chain_events as e
    where e.slot <= %(slot)s and e.event_type not in ('MarketObserved', 'ConfigObserved')
    order by e.block_time desc, e.slot desc, e.tx_index desc, e.ordinal desc
    limit 1) as as_of
from public.chain_addresses as a
where a.address = any (%(addresses)s::text[]);

-- name: drop_incomplete
-- A transaction has been fetched again, or for the last time.
delete from public.chain_incomplete where signature = %(signature)s;

-- name: put_off_incomplete
-- A transaction could not be fetched again, or what there is of it not be kept in time.
update public.chain_incomplete
set attempts = attempts + 1, next_attempt_at = %(next_attempt_at)s
where signature = %(signature)s;

-- name: list_due_malformed
-- What could not be read and is due again.
select item, payload ->> 'base64' as body from public.dead_letters
where workflow = %(workflow)s and status = 'pending' and next_attempt_at <= %(now)s
  and item like 'malformed:%%'
order by next_attempt_at, id
limit %(limit)s;

-- name: resolve_letter
-- What a dead letter was about is done.
update public.dead_letters set status = 'resolved', next_attempt_at = null, updated_at = %(now)s
where workflow = %(workflow)s and item = %(item)s and status = 'pending';

-- name: list_live_markets
-- Markets that can still change, by their id on chain.
select market, address from public.chain_markets
where state not in ('FINALIZED', 'CANCELLED') and address is not null
  and (%(after)s::text is null or market > %(after)s::text collate "C")
order by market
limit %(limit)s;

-- name: markets_at
-- Markets as what was indexed tells them at a slot.
select market, market_id, state, shares_yes, shares_no, b_parameter, as_of
from public.chain_markets_at(%(markets)s::text[], %(slot)s);

-- name: config_at
-- What holds for every market, as what was indexed tells it at a slot; JSON.
select coalesce(public.chain_config_facts(%(slot)s), '{}')::text as facts;

-- name: keep_discrepancies
-- Record where what we told differed from an account.
insert into public.discrepancies (market_id, subject, field, ours, theirs, slot, created_at)
select d.market_id, d.subject, d.field, d.ours, d.theirs, %(slot)s, %(now)s
from jsonb_to_recordset(%(found)s::jsonb)
    as d (market_id uuid, subject text, field text, ours text, theirs text);

-- name: list_told_missing
-- Which of these markets' accounts were recorded as missing, in the days that admins are shown.
select d.subject
from public.discrepancies as d
where d.subject = any (%(subjects)s::text[]) and d.field = 'account'
  and d.created_at > %(now)s::timestamptz - interval '30 days';

-- name: list_chain_discrepancies
-- The latest differences between what was indexed and the chain's accounts.
select d.subject, d.field, d.ours, d.theirs, d.slot, d.created_at
from public.discrepancies as d
where d.created_at > %(now)s::timestamptz - interval '30 days'
order by d.id desc
limit %(limit)s;
