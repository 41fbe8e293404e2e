-- name: find_live_transaction
-- What has been signed for a purpose and may still land, or has landed and is not final.
select id, purpose, market_id, signature, raw, last_valid_block_height, status, attempts, error
from public.chain_transactions
where purpose = %(purpose)s and market_id is not distinct from %(market_id)s::uuid
  and status in ('built', 'sent', 'confirmed');

-- name: keep_transaction
-- Persist what was signed, before it leaves; nothing when somebody else was faster.
insert into public.chain_transactions (
    id, purpose, market_id, signature, raw, last_valid_block_height, status, next_attempt_at,
    created_at, updated_at
)
values (
    %(id)s, %(purpose)s, %(market_id)s, %(signature)s, %(raw)s, %(last_valid_block_height)s,
    'built', %(now)s, %(now)s, %(now)s
)
on conflict do nothing
returning id, purpose, market_id, signature, raw, last_valid_block_height, status, attempts, error;

-- name: keep_result
-- What the votes came to that a transaction tells, if it was just kept: in one with that.
insert into public.aggregation_results
    (market_id, kind, yes, no, percentage_bps, passed, purpose, signature, created_at)
select t.market_id, %(kind)s, %(yes)s, %(no)s, o.percentage_bps, o.passed, t.purpose, t.signature,
       %(now)s
from public.chain_transactions as t
cross join lateral public.vote_outcome(%(kind)s, %(yes)s, %(no)s, %(votes)s) as o
where t.id = %(id)s;

-- name: list_due_transactions
-- What is under way and was not looked at for a while, longest first.
select id, purpose, market_id, signature, raw, last_valid_block_height, status, attempts, error
from public.chain_transactions
where status in ('built', 'sent', 'confirmed') and next_attempt_at <= %(now)s
order by next_attempt_at, id
limit %(limit)s;

-- name: count_live_transactions
-- How many are under way.
select count(*) as count
from public.chain_transactions
where status in ('built', 'sent', 'confirmed');

-- name: move_transactions
-- Record what the chain says. What is over stays over: a run that was thought dead changes nothing.
update public.chain_transactions t
set status = m.status, error = m.error, attempts = t.attempts + m.sent,
    next_attempt_at = %(next_attempt_at)s, updated_at = %(now)s
from jsonb_to_recordset(%(moves)s::jsonb) as m (id uuid, status text, error text, sent integer)
where t.id = m.id and t.status in ('built', 'sent', 'confirmed');

-- name: list_due_on_chain
-- Markets on Solana that nothing moves but us, with the votes on their dispute and, where nobody
-- voted, what an admin decided; not those for which a transaction is under way or has just landed, or
-- of which a human was asked and has not decided. The chain's clock may be some seconds behind ours,
-- and would refuse what is too early. A dispute waits for five minutes, half of what is told of as
-- overdue: what its votes come to is sent once, and Helius may tell late of votes cast on chain.
select m.id, c.address, m.state, t.yes, t."no", t.votes, m.dispute_upheld as is_upheld
from public.markets as m
join public.chain_markets as c on c.market_id = m.id
cross join lateral public.market_tally(m.id, 'dispute') as t
where m.due_at <= %(now)s::timestamptz - interval '30 seconds' and m.venue = 'solana'
  and (m.state <> 'DISPUTED' or m.due_at <= %(now)s::timestamptz - interval '5 minutes')
  and not exists (
      select from public.chain_transactions as x
      where x.market_id = m.id and x.purpose = 'finalize_market'
        and (x.status in ('built', 'sent', 'confirmed')
             or (x.status = 'finalized'
                 and x.updated_at > %(now)s::timestamptz - interval '10 minutes')))
  and not (m.state = 'DISPUTED' and t.votes = 0 and m.dispute_upheld is null and exists (
      select from public.escalations as e
      where e.kind = 'resolution' and e.subject = 'dispute:' || m.id))
order by m.due_at, m.id
limit %(limit)s;

-- name: find_place
-- Where a market trades, where its account is on chain, and whether the caller may only close.
select m.venue, m.chain_address, coalesce(u.closed_only, false) as closed_only
from public.markets as m
left join public.users as u on u.id = (select public.actor_id())
where m.id = %(market_id)s;

-- name: keep_unsigned
-- Remember what the caller was given to sign.
insert into public.unsigned_transactions
    (message_hash, user_id, purpose, market_id, last_valid_block_height, created_at)
values (%(message_hash)s, public.actor_id(), %(purpose)s, %(market_id)s,
        %(last_valid_block_height)s, %(now)s)
on conflict do nothing;

-- name: find_unsigned
-- What the caller was given to sign under this hash, and whether the caller may only close.
select t.purpose, t.market_id, t.last_valid_block_height, u.closed_only
from public.unsigned_transactions as t
join public.users as u on u.id = t.user_id
where t.message_hash = %(message_hash)s and t.user_id = (select public.actor_id());

-- name: keep_submission
-- Note that it was relayed.
select public.keep_submission(
    %(message_hash)s, %(signature)s, %(request_id)s, %(ip)s, %(now)s
);
