-- Why: what the caller's shares cost and earned when the shares held longest leave first, from the
-- fills and share operations themselves; `positions` keeps average cost. One market, or (null) all
-- in which the caller holds or held something. Fees lower and rebates raise what is realised; a
-- conversion hands its NO's cost on; a settled market's shares left at the payout. Held shares are
-- valued at the book's price (market_quotes). cost less realised, summed over a market, is the same
-- by either method. Reads rows of the caller only, at most 50,000 events: PR422 above. PR401.
create or replace function public.fifo_positions(p_market_id uuid)
returns table (
    market_id uuid, outcome smallint, "position" text, held_lots bigint, cost_micros bigint,
    realised_micros bigint, unrealised_micros bigint
)
language plpgsql stable set search_path = ''
as $$
#variable_conflict use_column
declare
    c_max_events constant integer := 50000;
    v_actor    uuid := public.actor_id();
    v_market   record;
    v_event    record;
    v_count    integer := 0;
    -- By key: 2 x outcome + 1, and one more for NO.
    v_held     bigint[];
    v_cost     bigint[];
    v_realised bigint[];
    v_head     integer[];  -- the first lot that may have something left
    v_touched  boolean[];
    -- The lots, in order of arrival.
    v_keys     integer[];
    v_left     bigint[];
    v_worth    bigint[];
    v_take     bigint;
    v_part     bigint;
    v_out      bigint;
    v_need     bigint;
    v_at       integer;
