"""The programme's accounts and how they lie in bytes.

Keys are 32 raw bytes; shares and money are in units of 1/1,000,000,000; times are unix seconds, 0
when they have not come.
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
    OptionI64,
    Reserved64,
    Reserved119,
    Text46,
    layout_of,
)

DISCRIMINATOR_BYTES = 8
MARKET_ACCOUNT_BYTES = DISCRIMINATOR_BYTES + 480


class GlobalConfig(NamedTuple):
    """What holds for every market."""

    admin: Key
    backend_authority: Key
    protocol_fee_wallet: Key
    protocol_fee_bps: U16
    resolver_reward_bps: U16
    liquidity_provider_fee_bps: U16
    proposal_approval_threshold: U16
    dispute_success_threshold: U16
    min_resolution_delay: I64
    dispute_period: I64
    min_resolver_reputation: U16
    is_paused: Bool
    reserved: Reserved64
    bump: U8


class MarketAccount(NamedTuple):
    """One market. The account is 488 bytes long; what follows the fields is padding."""

    market_id: Bytes32
    creator: Key
    state: U8
    b_parameter: U64
    initial_liquidity: U64
    current_liquidity: U64
    shares_yes: U64
    shares_no: U64
    total_volume: U64
    created_at: I64
    approved_at: I64
    activated_at: I64
    resolution_proposed_at: I64
    resolved_at: I64
    finalized_at: I64
    resolver: Key
    proposed_outcome: OptionBool
    final_outcome: OptionBool
    ipfs_evidence_hash: Text46
    dispute_initiated_at: I64
    dispute_initiator: Key
    accumulated_protocol_fees: U64
    accumulated_resolver_fees: U64
    accumulated_lp_fees: U64
    proposal_likes: U32
    proposal_dislikes: U32
    proposal_total_votes: U32
    resolution_agree: U32
    resolution_disagree: U32
    resolution_total_votes: U32
    dispute_agree: U32
    dispute_disagree: U32
    dispute_total_votes: U32
    was_disputed: Bool
    is_cancelled: Bool
    cancelled_at: OptionI64
    is_locked: Bool
    reserved: Reserved119
    bump: U8


class UserPosition(NamedTuple):
    """What one wallet holds of one market."""

    market: Key
    user: Key
    shares_yes: U64
    shares_no: U64
    total_invested: U64
    trades_count: U32
    last_trade_at: I64
    has_claimed: Bool
    claimed_amount: U64
    reserved: Reserved64
    bump: U8


class VoteRecord(NamedTuple):
    """One wallet's vote."""

    market: Key
    user: Key
    vote_type: U8
    vote: Bool
    voted_at: I64
    bump: U8


type Account = GlobalConfig | MarketAccount | UserPosition | VoteRecord

_KINDS: tuple[type[Account], ...] = (GlobalConfig, MarketAccount, UserPosition, VoteRecord)
_LAYOUTS = {kind: layout_of(kind) for kind in _KINDS}
DISCRIMINATORS = {
    kind: hashlib.sha256(f"account:{kind.__name__}".encode()).digest()[:DISCRIMINATOR_BYTES]
    for kind in _KINDS
}


def encode_account(account: Account) -> bytes:
    """An account's data as the chain keeps it, a market's padding included."""
    kind = type(account)
    data = DISCRIMINATORS[kind] + _LAYOUTS[kind].encode(account)
    return data.ljust(MARKET_ACCOUNT_BYTES, b"\0") if kind is MarketAccount else data


def decode_account[AccountT: (GlobalConfig, MarketAccount, UserPosition, VoteRecord)](
    kind: type[AccountT], data: bytes
) -> AccountT:
    """An account's fields; what follows them is padding.

    Raises:
        DecodeError: the data is of another account, or ends too early.
    """
    if data[:DISCRIMINATOR_BYTES] != DISCRIMINATORS[kind]:
        raise DecodeError(f"this is no {kind.__name__}")
    values, _ = _LAYOUTS[kind].decode_from(data, DISCRIMINATOR_BYTES)
    return kind(*values)
