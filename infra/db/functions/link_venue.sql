-- Why: stores or replaces the caller's encrypted credentials for a venue. Definer: nobody may write
-- the table itself, where a wrong nonce or key id would lose a secret. Raises PR401.
create or replace function public.link_venue(
    p_venue text, p_key_id text, p_nonce bytea, p_ciphertext bytea,
    p_request_id text, p_ip text, p_now timestamptz
) returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_actor uuid := public.actor_id();
begin
    if v_actor is null then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    end if;
    perform public.put_venue_credentials(v_actor, p_venue, p_key_id, p_nonce, p_ciphertext, p_now);
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        v_actor, 'link_' || p_venue, 'venue_credentials', p_venue, p_request_id, p_ip,
        jsonb_build_object('key_id', p_key_id), p_now
    );
end;
$$;
revoke all on function public.link_venue from public;
grant execute on function public.link_venue to presage_api;
