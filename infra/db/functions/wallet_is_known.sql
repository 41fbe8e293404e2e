-- Why definer: whether anybody signed in with a wallet, or it did something on chain.
create or replace function public.wallet_is_known(p_wallet text) returns boolean
language sql stable security definer set search_path = ''
as $$
    select public.find_wallet(
            case when p_wallet like '0x%' then 'evm' else 'solana' end, p_wallet) is not null
        or exists (select from public.chain_events as e where e.wallet = p_wallet)
$$;
revoke execute on function public.wallet_is_known(text) from public;
grant execute on function public.wallet_is_known(text)
    to presage_api, presage_admin, presage_worker;
