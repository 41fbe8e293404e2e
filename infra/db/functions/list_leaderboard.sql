-- Why: a board is public, whose user is whose is not: a page shows names, a display name or the
-- ends of an address, and no ids. Nobody has a win rate without a decided market.
create or replace function public.list_leaderboard(
    p_period text, p_metric text, p_after integer, p_limit integer
) returns table (
    rank integer, name text, profit_micros bigint, volume_micros bigint, won_markets integer,
    lost_markets integer, win_rate_bps integer, refreshed_at timestamptz
)
language plpgsql stable security definer set search_path = ''
as $$
declare
    v_rank text := case p_metric when 'profit' then 'profit_rank' when 'volume' then 'volume_rank'
                                 when 'win_rate' then 'win_rate_rank' end;
begin
    return query execute format(
        'select e.%1$I, coalesce(u.display_name, left(u.address, 6) || ''…'' || right(u.address, 4)),'
        ' e.profit_micros, e.volume_micros, e.won_markets, e.lost_markets, e.win_rate_bps,'
        ' e.refreshed_at'
        ' from public.leaderboard_entries as e join public.users as u on u.id = e.user_id'
        ' where e.period = $1 and e.%1$I > $2 and ($3 or e.win_rate_bps is not null)'
        ' order by e.%1$I limit $4', v_rank)
    using p_period, p_after, p_metric <> 'win_rate', p_limit;
end;
$$;
revoke execute on function public.list_leaderboard(text, text, integer, integer) from public;
grant execute on function public.list_leaderboard(text, text, integer, integer)
    to presage_api, presage_admin, presage_worker;
