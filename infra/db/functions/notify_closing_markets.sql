-- Tells the followers of markets that close within an hour, each once, in one statement: in the order
-- of its indexes, each page of which is touched once, and sorted in memory.
create or replace function public.notify_closing_markets(p_now timestamptz) returns integer
language plpgsql volatile security definer set search_path = '' set work_mem = '64MB'
as $$
declare
    v_told integer;
begin
    insert into public.notifications (user_id, type, market_id, facts, created_at)
    select f.user_id, 'market_closing_soon', m.id,
           jsonb_build_object('closesAt', to_jsonb(m.closes_at)), p_now
    from public.markets m
    join public.follows f on f.market_id = m.id and f.notify_on_close
    where m.state = 'ACTIVE' and m.closes_at > p_now and m.closes_at <= p_now + interval '1 hour'
    order by m.id, f.user_id
    on conflict do nothing;
    get diagnostics v_told = row_count;
    return v_told;
end;
$$;
revoke execute on function public.notify_closing_markets(timestamptz) from public;
grant execute on function public.notify_closing_markets(timestamptz) to presage_worker;
