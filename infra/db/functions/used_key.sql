-- Why: what a request with this key was answered, or null when the key is new. The caller has locked
-- what copies of one request would both lock; two different requests with one key meet at
-- idempotency_keys_are_used_once, and the loser asks again. Raises PR411 (used with another body).
create or replace function public.used_key(
    p_actor_id uuid, p_route text, p_key text, p_request_hash bytea
) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
    v_first record;
begin
    select k.request_hash, k.result into v_first
    from public.idempotency_keys as k
    where k.actor_id = p_actor_id and k.route = p_route and k.key = p_key;
    if not found then
        return null;
    elsif v_first.request_hash is distinct from p_request_hash then
        raise exception using errcode = 'PR411', column = 'idempotency_key',
            message = 'this key was used with another request';
    end if;
    return v_first.result;
end;
$$;
revoke execute on function public.used_key(uuid, text, text, bytea) from public;
