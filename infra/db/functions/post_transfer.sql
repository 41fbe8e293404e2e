-- Why: money that does not trade (deposits, withdrawals, bonds, corrections) moves here and only
-- here. (kind, reference) is written with the transfer, so a repeat answers the first transfer's id
-- and moves nothing; with another amount or other accounts it is PR411. p_debit_kind is where money
-- leaves; p_market_id names the market of a market account.
-- Raises PR400, PR402 (the debited account does not cover it), PR404, PR411.
create or replace function public.post_transfer(
    p_debit_kind text, p_debit_user uuid, p_credit_kind text, p_credit_user uuid, p_market_id uuid,
    p_amount_micros bigint, p_kind text, p_reference text, p_now timestamptz
) returns bigint
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_now    timestamptz := public.effective_now(p_now);
    v_debit  bigint;
    v_credit bigint;
    v_id     bigint;
begin
    if p_amount_micros is null or p_amount_micros <= 0 then
        raise exception using errcode = 'PR400', column = 'amount', message = 'amount is above zero';
    elsif coalesce(p_reference, '') = '' then
        raise exception using errcode = 'PR400', column = 'reference', message = 'give a reference';
    elsif starts_with(p_debit_kind, 'market:') or starts_with(p_credit_kind, 'market:') then
        perform from public.markets as m where m.id = p_market_id for no key update;
    end if;
    v_debit := public.account_of(p_debit_kind, p_debit_user, p_market_id);
    v_credit := public.account_of(p_credit_kind, p_credit_user, p_market_id);
    if v_debit = v_credit then
        raise exception using errcode = 'PR400', column = 'credit', message = 'the two accounts are one';
    end if;
    perform from public.accounts as a
    where a.id in (v_debit, v_credit) order by a.id for no key update;

    v_id := nextval('public.transfer_ids');
    insert into public.transfer_keys (kind, reference, transfer_id)
    values (p_kind, p_reference, v_id)
    on conflict on constraint transfers_have_one_reference_of_a_kind do nothing;
    if not found then
        select t.id into v_id
        from public.transfer_keys as k
        join public.transfers as t on t.id = k.transfer_id
        where k.kind = p_kind and k.reference = p_reference and t.debit_account = v_debit
          and t.credit_account = v_credit and t.amount_micros = p_amount_micros;
        if not found then
            raise exception using errcode = 'PR411', column = 'reference',
                message = 'this reference was used for another transfer';
        end if;
        return v_id;
    end if;
    if p_debit_kind <> 'external' and p_amount_micros > (
        select a.balance_micros from public.accounts as a where a.id = v_debit
    ) then
        raise exception using errcode = 'PR402', message = 'the account does not cover this';
    end if;
    insert into public.transfers
        (id, debit_account, credit_account, amount_micros, kind, reference, market_id, created_at)
    values (v_id, v_debit, v_credit, p_amount_micros, p_kind, p_reference, p_market_id, v_now);
    update public.accounts as a set
        balance_micros = a.balance_micros
            + case a.id when v_credit then p_amount_micros else -p_amount_micros end
    where a.id in (v_debit, v_credit);
    return v_id;
end;
$$;
revoke execute on function public.post_transfer(
    text, uuid, text, uuid, uuid, bigint, text, text, timestamptz
) from public;
grant execute on function public.post_transfer(
    text, uuid, text, uuid, uuid, bigint, text, text, timestamptz
) to presage_admin, presage_worker;
