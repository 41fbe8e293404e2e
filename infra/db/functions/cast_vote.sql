-- Why: one vote a wallet, market and kind, whatever comes at once; ten tries a user and market. The
-- market's share lock lets votes pass each other and keeps its state while one is cast. A repeat
-- answers the first vote's row; what it means (the same, another, too often) is `decision`, since a
-- raise would take the count of tries back. A vote's time is the later of p_now and the clock, under
-- the lock: one that is not in a count is later than it. A dispute's days are tested by it: nobody
-- votes after them because the monitor was late.
-- Raises PR401, PR403 (no stake in the dispute), PR404, PR410 (not open to votes, or not any more).
create or replace function public.cast_vote(
    p_market_id uuid, p_kind text, p_vote boolean, p_vote_id uuid,
    p_request_id text, p_ip text, p_now timestamptz
) returns table (vote_id uuid, yes numeric, "no" numeric, decision text)
language plpgsql volatile security definer set search_path = ''
as $$
declare
    c_most_tries constant integer := 10;
    v_actor  uuid := public.actor_id();
    v_wallet text;
    v_state  text;
    v_due_at timestamptz;
    v_now    timestamptz;
    v_vote   public.votes;
begin
    select u.address into v_wallet from public.users as u where u.id = v_actor;
    if not found then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    end if;
    select m.state, m.due_at into v_state, v_due_at
    from public.markets as m where m.id = p_market_id for share;
    if not found then
        raise exception using errcode = 'PR404', column = 'market_id',
            message = 'there is no such market';
    end if;
    v_now := public.effective_now(p_now);
    if v_state <> (case p_kind when 'proposal' then 'PROPOSED' else 'DISPUTED' end) then
        raise exception using errcode = 'PR410', column = 'state',
            message = format('a market that is %s takes no votes on a %s', v_state, p_kind);
    elsif p_kind = 'dispute' and v_due_at <= v_now then
        raise exception using errcode = 'PR410', column = 'due_at',
            message = 'the dispute''s three days of votes are over';
    elsif p_kind = 'dispute' and not exists (
        select from public.dispute_weights as w
        where w.market_id = p_market_id and w.wallet = v_wallet and w.weight > 0
    ) then
        raise exception using errcode = 'PR403',
            message = 'only who held more of one side when the dispute began may vote';
    end if;

    insert into public.votes as v (id, market_id, user_id, wallet, kind, vote, created_at)
    values (p_vote_id, p_market_id, v_actor, v_wallet, p_kind, p_vote, v_now)
    on conflict on constraint votes_are_cast_once do update
        set attempts = least(v.attempts + 1, c_most_tries + 1)
    returning v.* into v_vote;
    if v_vote.id = p_vote_id then
        insert into public.audit_log
            (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
        values (v_actor, 'cast_vote', 'market', p_market_id::text, p_request_id, p_ip,
                jsonb_build_object('kind', p_kind, 'vote', p_vote), v_now);
    end if;
    return query select v_vote.id, t.yes, t.no,
        case when v_vote.id = p_vote_id then 'cast'
             when v_vote.attempts > c_most_tries then 'too_many'
             when v_vote.vote = p_vote then 'same'
             else 'other' end
    from public.market_tally(p_market_id, p_kind) as t;
end;
$$;
revoke all on function public.cast_vote from public;
grant execute on function public.cast_vote to presage_api;
