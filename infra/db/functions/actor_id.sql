-- Why: every policy calls this one predicate. After one SET LOCAL the setting of a pooled
-- connection is the empty string, not null: both mean nobody.
create or replace function public.actor_id() returns uuid
language sql stable parallel safe set search_path = ''
as $$
    select nullif(current_setting('presage.user_id', true), '')::uuid
$$;
revoke execute on function public.actor_id() from public;
grant execute on function public.actor_id() to presage_api, presage_admin, presage_worker;
