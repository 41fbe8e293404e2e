-- Why: what a batch answers the first time, told from the drafts and not read back. An order that an
-- earlier call had placed is told as that call told it.
create or replace function public.batch_results(
    p_orders public.order_draft[], p_order_ids uuid[], p_refusals jsonb, p_now timestamptz
) returns jsonb
language sql stable set search_path = ''
as $$
    with placed as (
        select o.order_id, jsonb_build_object(
            'order_id', o.order_id, 'status', o.status, 'size_lots', o.size_lots,
            'filled_lots', o.filled_lots, 'remaining_lots', o.rest_lots,
            'cost_micros', o.cost_micros, 'fee_micros', o.fee_micros,
            'average_price_bps', round(o.cost_micros::numeric / nullif(o.filled_lots, 0), 4),
            'fills', coalesce((
                select jsonb_agg(jsonb_build_object(
                    'fill_id', f.fill_id,
                    'price_bps', case o.position when 'YES' then f.price_bps
                                                 else 10000 - f.price_bps end,
                    'size_lots', f.size_lots, 'kind', f.kind) order by f.fill_id)
                from unnest(o.fills) as f), '[]'::jsonb),
            'created_at', p_now) as told
        from unnest(p_orders) as o
    )
    select jsonb_agg(case
        when i.id is null then p_refusals -> (i.no - 1)::text
        else jsonb_build_object('index', i.no - 1)
            || coalesce(p.told, (select to_jsonb(r) - 'replayed' from public.replayed_order(i.id) as r)) end
        order by i.no)
    from unnest(p_order_ids) with ordinality as i (id, no)
    left join placed as p on p.order_id = i.id
$$;
revoke execute on function public.batch_results(public.order_draft[], uuid[], jsonb, timestamptz)
    from public;
