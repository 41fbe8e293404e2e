"""Casting votes and showing how they stand. What they decide is aggregation.py's."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from presage.adapters import redis
from presage.call import Call
from presage.clock import floor_to
from presage.db import connection
from presage.db.queries import beside
from presage.errors import ConflictError, NotFoundError, RateLimitedError
from presage.routes import ROUTES
from presage.votes.models import (
    DisputeCount,
    DisputeVoted,
    Kind,
    MarketPath,
    ProposalCount,
    ProposalVoted,
    VoteOnDispute,
    VoteOnProposal,
    VotesView,
)

ATTEMPTS = 10
TALLY_S = 86_400
_queries = beside(__file__)


@dataclass(frozen=True)
class _Cast:
    vote_id: uuid.UUID
    yes: Decimal
    no: Decimal
    decision: Literal["cast", "same", "other", "too_many"]


@dataclass(frozen=True)
class _Standing:
    market_id: uuid.UUID
    kind: Kind
    is_open: bool
    yes: Decimal
    no: Decimal
    votes: int
    percentage_bps: int
    threshold_bps: int
    passed: bool
    voting_ends_at: datetime | None


def vote_on_proposal(call: Call, request: VoteOnProposal) -> ProposalVoted:
    """Like or dislike a proposed market; the same vote again answers the first.

    Raises:
        NotFoundError: there is no such market.
        InvalidStateError: it is not PROPOSED.
        ConflictError: the wallet has voted otherwise.
        RateLimitedError: it has tried ten times.
    """
    row = _cast(call, request.market_id, "proposal", is_yes=request.vote == "like")
    return ProposalVoted(vote_id=row.vote_id, vote_count=_likes(row))


def vote_on_dispute(call: Call, request: VoteOnDispute) -> DisputeVoted:
    """Support or reject a dispute, with the weight of what the wallet held when it began.

    Raises:
        NotFoundError: there is no such market.
        InvalidStateError: it is not DISPUTED, or its three days are over.
        ForbiddenError: the wallet had no stake in the answer.
        ConflictError: it has voted otherwise.
        RateLimitedError: it has tried ten times.
    """
    row = _cast(call, request.market_id, "dispute", is_yes=request.vote == "support")
    return DisputeVoted(vote_id=row.vote_id, vote_count=_weights(row))


def get_votes(call: Call, request: MarketPath) -> VotesView:
    """How the vote on a market stands.

    Raises:
        NotFoundError: there is no such market.
    """
    params = {"market_id": request.market_id, "now": call.now}
    row = connection.fetch_one(call, _queries["get_votes"], _Standing, params)
    if row is None:
        raise NotFoundError("There is no such market.", field="marketId")
    call.cache_tag = _tag(request.market_id)
    call.told.extend(tally_commands(row.market_id, row.kind, row.yes, row.no))
    slot_s = ROUTES["vote_aggregation"].slot_s
    passed_s = (call.now - floor_to(call.now, slot_s)).total_seconds()
    return VotesView(
        market_id=row.market_id,
        kind=row.kind,
        is_open=row.is_open,
        proposal=_likes(row) if row.kind == "proposal" else None,
        dispute=_weights(row) if row.kind == "dispute" else None,
        votes=row.votes,
        percentage_bps=row.percentage_bps,
        threshold_bps=row.threshold_bps,
        passed=row.passed,
        time_remaining_seconds=int(slot_s - passed_s) if row.is_open else None,
        voting_ends_at=row.voting_ends_at,
    )


def tally_commands(
    market_id: uuid.UUID, kind: Kind, yes: Decimal, no: Decimal
) -> list[redis.Command]:
    """What keeps the displayed tally in Redis as Postgres has it."""
    return [
        ("SET", f"vote_tally:{market_id}:{kind}:{side}", str(int(count)), "EX", TALLY_S)
        for side, count in (("yes", yes), ("no", no))
    ]


def _cast(call: Call, market_id: uuid.UUID, kind: Kind, *, is_yes: bool) -> _Cast:
    params = {
        "market_id": market_id,
        "kind": kind,
        "vote": is_yes,
        "vote_id": uuid.uuid4(),
        "request_id": call.request_id,
        "ip": call.ip,
        "now": call.now,
    }
    row = connection.fetch_one(call, _queries["cast_vote"], _Cast, params)
    if row is None:
        raise LookupError("cast_vote answers a row or raises")
    match row.decision:
        case "too_many":
            raise RateLimitedError(f"A market takes {ATTEMPTS} tries of a wallet.")
        case "other":
            raise ConflictError("This wallet has voted otherwise.", field="vote")
        case "cast":
            call.changed_tags.append(_tag(market_id))
            call.told.extend(tally_commands(market_id, kind, row.yes, row.no))
        case "same":
            call.headers["Idempotent-Replayed"] = "true"
    return row


def _tag(market_id: uuid.UUID) -> str:
    return f"votes:{market_id}"


def _likes(row: _Cast | _Standing) -> ProposalCount:
    return ProposalCount(likes=int(row.yes), dislikes=int(row.no))


def _weights(row: _Cast | _Standing) -> DisputeCount:
    return DisputeCount(support=str(int(row.yes)), reject=str(int(row.no)))
