-- Why: says in SQL what must be true of the money at every commit; no rows means all of it is. Each
-- row names the invariant broken, what breaks it and how. It reads everything once, in one
-- snapshot, and so can run while people trade.
-- In a market with settlements under way shares leave holder by holder: there the escrow must be
-- what the rest is owed, and the sides need not match.
create or replace function public.presage_audit()
returns table (invariant text, subject text, detail text)
language sql stable security definer set search_path = ''
as $$
    with shares as materialized (
        select p.market_id, p.outcome,
               coalesce(sum(p.held_lots) filter (where p.position = 'YES'), 0) as yes_lots,
               coalesce(sum(p.held_lots) filter (where p.position = 'NO'), 0) as no_lots
        from public.positions as p
        group by p.market_id, p.outcome
    ),
    sides as materialized (
        select m.id as market_id, m.is_exhaustive, m.final_payout_bps as payout,
               m.settled_at is null
                   and exists (select from public.settlements as s where s.market_id = m.id) as settling,
               o.outcome, coalesce(s.yes_lots, 0) as yes_lots, coalesce(s.no_lots, 0) as no_lots
        from public.markets as m
        join public.outcomes as o on o.market_id = m.id
        left join shares as s on s.market_id = o.market_id and s.outcome = o.outcome
    ),
    books as materialized (
        select s.market_id, s.settling, min(s.yes_lots - s.no_lots) as c,
               max(s.yes_lots - s.no_lots) as c_max, bool_or(s.is_exhaustive) as is_exhaustive,
               case when s.settling
                    then sum(s.yes_lots * s.payout[s.outcome + 1]
                             + s.no_lots * (10000 - s.payout[s.outcome + 1]))
                    else (min(s.yes_lots - s.no_lots) + sum(s.no_lots)) * 10000 end as escrow
        from sides as s
        group by s.market_id, s.settling
    ),
    moved as materialized (
        select d.account, sum(d.delta) as balance
        from (
            select t.credit_account as account, t.amount_micros as delta from public.transfers as t
            union all
            select t.debit_account, -t.amount_micros from public.transfers as t
        ) as d
        group by d.account
    ),
    open_orders as materialized (
        select o.market_id, o.user_id, o.outcome, o.position, o.side, o.remaining_lots,
               o.remaining_lots * o.price_bps as micros
        from public.orders as o
        where o.is_open
    ),
    locks as materialized (
        select o.market_id, o.user_id, o.outcome, o.position, sum(o.remaining_lots) as lots
        from open_orders as o
        where o.side = 'SELL'
        group by o.market_id, o.user_id, o.outcome, o.position
    ),
    filled as materialized (
        select d.order_id, sum(d.lots) as lots, sum(d.taken) as taken
        from (
            select f.taker_order_id as order_id, f.size_lots as lots, f.size_lots as taken
            from public.fills as f
            union all
            select f.maker_order_id, f.size_lots, 0 from public.fills as f
        ) as d
        group by d.order_id
    ),
    traded as materialized (
        select f.market_id, sum(f.size_lots * f.price_bps) as volume, count(*) as trades
        from public.fills as f
        group by f.market_id
    ),
    -- What deposits and withdrawals say was moved counts up, what was moved down: equals leave nothing.
    outside as materialized (
        select m.kind, m.reference, sum(m.said) as said
        from (
            select 'deposit' as kind, d.id::text as reference, e.id as debit, c.id as credit,
                   d.credited_micros as micros, 1 as said
            from public.deposits as d
            cross join public.accounts as e
            left join public.accounts as c on c.user_id = d.user_id
            where d.status = 'verified' and e.kind = 'external'
            union all
            select v.kind, w.id::text,
                   case v.kind when 'withdrawal' then c.id else e.id end,
                   case v.kind when 'withdrawal' then e.id else c.id end, w.amount_micros, 1
            from public.withdrawals as w
            cross join public.accounts as e
            cross join (values ('withdrawal'), ('withdrawal_return')) as v (kind)
            left join public.accounts as c on c.user_id = w.user_id
            where e.kind = 'external' and (v.kind = 'withdrawal' or w.status = 'rejected')
            union all
            select t.kind, t.reference, t.debit_account, t.credit_account, t.amount_micros, -1
            from public.transfers as t
            where t.kind in ('withdrawal', 'withdrawal_return')
               or (t.kind = 'deposit'
                   and t.reference in (select d.id::text from public.deposits as d))
        ) as m
        group by m.kind, m.reference, m.debit, m.credit, m.micros
        having sum(m.said) <> 0
    )
    select 'accounts_sum_to_zero', 'all accounts', format('the sum is %s micros', sum(a.balance_micros))
    from public.accounts as a
    having sum(a.balance_micros) <> 0
    union all
    select 'no_negative_balance', format('account %s (%s)', a.id, a.kind),
           format('the balance is %s micros', a.balance_micros)
    from public.accounts as a
    where a.balance_micros < 0 and a.kind <> 'external'
    union all
    select 'balance_equals_transfers', format('account %s (%s)', a.id, a.kind),
           format('the balance is %s, its transfers make %s', a.balance_micros, coalesce(m.balance, 0))
    from public.accounts as a
    full join moved as m on m.account = a.id
    where a.balance_micros is distinct from coalesce(m.balance, 0)
    union all
    select 'shares_have_two_sides', format('market %s', b.market_id),
           format('YES less NO is between %s and %s lots', b.c, b.c_max)
    from books as b
    where not b.settling and (b.c <> b.c_max or (b.c <> 0 and not b.is_exhaustive))
    union all
    select 'escrow_covers_shares', format('market %s', b.market_id),
           format('the escrow holds %s, the shares need %s', a.balance_micros, b.escrow)
    from books as b
    join public.accounts as a on a.market_id = b.market_id and a.kind = 'market:escrow'
    where a.balance_micros <> b.escrow
    union all
    select 'orders_escrow_matches_open_buys', format('market %s', a.market_id),
           format('market:orders holds %s, open buys need %s', a.balance_micros, coalesce(sum(o.micros), 0))
    from public.accounts as a
    left join open_orders as o on o.market_id = a.market_id and o.side = 'BUY'
    where a.kind = 'market:orders'
    group by a.id, a.market_id, a.balance_micros
    having a.balance_micros <> coalesce(sum(o.micros), 0)
    union all
    select 'bonds_match_disputes', format('market %s', a.market_id),
           format('market:bonds holds %s, undecided disputes need %s', a.balance_micros,
                  coalesce(sum(d.bond_micros), 0))
    from public.accounts as a
    left join public.market_disputes as d on d.market_id = a.market_id and d.decided_at is null
    where a.kind = 'market:bonds'
    group by a.id, a.market_id, a.balance_micros
    having a.balance_micros <> coalesce(sum(d.bond_micros), 0)
    union all
    select 'locked_shares_are_held',
           format('user %s market %s outcome %s %s', coalesce(p.user_id, l.user_id),
                  coalesce(p.market_id, l.market_id), coalesce(p.outcome, l.outcome),
                  coalesce(p.position, l.position)),
           format('%s held, %s locked, open sells need %s', p.held_lots, p.locked_lots, coalesce(l.lots, 0))
    from public.positions as p
    full join locks as l on l.market_id = p.market_id and l.user_id = p.user_id
        and l.outcome = p.outcome and l.position = p.position
    where p.locked_lots is distinct from coalesce(l.lots, 0) or p.held_lots < l.lots
    union all
    select 'filled_equals_fills', format('order %s', coalesce(o.id, f.order_id)),
           format('filled %s (%s when placed), fills make %s (%s as taker)', o.filled_lots,
                  o.placed_filled_lots, coalesce(f.lots, 0), coalesce(f.taken, 0))
    from public.orders as o
    full join filled as f on f.order_id = o.id
    where o.filled_lots is distinct from coalesce(f.lots, 0)
       or o.placed_filled_lots is distinct from coalesce(f.taken, 0)
    union all
    select 'fills_agree_with_orders', format('fill %s', f.id),
           'price, people, outcome or kind differ from the two orders'
    from public.fills as f
    join public.orders as t on t.id = f.taker_order_id
    join public.orders as m on m.id = f.maker_order_id
    where f.price_bps <> m.book_price_bps
       or f.taker_id <> t.user_id or f.maker_id <> m.user_id
       or (f.market_id, f.outcome) <> (t.market_id, t.outcome)
       or (f.market_id, f.outcome) <> (m.market_id, m.outcome)
       or (f.taker_side, f.taker_position) <> (t.side, t.position)
       or t.book_side = m.book_side
       or case t.book_side when 'bid' then f.price_bps > t.book_price_bps
                           else f.price_bps < t.book_price_bps end
       or f.kind <> case when t.side <> m.side then 'TRANSFER'
                         when t.side = 'BUY' then 'MINT' else 'MERGE' end
    union all
    select 'orders_mirror_their_books', format('order %s', o.id),
           format('%s %s at %s is %s in the book as %s at %s', o.side, o.position, o.price_bps,
                  o.status, o.book_side, o.book_price_bps)
    from public.orders as o
    where o.book_side <> case when (o.side = 'BUY') = (o.position = 'YES') then 'bid' else 'ask' end
       or o.book_price_bps <> case o.position when 'YES' then o.price_bps else 10000 - o.price_bps end
       or o.is_open <> (o.status in ('open', 'partial'))
    union all
    select 'bars_match_fills', format('market %s', coalesce(b.market_id, t.market_id)),
           format('bars of %s s hold %s micros in %s trades, fills make %s in %s', b.interval_s,
                  b.volume, b.trades, t.volume, t.trades)
    from (
        select b.market_id, b.interval_s, sum(b.volume_micros) as volume, sum(b.trade_count) as trades
        from public.price_bars as b
        group by b.market_id, b.interval_s
    ) as b
    full join traded as t on t.market_id = b.market_id
    where b.volume is distinct from t.volume or b.trades is distinct from t.trades
    union all
    select 'counters_match_fills', format('market %s', c.market_id),
           format('counted %s micros in %s trades, fills make %s in %s', c.volume_micros,
                  c.trade_count, coalesce(t.volume, 0), coalesce(t.trades, 0))
    from public.market_counters as c
    left join traded as t on t.market_id = c.market_id
    where c.volume_micros <> coalesce(t.volume, 0) or c.trade_count <> coalesce(t.trades, 0)
    union all
    -- One sum over both sides: a join would be planned for the few rows of yesterday's statistics.
    select 'payouts_match_settlements', format('account %s market %s', b.account, b.market_id),
           format('recorded less paid: %s', sum(b.amount_micros))
    from (
        select a.id as account, s.market_id, s.amount_micros
        from public.settlements as s
        join public.accounts as a on a.user_id = s.user_id
        union all
        select t.credit_account, t.market_id, -t.amount_micros
        from public.transfers as t
        where t.kind = 'payout'
    ) as b
    group by b.account, b.market_id
    having sum(b.amount_micros) <> 0
    union all
    select 'deposits_match_transfers', format('deposit %s', o.reference),
           format('%s transfers are missing as verified', o.said)
    from outside as o
    where o.kind = 'deposit'
    union all
    select 'withdrawals_match_transfers', format('withdrawal %s', o.reference),
           format('%s transfers of kind %s are missing', o.said, o.kind)
    from outside as o
    where o.kind <> 'deposit'
$$;
revoke execute on function public.presage_audit() from public;
grant execute on function public.presage_audit() to presage_admin, presage_worker;
