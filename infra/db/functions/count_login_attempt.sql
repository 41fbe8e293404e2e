-- Counts tries on login routes while Redis is down. Definer: the caller is anonymous.
create or replace function public.count_login_attempt(p_bucket text, p_now timestamptz)
returns integer
language sql volatile security definer set search_path = ''
as $$
    insert into public.login_attempts as a (bucket, window_start, attempts)
    values (p_bucket, date_trunc('minute', p_now), 1)
    on conflict (bucket, window_start) do update set attempts = a.attempts + 1
    returning attempts;
$$;
revoke all on function public.count_login_attempt from public;
grant execute on function public.count_login_attempt to presage_api;
