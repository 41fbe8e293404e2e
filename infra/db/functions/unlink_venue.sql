-- Why: deletes the caller's credentials for a venue and says whether there were any; unlinking what
-- is not linked changes nothing and leaves no entry in the log. Raises PR401.
create or replace function public.unlink_venue(
    p_venue text, p_request_id text, p_ip text, p_now timestamptz
) returns boolean
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_actor uuid := public.actor_id();
begin
    if v_actor is null then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    end if;
    delete from public.venue_credentials as c where c.user_id = v_actor and c.venue = p_venue;
    if not found then
        return false;
    end if;
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, created_at)
    values (v_actor, 'unlink_' || p_venue, 'venue_credentials', p_venue, p_request_id, p_ip, p_now);
    return true;
end;
$$;
revoke all on function public.unlink_venue from public;
grant execute on function public.unlink_venue to presage_api;
