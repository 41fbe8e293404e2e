-- name: cast_vote
-- Cast the caller's vote, or answer what it cast before.
select vote_id, yes, "no", decision
from public.cast_vote(
    %(market_id)s, %(kind)s, %(vote)s, %(vote_id)s, %(request_id)s, %(ip)s, %(now)s
);

-- name: get_votes
-- How the vote on a market stands; a market that was ever disputed shows its dispute.
select m.id as market_id, k.kind,
       m.state = case k.kind when 'proposal' then 'PROPOSED' else 'DISPUTED' end
           and (m.due_at <= %(now)s) is not true as is_open,
       t.yes, t."no", t.votes, o.percentage_bps, o.threshold_bps, o.passed,
       case when m.state = 'DISPUTED' then m.due_at end as voting_ends_at
from public.markets as m
cross join lateral (
    select case when m.disputed_at is null then 'proposal' else 'dispute' end as kind) as k
cross join lateral public.market_tally(m.id, k.kind) as t
cross join lateral public.vote_outcome(k.kind, t.yes, t."no", t.votes) as o
where m.id = %(market_id)s;

-- name: list_open_votes
-- Markets with something to do about their votes, by id; those whose turn has not come are left out,
-- but for a dead letter that is due: what this does not list would be settled with nobody's try.
-- A proposal on Solana is told to the chain, which is asked again when the chain has not got it a
-- quarter of an hour later, and approved once the chain has it, where the platform is its admin.
with open as materialized (
    -- Most proposals have no vote at all, most others none that is new: they cost a look at an index
    -- and no count. Here votes and counts have their times under the market's lock, and five seconds
    -- are for clocks that differ; the chain's votes come when they come.
    select m.id, m.venue, k.kind
    from public.markets as m
    cross join lateral (
        select case m.state when 'PROPOSED' then 'proposal' else 'dispute' end as kind) as k
    left join public.vote_tallies as l on l.market_id = m.id and l.kind = k.kind
    where m.state in ('PROPOSED', 'DISPUTED')
      and (%(after)s::uuid is null or m.id > %(after)s)
      and (exists (
               select from public.votes as v
               where v.market_id = m.id and v.kind = k.kind
                 and v.created_at > case m.venue
                     when 'native' then coalesce(l.told_at - interval '5 seconds', '-infinity')
                     else '-infinity' end)
           or (m.venue = 'solana' and exists (
               select from public.chain_markets as c
               join public.chain_votes as v on v.market = c.market
               where c.market_id = m.id)))
)
select m.id, m.venue, m.kind, t.yes, t."no", t.votes, c.address,
       o.passed and (t.yes, t."no") is not distinct from (c.likes, c.dislikes) as is_told,
       (select min(v.created_at)
        from public.votes as v
        where v.market_id = m.id and v.kind = m.kind
          and v.created_at > coalesce(l.told_at, '-infinity')) as waiting_since
from open as m
left join public.vote_tallies as l on l.market_id = m.id and l.kind = m.kind
left join public.chain_markets as c on c.market_id = m.id and m.venue = 'solana'
cross join lateral public.market_tally(m.id, m.kind) as t
cross join lateral public.vote_outcome(m.kind, t.yes, t."no", t.votes) as o
where (m.venue = 'native' or c.market is not null)
  and t.votes > 0
  and (coalesce(l.next_attempt_at <= %(now)s, true)
       or exists (
           select from public.dead_letters as d
           where d.workflow = 'vote_aggregation' and d.item = m.id::text
             and d.status = 'pending' and d.next_attempt_at <= %(now)s))
  and case
      when m.venue = 'native' or m.kind = 'dispute'
          then (t.yes, t."no") is distinct from (l.told_yes, l.told_no)
      when exists (
          select from public.chain_transactions as x
          where x.market_id = m.id and x.purpose in ('aggregate_proposal_votes', 'approve_proposal')
            and (x.status in ('built', 'sent', 'confirmed')
                 or (x.purpose = 'approve_proposal' and x.status = 'finalized'
                     and x.updated_at > %(now)s::timestamptz - interval '10 minutes'))) then false
      when (t.yes, t."no") is not distinct from (c.likes, c.dislikes)
          then o.passed and exists (
              select from public.chain_config as g where g.admin = %(authority)s)
      else (t.yes, t."no") is distinct from (l.told_yes, l.told_no)
          or l.told_at <= %(now)s::timestamptz - interval '15 minutes'
  end
order by m.id
limit %(limit)s;

-- name: claim_tally
-- Take a market's lease for a minute, unless another run has it; the token that goes with it.
insert into public.vote_tallies as t (market_id, kind, fence, leased_until)
values (%(market_id)s, %(kind)s, 1, %(now)s::timestamptz + interval '1 minute')
on conflict on constraint vote_tallies_are_one_each do update
    set fence = t.fence + 1, leased_until = excluded.leased_until
    where coalesce(t.leased_until <= %(now)s, true)
returning fence;

-- name: record_tally
-- Keep what was counted, and move a native market that it decides.
select changed, passed
from public.record_tally(
    %(market_id)s, %(kind)s, %(fence)s, %(yes)s, %(no)s, %(votes)s, %(is_sent)s, %(request_id)s,
    %(ip)s, %(now)s
);

-- name: postpone_tally
-- After a failure: give the lease back and come again in 5, 10, then every 20 minutes.
update public.vote_tallies as t
set failures = t.failures + 1, leased_until = null,
    next_attempt_at = %(now)s::timestamptz
        + make_interval(mins => (array[5, 10, 20])[least(t.failures + 1, 3)])
where t.market_id = %(market_id)s and t.kind = %(kind)s and t.fence = %(fence)s;
