-- name: propose_market
-- Create a market in PROPOSED.
select public.propose_market(
    %(id)s, %(slug)s, %(question)s, %(question_bn)s, %(description)s, %(rules)s, %(category)s,
    %(tags)s::text[], %(resolution_source)s, %(image_url)s, %(tick_size_bps)s, %(min_size_lots)s,
    %(opens_at)s, %(closes_at)s, %(resolution_rule)s::jsonb, %(dispute_window_s)s,
    %(venue)s, %(chain_market_id)s, %(chain_address)s, %(request_id)s, %(ip)s, %(now)s
);

-- name: find_slug
-- Whether a market has this slug.
select slug from public.markets where slug = %(slug)s;

-- name: dispute_market
-- Dispute a proposed outcome with a bond.
select dispute_id as id, market_id, slug, previous_state, state, bond_micros, changed_at, replayed
from public.dispute_market(
    %(market_id)s, %(reason)s, %(key)s, %(request_hash)s, %(dispute_id)s, %(request_id)s, %(ip)s,
    %(now)s
);

-- name: decide_dispute
-- Uphold or refuse a dispute.
select market_id, slug, previous_state, state, is_upheld, bond_micros, changed_at
from public.decide_dispute(
    %(market_id)s,
    case when %(outcome)s::text is not null
        then public.winning_payout(%(market_id)s, %(outcome)s) end,
    %(upheld)s, %(reason)s, %(request_id)s, %(ip)s, %(now)s
);

-- name: create_outcomes
-- Turn an untraded market into one of several outcomes.
select outcome, label, label_bn, probability_bps
from public.create_outcomes(
    %(market_id)s, %(outcomes)s::jsonb, %(exhaustive)s, %(request_id)s, %(ip)s, %(now)s
);

-- name: set_trading_status
-- Change what a market takes.
select id, slug, previous_status, trading_status, changed_at
from public.set_trading_status(
    %(market_id)s, %(trading_status)s, %(reason)s, %(request_id)s, %(ip)s, %(now)s
);

-- name: set_tick_range
-- Change between which ticks a market's own follows volatility.
select id, slug, tick_size_bps, min_tick_bps, max_tick_bps, changed_at
from public.set_tick_range(
    %(market_id)s, %(min_tick_bps)s, %(max_tick_bps)s, %(request_id)s, %(ip)s, %(now)s
);

-- name: clarify_market
-- Add a clarification to a market's rules.
select id, market_id, body, body_bn, created_at
from public.clarify_market(
    %(market_id)s, %(body)s, %(body_bn)s, %(request_id)s, %(ip)s, %(now)s
);

-- name: get_market_clarifications
-- A market's clarifications, oldest first.
select c.id, c.market_id, c.body, c.body_bn, c.created_at
from public.find_outcome(%(market)s, '0', null) f
join public.market_clarifications c on c.market_id = f.market_id
order by c.id
limit 200;

-- name: move_market
-- Move a market along the table of moves.
select id, slug, previous_state, state, changed_at
from public.move_market(
    %(market_id)s, %(to)s, %(reason)s,
    case when %(outcome)s::text is not null
        then public.winning_payout(%(market_id)s, %(outcome)s) end,
    %(evidence)s::jsonb, %(fee_bps)s,
    %(maker_rebate_bps)s, %(request_id)s, %(ip)s, %(now)s, %(as_admin)s
);

