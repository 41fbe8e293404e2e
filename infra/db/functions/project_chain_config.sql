-- Why: what holds for every market of the programme: the latest word of its events on each column.
-- They are a handful, so they are read anew. A new dispute period holds for all markets that are there,
-- those that are over too: they would have it had it been indexed before their end. Whatever else is
-- said (a pause) concerns no market.
create or replace function public.project_chain_config() returns void
language plpgsql volatile set search_path = ''
as $$
declare
    v_window_s integer := public.chain_window_s();
begin
    delete from public.chain_config;
    insert into public.chain_config
    select c.*
    from (
        select public.chain_config_facts(9223372036854775807) || '{"is_only": true}' as facts
    ) as t
    cross join lateral jsonb_populate_record(null::public.chain_config, t.facts) as c
    where t.facts is not null;
    if public.chain_window_s() = v_window_s then
        return;
    end if;
    v_window_s := public.chain_window_s();
    update public.markets as k
    set dispute_window_s = v_window_s,
        claims_available_at = k.proposed_at + make_interval(secs => v_window_s)
    where k.venue = 'solana' and k.last_state_change_tx is not null
      and k.dispute_window_s <> v_window_s;
end;
$$;
revoke execute on function public.project_chain_config() from public;
