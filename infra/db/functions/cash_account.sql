-- Why: a person's cash account opens with the first money that reaches it; two deposits at once
-- must open one. Answers its id.
create or replace function public.cash_account(p_user_id uuid) returns bigint
language plpgsql volatile set search_path = ''
as $$
declare
    v_id bigint;
begin
    select a.id into v_id from public.accounts as a where a.user_id = p_user_id;
    if found then
        return v_id;
    end if;
    insert into public.accounts (id, kind, user_id)
    values (nextval('public.account_ids'), 'user:cash', p_user_id)
    on conflict on constraint accounts_are_one_for_each_owner do nothing;
    select a.id into strict v_id from public.accounts as a where a.user_id = p_user_id;
    return v_id;
end;
$$;
revoke execute on function public.cash_account(uuid) from public;
