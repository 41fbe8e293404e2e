-- Why: linking by itself and linking with a sign-in store alike, each in its own transaction. The
-- caller has found out who the user is.
create or replace function public.put_venue_credentials(
    p_user_id uuid, p_venue text, p_key_id text, p_nonce bytea, p_ciphertext bytea,
    p_now timestamptz
) returns void
language sql volatile set search_path = ''
as $$
    insert into public.venue_credentials as c
        (user_id, venue, key_id, nonce, ciphertext, created_at, updated_at)
    values (p_user_id, p_venue, p_key_id, p_nonce, p_ciphertext, p_now, p_now)
    on conflict (user_id, venue) do update
    set key_id = excluded.key_id, nonce = excluded.nonce, ciphertext = excluded.ciphertext,
        updated_at = excluded.updated_at;
$$;
revoke all on function public.put_venue_credentials from public;
