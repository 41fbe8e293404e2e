"""What vote routes take and answer."""

import uuid
from datetime import datetime
from typing import Literal

from presage.schema import RequestModel, ResponseModel

type Kind = Literal["proposal", "dispute"]


class VoteOnProposal(RequestModel):
    """Whether a proposed market should come to be."""

    market_id: uuid.UUID
    vote: Literal["like", "dislike"]


class VoteOnDispute(RequestModel):
    """Whether a disputed outcome should be another."""

    market_id: uuid.UUID
    vote: Literal["support", "reject"]


class MarketPath(RequestModel):
    """Which market."""

    market_id: uuid.UUID


class ProposalCount(ResponseModel):
    """Votes, one a wallet."""

    likes: int
    dislikes: int


class DisputeCount(ResponseModel):
    """Votes by weight: lots on the exchange, units of 1/1,000,000,000 share on Solana, as text."""

    support: str
    reject: str


class ProposalVoted(ResponseModel):
    """The caller's vote, and the count that includes it."""

    vote_id: uuid.UUID
    vote_count: ProposalCount


class DisputeVoted(ResponseModel):
    """The caller's vote, and the weights that include it."""

    vote_id: uuid.UUID
    vote_count: DisputeCount


class VotesView(ResponseModel):
    """How the vote on a market stands: on its proposal, or on its dispute once there is one.

    `percentageBps` is floored. A proposal also needs ten votes, of which `votes` counts how many
    there are. `timeRemainingSeconds` is the time to the next count while the vote is open.
    """

    market_id: uuid.UUID
    kind: Kind
    is_open: bool
    proposal: ProposalCount | None
    dispute: DisputeCount | None
    votes: int
    percentage_bps: int
    threshold_bps: int
    passed: bool
    time_remaining_seconds: int | None
    voting_ends_at: datetime | None
