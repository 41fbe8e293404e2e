-- Why: the one way a resting order leaves the book unfilled (cancelled or expired): what it held
-- goes back to its owner. Set based, for one order or a thousand, of any owners. The caller holds
-- the locks of all the orders' markets and, if it locked accounts already, these among them.
-- Orders that are final already are passed over. released_lots left the book; released_micros is
-- the cash a buy gets back (a sell gets its shares unlocked).
create or replace function public.release_orders(
    p_order_ids uuid[], p_status text, p_now timestamptz
) returns table (
    order_id uuid, status text, filled_lots bigint, released_lots bigint, released_micros bigint
)
language plpgsql volatile set search_path = ''
as $$
#variable_conflict use_column
begin
    perform from public.accounts as a
    where a.id in (
        select o.account_id from public.orders as o
        where o.id = any (p_order_ids) and o.is_open and o.side = 'BUY'
        union
        select l.orders_account
        from public.orders as o
        join public.market_ledgers as l on l.market_id = o.market_id
        where o.id = any (p_order_ids) and o.is_open and o.side = 'BUY'
    )
    order by a.id
    for no key update;

    return query
    with gone as materialized (
        select o.id, o.seq, o.user_id, o.account_id, o.market_id, o.outcome, o.position, o.side,
               o.price_bps, o.filled_lots, o.remaining_lots, o.client_order_id, l.orders_account,
               case o.side when 'BUY' then o.remaining_lots * o.price_bps else 0 end as micros
        from public.orders as o
        join public.market_ledgers as l on l.market_id = o.market_id
        where o.id = any (p_order_ids) and o.is_open
    ),
    closed as (
        update public.orders as o set
            status = p_status, is_open = false, remaining_lots = 0, updated_at = p_now
        from gone as g
        where o.id = g.id
    ),
    moved as (
        insert into public.transfers
            (debit_account, credit_account, amount_micros, kind, reference, market_id, created_at)
        select g.orders_account, g.account_id, g.micros, 'release', g.id, g.market_id, p_now
        from gone as g
        where g.micros > 0
        order by g.seq
    ),
    balanced as (
        update public.accounts as a set balance_micros = a.balance_micros + s.delta
        from (
            select d.account, sum(d.delta)::bigint as delta
            from (
                select g.account_id as account, g.micros as delta from gone as g
                union all
                select g.orders_account, -g.micros from gone as g
            ) as d
            group by d.account
        ) as s
        where a.id = s.account and s.delta <> 0
    ),
    unlocked as (
        update public.positions as p set locked_lots = p.locked_lots - s.lots, updated_at = p_now
        from (
            select g.market_id, g.user_id, g.outcome, g.position, sum(g.remaining_lots)::bigint as lots
            from gone as g
            where g.side = 'SELL'
            group by g.market_id, g.user_id, g.outcome, g.position
        ) as s
        where p.market_id = s.market_id and p.user_id = s.user_id and p.outcome = s.outcome
          and p.position = s.position
    ),
    told as (
        insert into public.outbox (topic, market_id, payload, created_at)
        select 'order', g.market_id, jsonb_build_object(
                   'order', jsonb_build_object(
                       'order_id', g.id, 'user_id', g.user_id, 'outcome', g.outcome,
                       'position', g.position, 'side', g.side, 'price_bps', g.price_bps,
                       'status', p_status, 'filled_lots', g.filled_lots, 'remaining_lots', 0,
                       'released_lots', g.remaining_lots, 'client_order_id', g.client_order_id),
                   'fills', '[]'::jsonb), p_now
        from gone as g
        order by g.seq
    )
    select g.id, p_status, g.filled_lots, g.remaining_lots, g.micros
    from gone as g
    order by g.seq;
end;
$$;
revoke execute on function public.release_orders(uuid[], text, timestamptz) from public;
