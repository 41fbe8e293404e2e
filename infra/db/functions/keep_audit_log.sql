-- Why a trigger: no role but the owner could change the log, and definer functions run as the owner.
create or replace function public.keep_audit_log() returns trigger
language plpgsql volatile set search_path = ''
as $$
begin
    raise exception using errcode = 'PR403', message = 'the audit log is append only';
end;
$$;
revoke execute on function public.keep_audit_log() from public;

create or replace trigger audit_log_is_append_only
    before update or delete or truncate on public.audit_log
    for each statement execute function public.keep_audit_log();
