-- Why: shares that an account once told begin there (base_order): of the trades of p_markets that this
-- transaction has kept and added, those before are in them already, and are taken off again. A trade
-- that comes this late is rare; p_times are the times of its block and of others.
create or replace function public.take_back_trades(p_markets text[], p_times timestamptz[])
returns void
language plpgsql volatile set search_path = ''
as $$
declare
    v_markets text[];
begin
    select array_agg(b.market) into v_markets
    from (
        select m.market from public.chain_markets as m
        where m.market = any (p_markets) and m.base_order <> '{0,0,0}'
        union
        select p.market from public.chain_positions as p
        where p.market = any (p_markets) and p.base_order is not null
    ) as b;
    if v_markets is null then
        return;
    end if;

    with late as materialized (
        select t.market, t.wallet, t.place, t.shares_yes, t.shares_no
        from public.chain_trades as t
        join public.chain_events as k on k.signature = t.signature and k.ordinal = t.ordinal
        where t.market = any (v_markets) and t.traded_at = any (p_times)
          and k.xmin = pg_current_xact_id()::xid
    ),
    of_markets as (
        update public.chain_markets as m
        set shares_yes = m.shares_yes - n.yes, shares_no = m.shares_no - n.no
        from (
            select l.market, sum(l.shares_yes) as yes, sum(l.shares_no) as no
            from late as l
            join public.chain_markets as c on c.market = l.market
            where l.place <= c.base_order
            group by l.market
        ) as n
        where m.market = n.market
    )
    update public.chain_positions as p
    set shares_yes = p.shares_yes - n.yes, shares_no = p.shares_no - n.no
    from (
        select l.market, l.wallet, sum(l.shares_yes) as yes, sum(l.shares_no) as no
        from late as l
        join public.chain_positions as c on c.market = l.market and c.wallet = l.wallet
        where l.place <= c.base_order
        group by l.market, l.wallet
    ) as n
    where p.market = n.market and p.wallet = n.wallet;
end;
$$;
revoke execute on function public.take_back_trades from public;
