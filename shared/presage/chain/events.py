"""The programme's events. An event's data is its discriminator and then its fields in Borsh.

Discriminators are Anchor's: the first eight bytes of sha256("event:Name"). Amounts are in units of
1/1,000,000,000, keys 32 raw bytes, times unix seconds.
"""

import hashlib
from typing import NamedTuple

from presage.chain.borsh import (
    I64,
    U8,
    U16,
    U32,
    U64,
    Bool,
    Bytes32,
    DecodeError,
    Key,
    OptionBool,
    Text46,
    layout_of,
)

DISCRIMINATOR_BYTES = 8
EMIT_CPI_TAG = bytes.fromhex("e445a52e51cb9a1d")


class ConfigUpdated(NamedTuple):
    """An admin changed what holds for every market."""

    protocol_fee_bps: U16
    resolver_reward_bps: U16
    liquidity_provider_fee_bps: U16
    proposal_approval_threshold: U16
    dispute_success_threshold: U16
    min_resolution_delay: I64
    dispute_period: I64
    timestamp: I64


class DisputeAggregated(NamedTuple):
    """A dispute's votes were counted on chain, which ended it."""

    market_id: Bytes32
    agrees: U32
    disagrees: U32
    agreement_percentage: U8
    dispute_succeeded: Bool
    timestamp: I64


class DisputeInitiated(NamedTuple):
    """A wallet disputed the proposed outcome."""

    market_id: Bytes32
    initiator: Key
    disputed_outcome: OptionBool
    timestamp: I64


class DisputeVoteSubmitted(NamedTuple):
    """A wallet voted on a dispute."""

    market_id: Bytes32
    user: Key
    vote: Bool
    timestamp: I64


class GlobalConfigInitialized(NamedTuple):
    """The programme was set up."""

    admin: Key
    backend_authority: Key
    protocol_fee_bps: U16
    timestamp: I64


class LiquidityWithdrawn(NamedTuple):
    """The creator took what was left."""

    market_id: Bytes32
    creator: Key
    amount: U64
    timestamp: I64


class MarketActivated(NamedTuple):
    """Trading began."""

    market_id: Bytes32
    creator: Key
    initial_liquidity: U64
    timestamp: I64


class MarketCancelled(NamedTuple):
    """An admin cancelled a market before it traded."""

    market_id: Bytes32
    cancelled_by: Key
    cancelled_at: I64


class MarketCreated(NamedTuple):
    """A market was proposed."""

    market_id: Bytes32
    creator: Key
    b_parameter: U64
    state: U8
    timestamp: I64


class MarketFinalized(NamedTuple):
    """The outcome is final."""

    market_id: Bytes32
    final_outcome: OptionBool
    was_disputed: Bool
    timestamp: I64


class MarketResolved(NamedTuple):
    """A wallet proposed the outcome."""

    market_id: Bytes32
    resolver: Key
    outcome: Bool
    evidence_hash: Text46
    timestamp: I64


class ProposalAggregated(NamedTuple):
    """A proposal's votes were recorded; its state is as before."""

    market_id: Bytes32
    likes: U32
    dislikes: U32
    approval_percentage: U8
    approved: Bool
    timestamp: I64


class ProposalApproved(NamedTuple):
    """An admin approved a proposal."""

    market_id: Bytes32
    approved_by: Key
    timestamp: I64


class ProposalVoteSubmitted(NamedTuple):
    """A wallet voted on a proposal."""

    market_id: Bytes32
    user: Key
    vote: Bool
    timestamp: I64


class ProtocolPauseStatusChanged(NamedTuple):
    """The programme was paused or goes on."""

    is_paused: Bool
    paused_by: Key
    timestamp: I64


class SharesBought(NamedTuple):
    """A wallet bought; `cost` is all that it paid, fees included."""

    market_id: Bytes32
    user: Key
    outcome: Bool
    shares: U64
    cost: U64
    new_price_yes: U64
    timestamp: I64


class SharesSold(NamedTuple):
    """A wallet sold; `proceeds` is what it got."""

    market_id: Bytes32
    user: Key
    outcome: Bool
    shares: U64
    proceeds: U64
    new_price_yes: U64
    timestamp: I64


class WinningsClaimed(NamedTuple):
    """A winner was paid; `market` is the account and not the market's id."""

    market: Key
    user: Key
    outcome: OptionBool
    amount: U64
    timestamp: I64


type Event = (
    ConfigUpdated
    | DisputeAggregated
    | DisputeInitiated
    | DisputeVoteSubmitted
    | GlobalConfigInitialized
    | LiquidityWithdrawn
    | MarketActivated
    | MarketCancelled
    | MarketCreated
    | MarketFinalized
    | MarketResolved
    | ProposalAggregated
    | ProposalApproved
    | ProposalVoteSubmitted
    | ProtocolPauseStatusChanged
    | SharesBought
    | SharesSold
    | WinningsClaimed
)
_KINDS: tuple[type[Event], ...] = (
    ConfigUpdated,
    DisputeAggregated,
    DisputeInitiated,
    DisputeVoteSubmitted,
    GlobalConfigInitialized,
    LiquidityWithdrawn,
    MarketActivated,
    MarketCancelled,
    MarketCreated,
    MarketFinalized,
    MarketResolved,
    ProposalAggregated,
    ProposalApproved,
    ProposalVoteSubmitted,
    ProtocolPauseStatusChanged,
    SharesBought,
    SharesSold,
    WinningsClaimed,
)
KINDS = {kind.__name__: kind for kind in _KINDS}
_LAYOUTS = {kind: layout_of(kind) for kind in _KINDS}
_DISCRIMINATORS = {
    kind: hashlib.sha256(f"event:{kind.__name__}".encode()).digest()[:DISCRIMINATOR_BYTES]
    for kind in _KINDS
}
_BY_DISCRIMINATOR = {_DISCRIMINATORS[kind]: (kind, _LAYOUTS[kind]) for kind in _KINDS}


def encode_event(event: Event) -> bytes:
    """An event's data, as `emit!` logs it in base64."""
    kind = type(event)
    return _DISCRIMINATORS[kind] + _LAYOUTS[kind].encode(event)


def decode_event(data: bytes) -> Event | None:
    """The event in these bytes, None when its discriminator is not one of the programme's.

    Raises:
        DecodeError: the fields do not fill the bytes exactly.
    """
    if len(data) < DISCRIMINATOR_BYTES:
        raise DecodeError("there is no discriminator")
    found = _BY_DISCRIMINATOR.get(data[:DISCRIMINATOR_BYTES])
    if found is None:
        return None
    kind, layout = found
    return kind._make(layout.decode(data, DISCRIMINATOR_BYTES))
