-- Why: a repeated client order id answers what the first call answered, whatever has happened to
-- the order since: rebuilt from the placed_* columns and the fills it took, which never change.
create or replace function public.replayed_order(p_order_id uuid)
returns table (
    order_id uuid, status text, size_lots bigint, filled_lots bigint, remaining_lots bigint,
    cost_micros bigint, fee_micros bigint, average_price_bps numeric, fills jsonb,
    created_at timestamptz, replayed boolean
)
language sql stable set search_path = ''
as $$
    select o.id, o.placed_status, coalesce(o.placed_size_lots, o.size_lots), o.placed_filled_lots,
           case when o.placed_status in ('open', 'partial')
                then coalesce(o.placed_size_lots, o.size_lots) - o.placed_filled_lots else 0 end,
           o.placed_cost_micros, o.fee_micros,
           round(o.placed_cost_micros::numeric / nullif(o.placed_filled_lots, 0), 4),
           (select coalesce(jsonb_agg(jsonb_build_object(
                       'fill_id', f.id,
                       'price_bps', case o.position when 'YES' then f.price_bps
                                                    else 10000 - f.price_bps end,
                       'size_lots', f.size_lots,
                       'kind', f.kind) order by f.id), '[]'::jsonb)
            from public.fills as f where f.taker_order_id = o.id),
           o.created_at, true
    from public.orders as o
    where o.id = p_order_id
$$;
revoke execute on function public.replayed_order(uuid) from public;
