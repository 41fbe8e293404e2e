-- Why: nobody trades after the close because a caller's clock was slow, so the later of p_now and
-- the server's clock rules; a replay has a clock of its own (ALTER DATABASE ... SET presage.clock).
create or replace function public.effective_now(p_now timestamptz) returns timestamptz
language sql volatile set search_path = ''
as $$
    select case when current_setting('presage.clock', true) = 'replay' then p_now
                else greatest(p_now, clock_timestamp()) end
$$;
revoke execute on function public.effective_now(timestamptz) from public;
grant execute on function public.effective_now(timestamptz)
    to presage_api, presage_admin, presage_worker;
