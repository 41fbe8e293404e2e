-- Consumes a challenge and opens a session, once: the update's row lock lets one of many
-- concurrent uses through. Definer: the user does not exist or is not signed in yet.
-- Credentials are encrypted for p_user_id: when the wallet turns out to be another user's (it signed
-- in for the first time at this very moment) nothing is kept. Raises PR409.
create or replace function public.sign_in(
    p_nonce text, p_address text, p_message text, p_user_id uuid, p_token_hash bytea,
    p_is_bootstrap_admin boolean, p_ip text, p_request_id text,
    p_now timestamptz, p_expires_at timestamptz,
    p_key_id text default null, p_credential_nonce bytea default null,
    p_ciphertext bytea default null
) returns table (
    user_id uuid, address text, display_name text, role text, expires_at timestamptz,
    polymarket_linked boolean
)
language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
declare
    c_venue constant text := 'polymarket';
    v_chain text;
    v_user  public.users;
begin
    update public.auth_challenges c
    set consumed_at = p_now
    where c.nonce = p_nonce
      and c.address = p_address
      and c.message = p_message
      and c.consumed_at is null
      and c.expires_at > p_now
    returning c.chain into v_chain;
    if not found then
        return;
    end if;

    -- The no-op update makes RETURNING answer an existing row too.
    insert into public.users as u (id, address, chain, role, created_at)
    values (
        p_user_id, p_address, v_chain,
        case when p_is_bootstrap_admin then 'super_admin' else 'user' end, p_now
    )
    on conflict on constraint users_have_one_row_per_wallet do update
        set role = case when p_is_bootstrap_admin then 'super_admin' else u.role end
    returning u.* into v_user;

    insert into public.sessions (token_hash, user_id, created_at, expires_at)
    values (p_token_hash, v_user.id, p_now, p_expires_at);

    if p_ciphertext is not null then
        if v_user.id <> p_user_id then
            raise exception using errcode = 'PR409',
                message = 'this wallet is signing in for the first time elsewhere: try again';
        end if;
        perform public.put_venue_credentials(
            v_user.id, c_venue, p_key_id, p_credential_nonce, p_ciphertext, p_now);
    end if;

    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        v_user.id, 'connect_wallet', 'user', v_user.id::text, p_request_id, p_ip,
        case when p_ciphertext is null then '{}'
             else jsonb_build_object('linked', c_venue, 'key_id', p_key_id) end,
        p_now
    );

    return query select v_user.id, v_user.address, v_user.display_name, v_user.role, p_expires_at,
        exists (
            select from public.venue_credentials as k
            where k.user_id = v_user.id and k.venue = c_venue
        );
end;
$$;
revoke all on function public.sign_in from public;
grant execute on function public.sign_in to presage_api;
