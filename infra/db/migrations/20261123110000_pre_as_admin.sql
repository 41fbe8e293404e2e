-- Whether an admin asks as one is told by the caller: a key without the scope admin is no admin's.
-- Functions whose parameters grow must go before they come; what is new is optional, so code from
-- before goes on.
drop function if exists public.delete_comment(bigint, text, text, timestamptz);
drop function if exists public.move_market(
    uuid, text, text, integer[], jsonb, integer, integer, text, text, timestamptz
);
