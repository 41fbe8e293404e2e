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

-- name: create_deposit
-- Announce money that was sent from outside; another id than the given one is a repeat's.
select id, seq, user_id, method, currency, amount_micros, rate_micros, credited_micros,
       sender_reference, sender_number, status, reason, created_at, expires_at, decided_at,
       decided_by
from public.create_deposit(
    %(deposit_id)s, %(method)s, %(currency)s, %(collateral)s, %(amount_micros)s,
    %(sender_reference)s, %(sender_number)s, %(key)s, %(request_hash)s, %(request_id)s, %(ip)s,
    %(now)s
);

-- name: list_deposits
-- One page of the caller's deposits, newest first; a pending one whose day is over shows as expired.
select id, seq, user_id, method, currency, amount_micros, rate_micros, credited_micros,
       sender_reference, sender_number,
       case when status = 'pending' and expires_at <= n.now then 'expired' else status end as status,
       reason, created_at, expires_at, decided_at, decided_by
from public.deposits
cross join (select public.effective_now(%(now)s) as now offset 0) n
where user_id = (select public.actor_id())
  and (%(status)s::text is null or status = %(status)s::text
       or (%(status)s::text = 'expired' and status = 'pending'))
  and (%(status)s::text is null or %(status)s::text not in ('pending', 'expired')
       or status <> 'pending' or (expires_at <= n.now) = (%(status)s::text = 'expired'))
  and (%(mark)s::bigint is null or seq < %(mark)s::bigint)
order by seq desc
limit %(limit)s;

-- name: list_all_deposits
-- One page of everybody's deposits, newest first: a walk of the index for each stored status.
select x.id, x.seq, x.user_id, x.method, x.currency, x.amount_micros, x.rate_micros,
       x.credited_micros, x.sender_reference, x.sender_number,
       case when x.status = 'pending' and x.expires_at <= n.now then 'expired' else x.status end
           as status,
       x.reason, x.created_at, x.expires_at, x.decided_at, x.decided_by
from (select public.effective_now(%(now)s) as now offset 0) n
cross join unnest(%(stored)s::text[]) as s (status)
cross join lateral (
    select d.*
    from public.deposits d
    where d.status = s.status
      and (%(status)s::text is distinct from 'expired' or d.status = 'expired'
           or d.expires_at <= n.now)
      and (%(mark)s::bigint is null or d.seq < %(mark)s::bigint)
    order by d.seq desc
    limit %(limit)s
) x
order by x.seq desc
limit %(limit)s;

-- name: list_pending_deposits
-- One page of the deposits that wait for an admin, oldest first.
select id, seq, user_id, method, currency, amount_micros, rate_micros, credited_micros,
       sender_reference, sender_number, status, reason, created_at, expires_at, decided_at,
       decided_by
from public.deposits
cross join (select public.effective_now(%(now)s) as now offset 0) n
where status = 'pending' and expires_at > n.now
  and (%(mark)s::bigint is null or seq > %(mark)s::bigint)
order by seq
limit %(limit)s;

-- name: decide_deposit
-- Verify or reject a deposit.
select id, seq, user_id, method, currency, amount_micros, rate_micros, credited_micros,
       sender_reference, sender_number, status, reason, created_at, expires_at, decided_at,
       decided_by
from public.decide_deposit(
    %(deposit_id)s, %(is_verified)s, %(reason)s, %(request_id)s, %(ip)s, %(now)s
);

-- name: expire_deposits
-- Mark a chunk of the deposits whose day is over.
select public.expire_deposits(%(limit)s, %(request_id)s, %(ip)s, %(now)s) as expired;

-- name: create_withdrawal
-- Take money out of the balance, to be paid outside; another id than the given one is a repeat's.
select id, seq, user_id, method, currency as payout_currency, amount_micros, rate_micros,
       payout_micros, destination, status, external_reference, reason, created_at, decided_at,
       decided_by
from public.create_withdrawal(
    %(withdrawal_id)s, %(method)s, %(collateral)s, %(amount_micros)s, %(destination)s, %(key)s,
    %(request_hash)s, %(request_id)s, %(ip)s, %(now)s
);

