-- Why: an announced tick holds from its hour on. A market is locked as the match locks it, in order
-- of id and a chunk a call, so that orders wait for one row and not for the whole platform. A change
-- whose market has another tick by now, or trades no more, is dropped. What rests in the book off
-- the new grid is left alone. Answers the markets that changed and how many were looked at: fewer
-- than p_limit means that none is left.
create or replace function public.apply_tick_changes(p_limit integer, p_now timestamptz)
returns table (looked_at integer, changed uuid[])
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_due     uuid[];
    v_changed uuid[];
begin
    v_due := array(
        select c.market_id from public.tick_changes as c
        where c.status = 'announced' and c.effective_at <= p_now
        order by c.effective_at, c.market_id
        limit p_limit);
    perform from public.markets as m where m.id = any (v_due) order by m.id for no key update;
    with moved as (
        update public.markets as m set tick_size_bps = c.to_bps, updated_at = p_now
        from public.tick_changes as c
        where m.id = any (v_due) and c.market_id = m.id and c.status = 'announced'
          and c.effective_at <= p_now and m.tick_size_bps = c.from_bps and m.state = 'ACTIVE'
          and c.to_bps between m.min_tick_bps and m.max_tick_bps
        returning m.id, c.from_bps, c.to_bps
    ),
    told as (
        insert into public.outbox (topic, market_id, payload, created_at)
        select 'tick_size', k.id,
               jsonb_build_object('old_bps', k.from_bps, 'new_bps', k.to_bps), p_now
        from moved as k
    ),
    decided as (
        update public.tick_changes as c set decided_at = p_now,
            status = case when exists (select from moved as k where k.id = c.market_id)
                     then 'applied' else 'dropped' end
        where c.market_id = any (v_due) and c.status = 'announced' and c.effective_at <= p_now
    )
    select coalesce(array_agg(k.id), '{}') into v_changed from moved as k;
    return query select cardinality(v_due), v_changed;
end;
$$;
revoke execute on function public.apply_tick_changes(integer, timestamptz) from public;
grant execute on function public.apply_tick_changes(integer, timestamptz) to presage_worker;
