-- Why: what the exchange says in its outbox becomes notifications, in the transaction that marks it
-- as published: each row once, whatever is killed or delivered twice. Set-based: a market with
-- 100,000 followers is one statement, in the order of its indexes and sorted in memory. A maker is
-- told when its order is filled to the end; a taker knew from its answer. Whoever holds shares on
-- Solana is told of their market's end, for claiming is theirs to do: once, who follows it too.
-- p_large_micros is what makes a trade large, by a taker order's volume.
-- Answers how many rows were taken; fewer than p_limit means that none is left.
create or replace function public.relay_outbox(
    p_limit integer, p_large_micros bigint, p_now timestamptz
) returns integer
language plpgsql volatile security definer set search_path = '' set work_mem = '64MB'
as $$
declare
    v_taken integer;
begin
    with claimed as materialized (
        select o.id, o.topic, o.market_id, o.payload, o.created_at
        from public.outbox o
        where o.published_at is null
        order by o.id
        limit p_limit
        for update skip locked
    ),
    filled as (
        insert into public.notifications (user_id, type, market_id, facts, created_at)
        select m.user_id, 'order_filled', c.market_id, jsonb_build_object(
                   'orderId', m.id, 'side', m.side, 'position', m.position,
                   'outcome', m.outcome, 'priceBps', m.price_bps, 'sizeLots', m.size_lots),
               c.created_at
        from claimed c
        cross join lateral jsonb_array_elements(c.payload -> 'fills') as f
        join public.orders m on m.id = (f ->> 'maker_order_id')::uuid
        where c.topic = 'order' and (f ->> 'maker_remaining_lots')::bigint = 0
    ),
    large as (
        insert into public.notifications (user_id, type, market_id, facts, created_at)
        select w.user_id, 'large_trade', t.market_id,
               jsonb_build_object('amountMicros', t.micros, 'side', t.payload #>> '{order,side}',
                                  'position', t.payload #>> '{order,position}'),
               t.created_at
        from (
            select c.market_id, c.payload, c.created_at, (
                       select sum((f ->> 'price_bps')::bigint * (f ->> 'size_lots')::bigint)::bigint
                       from jsonb_array_elements(c.payload -> 'fills') as f) as micros
            from claimed c
            where c.topic = 'order' and c.payload -> 'fills' <> '[]'::jsonb
        ) as t
        join public.follows w on w.market_id = t.market_id and w.notify_on_trade
        where t.micros > p_large_micros
          and w.user_id <> (t.payload #>> '{order,user_id}')::uuid
        order by w.market_id, w.user_id
    ),
    resolved as (
        insert into public.notifications (user_id, type, market_id, created_at)
        select w.user_id, 'market_resolved', w.market_id, w.created_at
        from (
            select f.user_id, c.market_id, c.created_at
            from claimed c
            join public.follows f on f.market_id = c.market_id and f.notify_on_resolve
            where c.topic = 'market_state' and c.payload ->> 'newState' = 'FINALIZED'
            union all
            select u.id, c.market_id, c.created_at
            from claimed c
            join public.markets k on k.id = c.market_id and k.venue = 'solana'
            join public.chain_positions p on p.market = k.chain_market_id and not p.has_claimed
                and (p.shares_yes > 0 or p.shares_no > 0)
            join public.users u on u.chain = 'solana' and u.address = p.wallet
            where c.topic = 'market_state' and c.payload ->> 'newState' = 'FINALIZED'
        ) as w
        order by w.market_id, w.user_id
        on conflict do nothing
    ),
    settled as (
        insert into public.notifications (user_id, type, market_id, facts, created_at)
        select (c.payload ->> 'user_id')::uuid, 'position_settled', c.market_id,
               jsonb_build_object('amountMicros', c.payload -> 'amount_micros'), c.created_at
        from claimed c
        where c.topic = 'settlement'
    ),
    moved as (
        insert into public.notifications (user_id, type, facts, created_at)
        select (c.payload ->> 'user_id')::uuid,
               case c.payload ->> 'action' when 'verify_deposit' then 'deposit_verified'
                                           else 'withdrawal_completed' end,
               jsonb_build_object('amountMicros', coalesce(
                   c.payload -> 'credited_micros', c.payload -> 'amount_micros')),
               c.created_at
        from claimed c
        where c.topic = 'wallet'
          and c.payload ->> 'action' in ('verify_deposit', 'complete_withdrawal')
    ),
    answered as (
        insert into public.notifications (user_id, type, market_id, facts, created_at)
        select (c.payload ->> 'parent_user_id')::uuid, 'comment_reply', c.market_id,
               jsonb_build_object('commentId', c.payload -> 'id'), c.created_at
        from claimed c
        where c.topic = 'comment' and c.payload ->> 'parent_user_id' <> c.payload ->> 'user_id'
    ),
    published as (
        update public.outbox o set published_at = p_now
        where o.id in (select c.id from claimed c)
    )
    select count(*) into v_taken from claimed;
    return v_taken;
end;
$$;
revoke execute on function public.relay_outbox(integer, bigint, timestamptz) from public;
grant execute on function public.relay_outbox(integer, bigint, timestamptz) to presage_worker;