-- name: list_markets
-- One page of markets, by an index of market_listings: sort and cursor become one of its columns
-- when the statement is planned. Words and tags are looked up first: when they match few markets
-- those are sorted, else the index is walked until the page is full (a rare word would walk it all,
-- a common one sort it all, and statistics cannot tell them apart).
-- The keys are those of the last snapshot; volume is shown as it is.
with listed as not materialized (
    select s.*
    from (
        select k.market_id, k.liquidity_micros, m.search_tokens, m.tags,
               case %(sort)s
                   when 'volume' then k.volume_micros
                   when 'liquidity' then k.liquidity_micros
                   when 'endDate' then -k.closes_us
                   else k.created_us
               end as sort_key
        from public.market_listings k
        join public.markets m on m.id = k.market_id
        where (%(category)s::text is null or m.category = %(category)s::text)
          and (%(state)s::text is null or m.state = %(state)s::text)
          and (%(venue)s::text is null or m.venue = %(venue)s::text)
          and (%(status)s::text is null or case %(status)s::text
                  when 'active' then m.state = 'ACTIVE' and m.closes_at > %(now)s
                  when 'closed' then m.state in ('RESOLVING', 'DISPUTED')
                      or (m.state = 'ACTIVE' and m.closes_at <= %(now)s)
                  else m.state = 'FINALIZED'
              end)
          and (%(min_liquidity_micros)s::bigint is null
               or k.liquidity_micros >= %(min_liquidity_micros)s::bigint)
    ) s
    where %(after_key)s::bigint is null
       or (s.sort_key, s.market_id) < (%(after_key)s::bigint, %(after_id)s::uuid)
),
found as materialized (
    select m.id
    from public.markets m
    where (%(search)s::text is not null or %(tag)s::text is not null)
      and (%(search)s::text is null or m.search_tokens @@ public.search_query(%(search)s::text))
      and (%(tag)s::text is null or m.tags @> array[%(tag)s::text])
    limit 2001
),
page as (
    (select l.market_id, l.liquidity_micros, l.sort_key
     from listed l
     where ((%(search)s::text is null and %(tag)s::text is null)
            or (select count(*) from found) > 2000)
       and (%(search)s::text is null or l.search_tokens @@ public.search_query(%(search)s::text))
       and (%(tag)s::text is null or l.tags @> array[%(tag)s::text])
     order by l.sort_key desc, l.market_id desc
     limit %(limit)s offset %(offset)s)
    union all
    (select l.market_id, l.liquidity_micros, l.sort_key
     from listed l
     where (%(search)s::text is not null or %(tag)s::text is not null)
       and (select count(*) from found) <= 2000
       and l.market_id in (select id from found)
     order by l.sort_key desc, l.market_id desc
     limit %(limit)s offset %(offset)s)
)
select m.id, m.slug, m.question, m.question_bn, m.category, m.tags, m.image_url, m.venue,
       m.market_type, m.state, m.trading_status, q.price_bps, c.volume_micros, x.liquidity_micros,
       m.opens_at, m.closes_at, m.created_at, x.sort_key
from page x
join public.markets m on m.id = x.market_id
join public.market_counters c on c.market_id = x.market_id
cross join lateral (
    select price_bps from public.market_quotes(x.market_id) where outcome = 0
) q
order by x.sort_key desc, x.market_id desc;

-- name: count_markets
-- How many markets the filters of list_markets leave, counted up to a limit.
select count(*) as count
from (
    select from public.markets m
    where (%(search)s::text is null or m.search_tokens @@ public.search_query(%(search)s::text))
      and (%(category)s::text is null or m.category = %(category)s::text)
      and (%(tag)s::text is null or m.tags @> array[%(tag)s::text])
      and (%(state)s::text is null or m.state = %(state)s::text)
      and (%(venue)s::text is null or m.venue = %(venue)s::text)
      and (%(status)s::text is null or case %(status)s::text
              when 'active' then m.state = 'ACTIVE' and m.closes_at > %(now)s
              when 'closed' then m.state in ('RESOLVING', 'DISPUTED')
                  or (m.state = 'ACTIVE' and m.closes_at <= %(now)s)
              else m.state = 'FINALIZED'
          end)
      and (%(min_liquidity_micros)s::bigint is null or m.id in (
              select k.market_id from public.market_listings k
              where k.liquidity_micros >= %(min_liquidity_micros)s::bigint))
    limit %(count_limit)s
) counted;

