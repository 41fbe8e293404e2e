-- What no code that is deployed calls any more.
drop function if exists public.wallet_shares_traded(text, text, bigint[]);
