-- Changes what a user may do: the role, and whether the account may only close what it has. Every
-- super_admin's row is locked with the target's and the actor's, in one order, so that two who
-- demote each other cannot both succeed. A closed account's resting buys would still open
-- positions, so they are released here, at most 1,000 a call: more_orders says to call again.
-- Answers the hashes under which Redis may hold what it must forget (the newest 1,000 sessions, and
-- every live key). Definer: orders and hashes are nobody's to write or read directly.
-- Raises PR400 (nothing to change), PR403, PR404, PR409 (the last super_admin).
create or replace function public.update_user(
    p_user_id uuid, p_role text, p_closed_only boolean, p_reason text, p_request_id text,
    p_ip text, p_now timestamptz
) returns table (
    id uuid, address text, display_name text, role text, closed_only boolean,
    created_at timestamptz, cancelled_orders integer, more_orders boolean, hashes bytea[]
)
language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
declare
    c_max_orders   constant integer := 1000;
    c_max_sessions constant integer := 1000;
    v_actor      uuid := public.actor_id();
    v_actor_role text;
    v_supers     integer;
    v_old        public.users;
    v_new        public.users;
    v_orders     uuid[];
    v_cancelled  integer := 0;
begin
    if p_role is null and p_closed_only is null then
        raise exception using errcode = 'PR400', column = 'role',
            message = 'give a role, closedOnly or both';
    end if;
    select count(*) filter (where l.role = 'super_admin'),
           max(l.role) filter (where l.id = v_actor)
    into v_supers, v_actor_role
    from (
        select u.id, u.role from public.users as u
        where u.role = 'super_admin' or u.id in (p_user_id, v_actor)
        order by u.id
        for no key update
    ) as l;
    select u.* into v_old from public.users as u where u.id = p_user_id;
    if coalesce(v_actor_role, 'user') = 'user' then
        raise exception using errcode = 'PR403', message = 'only an admin may do this';
    elsif v_old.id is null then
        raise exception using errcode = 'PR404', column = 'user_id',
            message = 'there is no such user';
    elsif v_actor_role <> 'super_admin' and 'super_admin' in (v_old.role, p_role) then
        raise exception using errcode = 'PR403', message = 'only a super_admin may do this';
    elsif v_old.role = 'super_admin' and p_role <> 'super_admin' and v_supers = 1 then
        raise exception using errcode = 'PR409', column = 'role',
            message = 'the last super_admin stays';
    elsif p_user_id = v_actor then
        raise exception using errcode = 'PR403', message = 'nobody changes their own account';
    end if;

    update public.users as u set
        role = coalesce(p_role, u.role), closed_only = coalesce(p_closed_only, u.closed_only)
    where u.id = p_user_id
    returning u.* into v_new;
    if v_new.closed_only then
        select array_agg(s.id) into v_orders
        from (
            select o.id from public.orders as o
            where o.user_id = p_user_id and o.is_open and o.side = 'BUY'
            order by o.seq
            limit c_max_orders
        ) as s;
        perform from public.markets as m
        where m.id in (select o.market_id from public.orders as o where o.id = any (v_orders))
        order by m.id
        for no key update;
        select count(*) into v_cancelled
        from public.release_orders(v_orders, 'cancelled', public.effective_now(p_now));
    end if;
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        v_actor, 'update_user', 'user', p_user_id::text, p_request_id, p_ip,
        jsonb_build_object(
            'from', jsonb_build_object('role', v_old.role, 'closed_only', v_old.closed_only),
            'to', jsonb_build_object('role', v_new.role, 'closed_only', v_new.closed_only),
            'reason', p_reason, 'cancelled_orders', v_cancelled),
        p_now
    );
    return query
    select v_new.id, v_new.address, v_new.display_name, v_new.role, v_new.closed_only,
        v_new.created_at, v_cancelled, coalesce(cardinality(v_orders), 0) = c_max_orders,
        array(
            (select s.token_hash from public.sessions as s
             where s.user_id = p_user_id and s.revoked_at is null and s.expires_at > p_now
             order by s.created_at desc limit c_max_sessions)
            union all
            select k.key_hash from public.api_keys as k
            where k.user_id = p_user_id and k.revoked_at is null
              and (k.expires_at is null or k.expires_at > p_now)
        );
end;
$$;
revoke all on function public.update_user from public;
grant execute on function public.update_user to presage_admin;
