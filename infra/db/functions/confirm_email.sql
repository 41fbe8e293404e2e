-- Why: makes the caller's pending email theirs, if it is still the one whose SHA-256 their signed
-- link names; opening the link again answers the same. Definer: presage_api may not write an email,
-- which is a proof. Raises PR400 (token), PR409 (another user has confirmed this address).
create or replace function public.confirm_email(
    p_email_hash bytea, p_request_id text, p_ip text, p_now timestamptz
) returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_user public.users;
begin
    select u.* into v_user from public.users as u
    where u.id = public.actor_id()
    for no key update;
    if sha256(convert_to(v_user.email, 'UTF8')) = p_email_hash and v_user.email_pending is null then
        return;
    elsif sha256(convert_to(v_user.email_pending, 'UTF8')) is distinct from p_email_hash then
        raise exception using errcode = 'PR400', column = 'token',
            message = 'this link is for an address that is no longer asked for';
    end if;
    begin
        update public.users as u set email = u.email_pending, email_pending = null
        where u.id = v_user.id;
    exception when unique_violation then
        raise exception using errcode = 'PR409', column = 'email',
            message = 'another account has this address';
    end;
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, created_at)
    values (v_user.id, 'confirm_email', 'user', v_user.id::text, p_request_id, p_ip, p_now);
end;
$$;
revoke all on function public.confirm_email from public;
grant execute on function public.confirm_email to presage_api;
