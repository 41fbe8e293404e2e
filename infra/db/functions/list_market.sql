-- Why a trigger: a market without its listing would be missing from every list, so no writer of
-- markets gets the chance to forget it.
create or replace function public.list_market() returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
    insert into public.market_listings as l (market_id, created_us, closes_us)
    values (new.id, extract(epoch from new.created_at) * 1000000,
            extract(epoch from new.closes_at) * 1000000)
    on conflict (market_id) do update set
        created_us = excluded.created_us, closes_us = excluded.closes_us;
    return null;
end;
$$;
revoke execute on function public.list_market() from public;

create or replace trigger markets_are_listed
    after insert or update of created_at, closes_at on public.markets
    for each row execute function public.list_market();