-- name: list_related_markets
-- Four markets that trade, of the same category first, by volume; never the market itself. The
-- candidates, four of the category and four of all, come by the volumes of the last snapshot.
with self as materialized (
    select s.id, s.category
    from public.find_outcome(%(market)s, '0', null) f
    join public.markets s on s.id = f.market_id
),
candidates as materialized (
    (select k.market_id, true as is_alike
     from self
     join public.markets o on o.category = self.category and o.id <> self.id
     join public.market_listings k on k.market_id = o.id
     where o.state = 'ACTIVE' and o.closes_at > %(now)s
     order by k.volume_micros desc, k.market_id desc
     limit 4)
    union all
    (select k.market_id, false
     from public.market_listings k
     join public.markets o on o.id = k.market_id
     where o.state = 'ACTIVE' and o.closes_at > %(now)s
       and o.id <> (select id from self)
       and o.category is distinct from (select category from self)
     order by k.volume_micros desc, k.market_id desc
     limit 4)
),
chosen as materialized (
    select x.market_id, x.is_alike, c.volume_micros
    from candidates x
    join public.market_counters c on c.market_id = x.market_id
    order by x.is_alike desc, c.volume_micros desc, x.market_id
    limit 4
)
select m.id, m.slug, m.question, m.question_bn, m.category, m.tags, m.image_url, m.venue,
       m.market_type, m.state, m.trading_status, q.price_bps, x.volume_micros, k.liquidity_micros,
       m.opens_at, m.closes_at, m.created_at
from chosen x
join public.markets m on m.id = x.market_id
join public.market_listings k on k.market_id = x.market_id
cross join lateral (select price_bps from public.market_quotes(m.id) where outcome = 0) q
order by x.is_alike desc, x.volume_micros desc, x.market_id;

-- name: list_market_snapshots
-- One page of raw price points, newest first.
select p.outcome, p.slot, p.mid_bps, p.last_price_bps, p.best_bid_bps, p.best_ask_bps,
       p.spread_bps, p.bid_depth_lots, p.ask_depth_lots, p.liquidity_micros, p.volume_micros
from public.find_outcome(%(market)s, coalesce(%(outcome)s, '0'), null) f
join public.price_points p
    on p.market_id = f.market_id and (%(outcome)s::text is null or p.outcome = f.outcome)
where %(before_slot)s::timestamptz is null
   or (p.slot, p.outcome) < (%(before_slot)s::timestamptz, %(before_outcome)s::smallint)
order by p.slot desc, p.outcome desc
limit %(limit)s;

-- name: get_market
-- One market by id or slug; no such market is PR404.
select m.id, m.slug, m.question, m.question_bn, m.description, m.rules, m.category, m.tags,
       m.resolution_source, m.image_url, m.venue, m.state, m.trading_status, m.market_type,
       m.tick_size_bps, m.min_size_lots, m.fee_bps, m.maker_rebate_bps, m.opens_at, m.closes_at,
       m.resolution_rule, m.resolution_evidence, m.dispute_window_s, m.proposed_payout_bps, m.final_payout_bps,
       m.claims_enabled, m.claims_available_at, m.last_state_change_tx,
       m.condition_id, m.chain_address, m.chain_market_id, m.settled_at,
       public.wallet_of(m.creator) as creator, m.created_at, m.updated_at, c.volume_micros
from public.find_outcome(%(market)s, '0', null) f
join public.markets m on m.id = f.market_id
join public.market_counters c on c.market_id = m.id;

-- name: get_market_outcomes
-- A market's outcomes with their quotes; the previous price is the mid of the snapshot before last.
select o.outcome, o.label, o.label_bn,
       (select p.mid_bps from public.price_points p
        where p.market_id = o.market_id and p.outcome = o.outcome
        order by p.slot desc offset 1 limit 1) as previous_price_bps,
       q.best_bid_bps, q.best_ask_bps, q.price_bps
from public.find_outcome(%(market)s, '0', null) f
cross join lateral public.market_quotes(f.market_id) q
join public.outcomes o on o.market_id = f.market_id and o.outcome = q.outcome
order by o.outcome;

-- name: get_market_recent_bars
-- The first outcome's last hourly bars.
select b.bucket as start, b.open_bps, b.high_bps, b.low_bps, b.close_bps, b.volume_micros,
       b.trade_count
from public.find_outcome(%(market)s, '0', null) f
join public.price_bars b
    on b.market_id = f.market_id and b.outcome = f.outcome and b.interval_s = 3600
where b.bucket <= %(now)s
order by b.bucket desc
limit 24;

-- name: get_market_holders
-- A market's largest holders.
select h.address, h.outcome, h.position, h.held_lots, h.share_bps
from public.find_outcome(%(market)s, '0', null) f
cross join lateral public.market_holders(f.market_id, 10) h;

