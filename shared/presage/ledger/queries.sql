-- name: get_wallet
-- The caller's free money, and what its open buys hold.
select coalesce((select balance_micros from public.accounts
                 where kind = 'user:cash' and user_id = public.actor_id()), 0) as available_micros,
       coalesce((select sum(remaining_lots * price_bps) from public.orders
                 where user_id = public.actor_id() and is_open and side = 'BUY'), 0)::bigint
           as locked_micros;

-- name: deposit
-- Credit a user from outside, once for each reference.
select public.post_transfer(
    'external', null, 'user:cash', %(user_id)s, null, %(amount_micros)s, 'deposit', %(reference)s,
    %(now)s
) as transfer_id;

-- name: sweep_fees
-- Move a chunk of markets' fees to the platform.
select markets, swept_micros from public.sweep_fees(%(limit)s, %(now)s);

-- name: audit
-- Every violated invariant of the exchange; no row means all hold.
select invariant, subject, detail from public.presage_audit();