-- name: list_withdrawals
-- One page of the caller's withdrawals, newest first.
select id, seq, user_id, method, currency as payout_currency, amount_micros, rate_micros,
       payout_micros, destination, status, external_reference, reason, created_at, decided_at,
       decided_by
from public.withdrawals
where user_id = (select public.actor_id())
  and (%(status)s::text is null or status = %(status)s::text)
  and (%(mark)s::bigint is null or seq < %(mark)s::bigint)
order by seq desc
limit %(limit)s;

-- name: list_all_withdrawals
-- One page of everybody's withdrawals, newest first: a walk of the index for each status.
select x.id, x.seq, x.user_id, x.method, x.currency as payout_currency, x.amount_micros,
       x.rate_micros, x.payout_micros, x.destination, x.status, x.external_reference, x.reason,
       x.created_at, x.decided_at, x.decided_by
from unnest(%(stored)s::text[]) as s (status)
cross join lateral (
    select w.*
    from public.withdrawals w
    where w.status = s.status and (%(mark)s::bigint is null or w.seq < %(mark)s::bigint)
    order by w.seq desc
    limit %(limit)s
) x
order by x.seq desc
limit %(limit)s;

-- name: list_pending_withdrawals
-- One page of the withdrawals that wait for an admin, oldest first.
select id, seq, user_id, method, currency as payout_currency, amount_micros, rate_micros,
       payout_micros, destination, status, external_reference, reason, created_at, decided_at,
       decided_by
from public.withdrawals
where status = 'pending' and (%(mark)s::bigint is null or seq > %(mark)s::bigint)
order by seq
limit %(limit)s;

-- name: decide_withdrawal
-- Complete or reject a withdrawal.
select id, seq, user_id, method, currency as payout_currency, amount_micros, rate_micros,
       payout_micros, destination, status, external_reference, reason, created_at, decided_at,
       decided_by
from public.decide_withdrawal(
    %(withdrawal_id)s, %(is_completed)s, %(external_reference)s, %(reason)s, %(request_id)s,
    %(ip)s, %(now)s
);

-- name: get_rate
-- The latest rate of a currency.
select base, quote, rate_micros, source, observed_at
from public.exchange_rates
where base = %(base)s and quote = %(quote)s
order by observed_at desc, id desc
limit 1;

-- name: store_rate
-- Add a rate as it was observed.
select base, quote, rate_micros, source, observed_at
from public.store_rate(
    %(base)s, %(quote)s, %(rate_micros)s, %(source)s, %(observed_at)s, %(request_id)s, %(ip)s,
    %(now)s
);

-- name: list_ledger
-- One page of the transfers of the caller's cash, newest first: what came in and what went out are
-- two walks of two indexes. The cash beside them is of the same moment.
with own as materialized (
    select a.id, a.balance_micros from public.accounts a
    where a.user_id = (select public.actor_id()) and a.kind = 'user:cash'
)
select x.id, x.kind, x.amount_micros, x.reference, x.market_id, x.created_at,
       (select o.balance_micros from own o) as cash_micros
from (
    (
        select t.id, t.kind, t.amount_micros, t.reference, t.market_id, t.created_at
        from public.transfers t
        where t.credit_account = (select o.id from own o) and t.credit_account > 0
          and (%(before)s::bigint is null or t.id < %(before)s::bigint)
          and (%(kind)s::text is null or t.kind = %(kind)s::text)
          and (%(made_from)s::timestamptz is null or t.created_at >= %(made_from)s::timestamptz)
          and (%(made_to)s::timestamptz is null or t.created_at < %(made_to)s::timestamptz)
        order by t.id desc
        limit %(limit)s
    )
    union all
    (
        select t.id, t.kind, -t.amount_micros, t.reference, t.market_id, t.created_at
        from public.transfers t
        where t.debit_account = (select o.id from own o) and t.debit_account > 0
          and (%(before)s::bigint is null or t.id < %(before)s::bigint)
          and (%(kind)s::text is null or t.kind = %(kind)s::text)
          and (%(made_from)s::timestamptz is null or t.created_at >= %(made_from)s::timestamptz)
          and (%(made_to)s::timestamptz is null or t.created_at < %(made_to)s::timestamptz)
        order by t.id desc
        limit %(limit)s
    )
) x
order by x.id desc
limit %(limit)s;