-- name: find_outcome
-- Which book a caller means.
select f.market_id, f.outcome, f.position
from public.find_outcome(%(market)s, %(outcome)s, null) f;

-- name: get_book
-- The levels of one outcome's book in YES prices.
select b.side, b.price_bps, b.size_lots, b.orders
from public.find_outcome(%(market)s, %(outcome)s, null) f
cross join lateral public.market_book(f.market_id, f.outcome, %(depth)s) b;

-- name: list_market_trades
-- One page of public trades, newest first.
select t.fill_id as id, t.outcome, t.price_bps, t.size_lots, t.taker_side as side,
       t.taker_position as position, t.kind, t.created_at
from public.find_outcome(%(market)s, coalesce(%(outcome)s, '0'), null) f
cross join lateral public.market_trades(
    f.market_id, case when %(outcome)s::text is null then null else f.outcome end,
    %(before_id)s, %(limit)s
) t;

-- name: get_bars
-- The stored bars of one outcome since a time, and the last close before it to carry forward.
select b.bucket as start, b.open_bps, b.high_bps, b.low_bps, b.close_bps, b.volume_micros,
       b.trade_count
from public.find_outcome(%(market)s, %(outcome)s, null) f
join public.price_bars b
    on b.market_id = f.market_id and b.outcome = f.outcome and b.interval_s = %(interval_s)s
where b.bucket <= %(now)s
  and b.bucket >= coalesce(
      (select max(p.bucket) from public.price_bars p
       where p.market_id = f.market_id and p.outcome = f.outcome
         and p.interval_s = %(interval_s)s and p.bucket < %(since)s),
      %(since)s)
order by b.bucket;

-- name: get_market_stats
-- A market's figures.
select f.market_id, s.volume_micros, s.volume_24h_micros, s.trade_count, s.unique_traders,
       s.follower_count, s.bookmark_count, s.open_interest_micros, s.liquidity_micros, s.last_updated
from public.find_outcome(%(market)s, '0', null) f
cross join lateral public.market_stats(f.market_id, %(now)s) s;

-- name: list_closed_markets
-- Native markets past their close that nobody has tidied yet.
select id from public.markets
where state in ('ACTIVE', 'RESOLVING', 'DISPUTED') and venue = 'native'
  and closes_at <= %(now)s and trading_status <> 'halted'
order by closes_at, id
limit %(limit)s;

-- name: tidy_closed_markets
-- Release orders of markets past their close and halt those that have none left, together.
select halted, released from public.tidy_closed_markets(
    %(except)s::text[]::uuid[], %(markets)s, %(orders)s, %(now)s
);

-- name: release_market_orders
-- Cancel a chunk of a closed market's open orders.
select public.release_market_orders(%(market_id)s, %(limit)s, %(now)s) as count;

-- name: halt_closed_market
-- Mark a closed market as halted, once its orders are gone.
select public.halt_closed_market(%(market_id)s, %(now)s) as done;

-- name: snapshot_prices
-- A price point for every active outcome.
select public.snapshot_prices(%(now)s) as count;

-- name: list_due_markets
-- Native markets whose dispute window is over.
select id from public.markets
where due_at <= %(now)s and state = 'RESOLVING' and venue = 'native'
order by due_at, id
limit %(limit)s;

-- name: list_due_disputes
-- Native markets whose three days of votes are over, unless a human was asked.
select m.id from public.markets as m
where m.due_at <= %(now)s and m.state = 'DISPUTED' and m.venue = 'native'
  and not exists (
      select from public.escalations as e
      where e.kind = 'resolution' and e.subject = 'dispute:' || m.id)
order by m.due_at, m.id
limit %(limit)s;

-- name: list_due_letters_on_chain
-- Due markets on Solana that market_monitor failed to finalize, and should try again.
select m.id from public.markets as m
where m.due_at <= %(now)s and m.venue = 'solana'
  and exists (
      select from public.dead_letters as d
      where d.workflow = 'market_monitor' and d.item = m.id::text
        and d.status = 'pending' and d.next_attempt_at <= %(now)s)
order by m.due_at, m.id
limit %(limit)s;

