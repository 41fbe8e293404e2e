"""What the routes of users take and answer.

Shares, prices and money are exact decimals as text, for a chain's numbers exceed what JSON's hold:
money in `currency`, which is SOL on Solana and the collateral's here.
"""

import uuid
from datetime import datetime
from typing import Literal

from presage.identity.models import Address
from presage.schema import CursorRequest, RequestModel, ResponseModel

type Venue = Literal["native", "solana"]


class WalletPath(RequestModel):
    """Whose: an Ethereum address in any spelling, or a Solana one in base58."""

    wallet: Address


class ListOfUser(CursorRequest):
    """A page of what a wallet has; what it has on Solana comes before what it has here."""

    wallet: Address


class VenueStats(ResponseModel):
    """What a wallet did on one venue.

    `profit` is what is known: what was realised here, and on Solana the sum over positions of which
    nothing more can come. Trades and volume here are of the days that were rolled up.
    """

    currency: str
    trades: int
    volume: str
    markets_traded: int
    votes: int
    open_positions: int
    profit: str


class UserProfile(ResponseModel):
    """A wallet. Without a sign-in it has no name and no date.

    `native` is shown to its owner and to admins, and null to others.
    """

    wallet: str
    chain: Literal["evm", "solana"]
    display_name: str | None
    joined_at: datetime | None
    solana: VenueStats
    native: VenueStats | None


class UserPosition(ResponseModel):
    """Both sides of one outcome. Those of the exchange are shown to their owner and to admins.

    `cost` is what is in it: by average here; on Solana what was paid less what was received, while
    it is open. `profit` is what was realised; on Solana it is null until nothing more can come of
    it.
    Slug and question are null where a market on chain took the id of one of ours.
    """

    venue: Venue
    market_id: uuid.UUID
    market_slug: str | None
    question: str | None
    state: str
    outcome: int
    currency: str
    shares_yes: str
    shares_no: str
    is_open: bool
    cost: str
    profit: str | None


class UserTrade(ResponseModel):
    """One fill of an order, or one trade on Solana. The exchange's are its owner's and admins'.

    Here the newest order comes first, and within one its newest fill. `price` is the average of the
    trade, floored; on Solana `amount` is what was paid with its fees, or received.
    """

    venue: Venue
    market_id: uuid.UUID
    outcome: int
    currency: str
    position: Literal["YES", "NO"]
    side: Literal["BUY", "SELL"]
    size: str
    price: str | None
    amount: str
    is_taker: bool
    signature: str | None
    traded_at: datetime


class UserVote(ResponseModel):
    """A vote: cast on chain, or cast here, which is shown to its owner and to admins.

    `vote` is like or support when true. On chain and here the same wallet counts once, the chain's.
    """

    cast: Literal["chain", "here"]
    market_id: uuid.UUID
    kind: Literal["proposal", "dispute"]
    vote: bool
    voted_at: datetime
