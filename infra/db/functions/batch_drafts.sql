-- Why: the orders of a batch as the matcher takes them, in their sequence. market_id and outcome are
-- set where the caller gave an id and a number; names are looked up by the caller of this. An order
-- with a client order id but no request hash is known by what it says, its id left out.
create or replace function public.batch_drafts(p_orders jsonb) returns public.order_draft[]
language sql stable set search_path = ''
as $$
    select array_agg(row(
        coalesce(o.order_id, gen_random_uuid()),
        case when o.market_id ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
             then o.market_id::uuid end,
        case when jsonb_typeof(o.outcome) = 'number' then (o.outcome #>> '{}')::smallint end,
        coalesce(o.position, 'YES'), o.side, o.type, o.price_bps, o.size_lots, o.amount_micros,
        coalesce(o.post_only, false), coalesce(o.self_trade_prevention, 'cancel_taker'),
        o.client_order_id,
        case when o.client_order_id is not null
             then coalesce(decode(o.request_hash, 'hex'),
                           sha256(convert_to((e.body - 'order_id')::text, 'UTF8'))) end,
        o.expires_at, null, null, null, null, null, null, null, null, null, null, null, null, null,
        null, null, null, null, null, null, null)::public.order_draft order by e.no)
    from jsonb_array_elements(p_orders) with ordinality as e (body, no)
    cross join lateral jsonb_to_record(e.body) as o (
        order_id uuid, market_id text, outcome jsonb, position text, side text, type text,
        price_bps integer, size_lots bigint, amount_micros bigint, post_only boolean,
        self_trade_prevention text, client_order_id text, request_hash text,
        expires_at timestamptz)
$$;
revoke execute on function public.batch_drafts(jsonb) from public;