-- name: conclude_dispute
-- End a dispute by its votes, or ask a human.
select decision, percentage_bps, turnout_bps
from public.conclude_dispute(%(market_id)s, %(request_id)s, %(ip)s, %(now)s);

-- name: list_unsigned_proposals
-- Proposals for Solana whose wallet never signed, for long: their transaction can land no more.
select m.id from public.markets as m
where m.venue = 'solana' and m.state = 'PROPOSED'
  and m.updated_at <= %(now)s::timestamptz - make_interval(secs => %(stuck_s)s)
  and not exists (select from public.chain_markets as c where c.market_id = m.id)
order by m.updated_at, m.id
limit %(limit)s;

-- name: list_waiting_markets
-- Markets that should have moved: by us (overdue, and no human is asked: one who has answered without
-- deciding is told), or that nothing has moved for long: a dispute to decide, a close without an
-- outcome, and last, since anybody may propose, what never began. Those that we owe come first. What
-- waits on chain to be approved or activated is not told: nobody here can move it.
select w.id, w.slug, w.state, w.is_overdue
from (
    select m.id, m.slug, m.state, true as is_overdue, m.due_at as since
    from public.markets as m
    where m.due_at <= %(now)s::timestamptz - make_interval(secs => %(overdue_s)s)
      and not (m.state = 'DISPUTED' and exists (
          select from public.escalations as e
          where e.kind = 'resolution' and e.subject = 'dispute:' || m.id
            and e.status = 'open'))
    union all
    select m.id, m.slug, m.state, false, m.disputed_at
    from public.markets as m
    where m.state = 'DISPUTED' and m.due_at <= %(now)s
      and m.disputed_at <= %(now)s::timestamptz - make_interval(secs => %(stuck_s)s)
      and exists (
          select from public.escalations as e
          where e.kind = 'resolution' and e.subject = 'dispute:' || m.id
            and e.status = 'open')
    union all
    select m.id, m.slug, m.state, false, m.closes_at
    from public.markets as m
    where m.state = 'ACTIVE' and m.venue <> 'polymarket'
      and m.closes_at <= %(now)s::timestamptz - make_interval(secs => %(stuck_s)s)
    union all
    (select m.id, m.slug, m.state, false, m.updated_at
     from public.markets as m
     where m.state in ('PROPOSED', 'APPROVED') and m.venue = 'native'
       and m.updated_at <= %(now)s::timestamptz - make_interval(secs => %(stuck_s)s)
     order by m.updated_at
     limit %(limit)s)
) as w
order by w.is_overdue desc, w.state in ('PROPOSED', 'APPROVED'), w.since, w.id
limit %(limit)s;

-- name: list_unsettled_markets
-- Final native markets that still owe somebody.
select id from public.markets
where state = 'FINALIZED' and venue = 'native' and settled_at is null
order by finalized_at, id
limit %(limit)s;

-- name: settle_market
-- Pay a chunk of a final market's holders.
select paid_users, paid_micros, released_orders, done
from public.settle_market(%(market_id)s, %(limit)s, %(now)s);

-- name: list_undecided_markets
-- Closed markets with a resolution rule whose outcome nobody has proposed or escalated.
select m.id, m.slug, m.resolution_rule
from public.markets m
where m.state = 'ACTIVE' and m.closes_at <= %(now)s and m.resolution_rule is not null
  and not exists (
      select from public.escalations e where e.kind = 'resolution' and e.subject = m.id::text)
order by m.closes_at, m.id
limit %(limit)s;

-- name: list_closing_rules
-- Rules of active markets that close soon, to check that their symbols have a source.
select m.id, m.slug, m.resolution_rule
from public.markets m
where m.state = 'ACTIVE' and m.resolution_rule is not null
  and m.closes_at > %(now)s and m.closes_at <= %(until)s
order by m.closes_at, m.id
limit %(limit)s;

-- name: announce_tick_changes
-- Announce the ticks that volatility asks for; those of emergencies are due at once.
select announced, emergencies from public.announce_tick_changes(%(now)s);

-- name: apply_tick_changes
-- Let a chunk of the announced ticks hold whose time has come.
select looked_at, changed from public.apply_tick_changes(%(limit)s, %(now)s);
