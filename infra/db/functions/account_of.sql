-- Why: names an account by what it is for: a kind and its owner. Raises PR404 when there is none.
create or replace function public.account_of(p_kind text, p_user_id uuid, p_market_id uuid)
returns bigint
language plpgsql volatile set search_path = ''
as $$
declare
    v_id bigint;
begin
    if p_kind = 'user:cash' then
        if not exists (select from public.users as u where u.id = p_user_id) then
            raise exception using errcode = 'PR404', message = 'there is no such user';
        end if;
        return public.cash_account(p_user_id);
    end if;
    select a.id into v_id from public.accounts as a
    where a.kind = p_kind
      and a.market_id is not distinct from
          case when starts_with(p_kind, 'market:') then p_market_id end;
    if not found then
        raise exception using errcode = 'PR404', message = format('there is no account %s', p_kind);
    end if;
    return v_id;
end;
$$;
revoke execute on function public.account_of(text, uuid, uuid) from public;
