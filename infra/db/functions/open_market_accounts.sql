-- Why a trigger: a market without its accounts and counters could be traded into a loss, so no
-- writer of markets gets the chance to forget them. Taking ids downwards keeps the house below zero.
create or replace function public.open_market_accounts() returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_orders bigint := -nextval('public.account_ids');
    v_escrow bigint := -nextval('public.account_ids');
    v_bonds  bigint := -nextval('public.account_ids');
    v_fees   bigint := -nextval('public.account_ids');
begin
    insert into public.accounts (id, kind, market_id)
    values (v_orders, 'market:orders', new.id), (v_escrow, 'market:escrow', new.id),
           (v_bonds, 'market:bonds', new.id), (v_fees, 'market:fees', new.id);
    insert into public.market_ledgers
        (market_id, orders_account, escrow_account, bonds_account, fees_account)
    values (new.id, v_orders, v_escrow, v_bonds, v_fees);
    insert into public.market_counters (market_id) values (new.id);
    return null;
end;
$$;
revoke execute on function public.open_market_accounts() from public;

create or replace trigger markets_open_their_accounts after insert on public.markets
    for each row execute function public.open_market_accounts();
