-- Takes a ticket, once: the update's row lock lets one of many concurrent uses through. Answers
-- whose it was, or no row. Definer: the caller is not known before.
create or replace function public.consume_ws_ticket(p_ticket_hash bytea, p_now timestamptz)
returns table (user_id uuid, address text, role text)
language sql volatile security definer set search_path = ''
as $$
    with taken as (
        update public.ws_tickets as t set consumed_at = p_now
        where t.ticket_hash = p_ticket_hash and t.consumed_at is null and t.expires_at > p_now
        returning t.user_id
    )
    select u.id, u.address, u.role from taken as t join public.users as u on u.id = t.user_id;
$$;
revoke all on function public.consume_ws_ticket from public;
grant execute on function public.consume_ws_ticket to presage_api, presage_worker;
