-- What a count of votes comes to, in one place: a proposal needs 70 % of at least ten votes, a
-- dispute 60 % by weight. The share is floored: 6,999.9 is not 7,000. No votes are a share of 0.
create or replace function public.vote_outcome(
    p_kind text, p_yes numeric, p_no numeric, p_votes bigint
) returns table (percentage_bps integer, threshold_bps integer, passed boolean)
language sql immutable set search_path = ''
as $$
    select s.share, r.threshold, s.share >= r.threshold and p_votes >= r.least_votes
    from (select coalesce(trunc(p_yes * 10000 / nullif(p_yes + p_no, 0)), 0)::integer as share) as s
    join (values ('proposal', 7000, 10), ('dispute', 6000, 1)) as r (kind, threshold, least_votes)
        on r.kind = p_kind
$$;
revoke all on function public.vote_outcome from public;
grant execute on function public.vote_outcome to presage_api, presage_admin, presage_worker;
