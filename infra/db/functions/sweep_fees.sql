-- Why: fees accrue in each market so that no row is shared while trading; this moves them to the
-- platform. Rebates were paid with the fill, so nothing need stay. A market in the middle of a
-- match is passed over: the next sweep finds it. Repeating it moves nothing twice.
create or replace function public.sweep_fees(p_limit integer, p_now timestamptz)
returns table (markets integer, swept_micros bigint)
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_now     timestamptz := public.effective_now(p_now);
    v_markets uuid[];
begin
    v_markets := array(
        select m.id
        from public.markets as m
        join public.market_ledgers as l on l.market_id = m.id
        join public.accounts as a on a.id = l.fees_account
        where a.balance_micros > 0
        order by m.id
        limit p_limit
        for no key update of m skip locked);
    perform from public.accounts as a
    where a.kind = 'platform:fees'
       or a.id in (select l.fees_account from public.market_ledgers as l
                   where l.market_id = any (v_markets))
    order by a.id
    for no key update;
    return query
    with due as materialized (
        select a.id, a.market_id, a.balance_micros as amount
        from public.market_ledgers as l
        join public.accounts as a on a.id = l.fees_account
        where l.market_id = any (v_markets) and a.balance_micros > 0
    ),
    platform as materialized (
        select a.id from public.accounts as a where a.kind = 'platform:fees'
    ),
    moved as (
        insert into public.transfers
            (debit_account, credit_account, amount_micros, kind, reference, market_id, created_at)
        select d.id, p.id, d.amount, 'sweep', d.market_id, d.market_id, v_now
        from due as d cross join platform as p
    ),
    balanced as (
        update public.accounts as a set balance_micros = a.balance_micros + s.delta
        from (
            select d.id, -d.amount as delta from due as d
            union all
            select p.id, (select coalesce(sum(d.amount), 0) from due as d)::bigint from platform as p
        ) as s
        where a.id = s.id and s.delta <> 0
    )
    select count(*)::integer, coalesce(sum(d.amount), 0)::bigint from due as d;
end;
$$;
revoke execute on function public.sweep_fees(integer, timestamptz) from public;
grant execute on function public.sweep_fees(integer, timestamptz) to presage_admin, presage_worker;
