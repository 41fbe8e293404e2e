-- Why: what holds for every market of the programme as its events up to a slot tell it: the latest
-- word on each field in chain order; null when there is none.
create or replace function public.chain_config_facts(p_slot bigint) returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_object_agg(l.key, l.value)
    from (
        select distinct on (f.key) f.key, f.value
        from public.chain_events as e
        cross join lateral jsonb_each(e.data) as f
        where e.event_type in ('ConfigUpdated', 'GlobalConfigInitialized',
            'ProtocolPauseStatusChanged', 'ConfigObserved') and e.slot <= p_slot
        order by f.key, e.slot desc, e.tx_index desc, e.ordinal desc
    ) as l
$$;
revoke execute on function public.chain_config_facts(bigint) from public;
grant execute on function public.chain_config_facts(bigint) to presage_worker;
