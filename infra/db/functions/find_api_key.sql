-- Whose live key this is, by its hash. Definer: it answers who the caller is, so it runs before the
-- caller is known. It notes the use at most once a minute, and passes over a row that another
-- request is noting: a burst must not queue behind one row.
create or replace function public.find_api_key(p_key_hash bytea, p_now timestamptz)
returns table (
    user_id uuid, address text, role text, expires_at timestamptz, scopes text[],
    ip_allow_list text[]
)
language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
begin
    update public.api_keys as k set last_used_at = p_now
    where k.id = (
        select l.id from public.api_keys as l
        where l.key_hash = p_key_hash and l.revoked_at is null
          and (l.expires_at is null or l.expires_at > p_now)
          and (l.last_used_at is null or l.last_used_at <= p_now - interval '1 minute')
        for no key update skip locked
    );
    return query
    select u.id, u.address, u.role, k.expires_at, k.scopes, k.ip_allow_list::text[]
    from public.api_keys as k
    join public.users as u on u.id = k.user_id
    where k.key_hash = p_key_hash and k.revoked_at is null
      and (k.expires_at is null or k.expires_at > p_now);
end;
$$;
revoke all on function public.find_api_key from public;
grant execute on function public.find_api_key to presage_api, presage_admin;
