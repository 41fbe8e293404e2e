-- Why: a market's row of counts appears with its first follower or bookmark; whoever changes it holds
-- it until the commit. Raises PR404.
create or replace function public.lock_audience(p_market_id uuid) returns void
language plpgsql volatile set search_path = ''
as $$
begin
    if not exists (select from public.markets m where m.id = p_market_id) then
        raise exception 'There is no such market.' using errcode = 'PR404', column = 'market_id';
    end if;
    insert into public.market_audience (market_id) values (p_market_id) on conflict do nothing;
    perform from public.market_audience a where a.market_id = p_market_id for no key update;
end;
$$;
revoke execute on function public.lock_audience(uuid) from public;