begin
    if v_actor is null then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    end if;
    for v_market in
        select m.id, m.final_payout_bps as payout, s.market_id is not null as is_paid,
               (select count(*)::integer from public.outcomes as o where o.market_id = m.id) as n
        from public.markets as m
        left join public.settlements as s on s.market_id = m.id and s.user_id = v_actor
        where m.id in (
            select p.market_id from public.positions as p
            where p.user_id = v_actor and (p_market_id is null or p.market_id = p_market_id))
        order by m.id
    loop
        v_held := array_fill(0::bigint, array[2 * v_market.n]);
        v_cost := v_held;
        v_realised := v_held;
        v_head := array_fill(1, array[2 * v_market.n]);
        v_touched := array_fill(false, array[2 * v_market.n]);
        v_keys := '{}';
        v_left := '{}';
        v_worth := '{}';
        v_out := 0;
        for v_event in
            -- Each event brings (lots above zero) or takes shares of one kind; micros is their
            -- price, null where a conversion decides it; extra is realised whatever happens.
            select e.* from (
                select f.id as seq, 0 as leg, 2 * o.outcome + case o.position when 'YES' then 1 else 2 end
                           as key,
                       case o.side when 'BUY' then f.size_lots else -f.size_lots end as lots,
                       f.size_lots * case o.position when 'YES' then f.price_bps
                                                     else 10000 - f.price_bps end as micros,
                       case when f.maker_order_id = o.id then f.rebate_micros else 0 end as extra,
                       1 as legs
                from public.orders as o
                cross join lateral (
                    select t.id, t.size_lots, t.price_bps, t.maker_order_id, t.rebate_micros
                    from public.fills as t where t.taker_order_id = o.id
                    union all
                    select t.id, t.size_lots, t.price_bps, t.maker_order_id, t.rebate_micros
                    from public.fills as t where t.maker_order_id = o.id
                ) as f
                where o.user_id = v_actor and o.market_id = v_market.id and o.filled_lots > 0
                union all
                select 0, 0, 2 * o.outcome + case o.position when 'YES' then 1 else 2 end, 0, 0,
                       -o.fee_micros, 1
                from public.orders as o
                where o.user_id = v_actor and o.market_id = v_market.id and o.fee_micros > 0
                union all
                select l.seq, l.no, l.key, case when l.gone then -l.size_lots else l.size_lots end,
                       case when l.kind <> 'convert' then l.basis / l.legs
                           + case when l.no <= l.basis % l.legs then 1 else 0 end end, 0, l.legs
                from (
                    select s.seq, s.kind, s.size_lots, abs(s.amount_micros) as basis, g.gone,
                           2 * c.outcome + case p.position when 'YES' then 1 else 2 end as key,
                           (count(*) over (partition by s.seq, g.gone))::integer as legs,
                           (row_number() over (
                               partition by s.seq, g.gone order by c.outcome, p.position desc
                           ))::integer as no
                    from public.share_operations as s
                    join public.outcomes as c on c.market_id = s.market_id
                    cross join (values ('YES'), ('NO')) as p (position)
                    cross join lateral (
                        select s.kind in ('merge', 'redeem')
                            or (s.kind = 'convert' and p.position = 'NO') as gone
                    ) as g
                    where s.user_id = v_actor and s.market_id = v_market.id and case s.kind
                        when 'split' then c.outcome = s.outcome
                        when 'merge' then c.outcome = s.outcome
                        when 'convert' then (c.outcome = s.outcome) = (p.position = 'NO')
                        else p.position = 'YES' end
                ) as l
            ) as e
            order by e.seq, e.lots > 0, e.leg
        loop
            v_count := v_count + 1;
            if v_count > c_max_events then
                raise exception using errcode = 'PR422',
                    message = format('there are more than %s trades to go through', c_max_events);
            end if;
            v_touched[v_event.key] := true;
            v_realised[v_event.key] := v_realised[v_event.key] + v_event.extra;
            if v_event.lots > 0 then
                v_part := coalesce(v_event.micros, v_out / v_event.legs
                    + case when v_event.leg <= v_out % v_event.legs then 1 else 0 end);
                v_keys := v_keys || v_event.key;
                v_left := v_left || v_event.lots;
                v_worth := v_worth || v_part;
                v_held[v_event.key] := v_held[v_event.key] + v_event.lots;
                v_cost[v_event.key] := v_cost[v_event.key] + v_part;
                continue;
            end if;
            v_need := -v_event.lots;
            v_out := 0;
            v_at := v_head[v_event.key];
            while v_need > 0 loop
                while v_keys[v_at] <> v_event.key or v_left[v_at] = 0 loop
                    v_at := v_at + 1;
                end loop;
                v_take := least(v_need, v_left[v_at]);
                v_part := div(v_worth[v_at]::numeric * v_take, v_left[v_at]);
                v_left[v_at] := v_left[v_at] - v_take;
                v_worth[v_at] := v_worth[v_at] - v_part;
                v_out := v_out + v_part;
                v_need := v_need - v_take;
            end loop;
            v_head[v_event.key] := v_at;
            v_held[v_event.key] := v_held[v_event.key] + v_event.lots;
            v_cost[v_event.key] := v_cost[v_event.key] - v_out;
            if v_event.micros is not null then
                v_realised[v_event.key] := v_realised[v_event.key] + v_event.micros
                    - case when v_event.lots < 0 then v_out else 0 end;
            end if;
        end loop;

        return query
        select v_market.id, k.outcome, k.position,
               case when v_market.is_paid then 0 else v_held[k.key] end,
               case when v_market.is_paid then 0 else v_cost[k.key] end,
               v_realised[k.key]
                   + case when v_market.is_paid then v_held[k.key] * k.payout - v_cost[k.key] else 0 end,
               case when v_market.is_paid then 0 else v_held[k.key] * k.price - v_cost[k.key] end
        from (
            select q.outcome, s.position, 2 * q.outcome + s.no as key,
                   case s.position when 'YES' then v_market.payout[q.outcome + 1]
                                   else 10000 - v_market.payout[q.outcome + 1] end as payout,
                   case s.position when 'YES' then q.price_bps else 10000 - q.price_bps end as price
            from public.market_quotes(v_market.id) as q
            cross join (values ('YES', 1), ('NO', 2)) as s (position, no)
        ) as k
        where v_touched[k.key]
        order by k.key;
    end loop;
end;
$$;
revoke execute on function public.fifo_positions(uuid) from public;
grant execute on function public.fifo_positions(uuid) to presage_api;
