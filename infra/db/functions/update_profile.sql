-- Why: changes how the caller is shown and reached, all of it or nothing. p_changes holds what was
-- given of display_name, language and email; an email that is not confirmed yet becomes pending and
-- `is_mail_due`. At most three mails an hour go out for one user and six to one address, whoever asks
-- (a wallet costs nothing): past that nothing changes and `retry_after_s` says when to come again.
-- Raises PR401.
create or replace function public.update_profile(
    p_changes jsonb, p_request_id text, p_ip text, p_now timestamptz
) returns table (
    id uuid, address text, display_name text, language text, email text, email_pending text,
    is_mail_due boolean, retry_after_s integer
)
language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
declare
    c_per_user    constant integer  := 3;
    c_per_address constant integer  := 6;
    c_hour        constant interval := interval '1 hour';
    v_email   text := p_changes ->> 'email';
    v_user    public.users;
    v_is_due  boolean;
    v_sent    timestamptz[];
    v_until   timestamptz;
    v_changes jsonb := p_changes - 'email';
begin
    select u.* into v_user from public.users as u
    where u.id = public.actor_id()
    for no key update;
    if not found then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    end if;
    v_is_due := v_email is not null and v_email is distinct from v_user.email;
    if v_is_due then
        v_sent := array(
            select s.at from unnest(v_user.email_sent_at) as s (at)
            where s.at > p_now - c_hour
            order by s.at);
        if cardinality(v_sent) >= c_per_user then
            v_until := v_sent[1] + c_hour;
        else
            insert into public.login_attempts as a (bucket, window_start, attempts)
            values (
                'email:' || encode(sha256(convert_to(lower(v_email), 'UTF8')), 'hex'),
                date_trunc('hour', p_now), 1
            )
            on conflict (bucket, window_start) do update set attempts = a.attempts + 1
                where a.attempts < c_per_address;
            if not found then
                v_until := date_trunc('hour', p_now) + c_hour;
            end if;
        end if;
    end if;
    if v_until is not null then
        return query select v_user.id, v_user.address, v_user.display_name, v_user.language,
            v_user.email, v_user.email_pending, false,
            greatest(1, ceil(extract(epoch from v_until - p_now)))::integer;
        return;
    end if;

    update public.users as u
    set display_name = case when p_changes ? 'display_name' then p_changes ->> 'display_name'
                            else u.display_name end,
        language = coalesce(p_changes ->> 'language', u.language),
        email = case when p_changes ? 'email' and v_email is null then null else u.email end,
        email_pending = case when not p_changes ? 'email' then u.email_pending
                             when v_is_due then v_email end,
        email_sent_at = case when v_is_due then v_sent || p_now else u.email_sent_at end
    where u.id = v_user.id
    returning u.* into v_user;

    if p_changes ? 'email' then
        v_changes := v_changes || jsonb_build_object(
            'email', case when v_email is null then 'removed'
                          when v_is_due then 'pending'
                          else 'kept' end);
    end if;
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        v_user.id, 'update_profile', 'user', v_user.id::text, p_request_id, p_ip, v_changes, p_now
    );
    return query select v_user.id, v_user.address, v_user.display_name, v_user.language,
        v_user.email, v_user.email_pending, v_is_due, null::integer;
end;
$$;
revoke all on function public.update_profile from public;
grant execute on function public.update_profile to presage_api;
