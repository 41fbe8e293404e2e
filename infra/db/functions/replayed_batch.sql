-- Why: a repeated batch answers what the first call answered, whatever happened to its orders since.
create or replace function public.replayed_batch(p_order_ids uuid[], p_refusals jsonb)
returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_agg(case
        when i.id is null then p_refusals -> (i.no - 1)::text
        else jsonb_build_object('index', i.no - 1)
            || (select to_jsonb(r) - 'replayed' from public.replayed_order(i.id) as r) end
        order by i.no)
    from unnest(p_order_ids) with ordinality as i (id, no)
$$;
revoke execute on function public.replayed_batch(uuid[], jsonb) from public;
