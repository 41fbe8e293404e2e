"""The deployed Anchor programme `zmart_core` (0.69): where its accounts are, its states and errors.

The programme's id is configuration (ZMART_PROGRAM_ID), never a constant. Accounts, events and
instructions have modules of their own.
"""

import uuid
from enum import IntEnum

from solders.pubkey import Pubkey

from presage import config
from presage.errors import UnavailableError

UUID_BYTES = 16
MARKET_ID_BYTES = 32
_DERIVED_VERSION = 5
_FOREIGN_MARKETS = uuid.UUID("6f1d7f0e-6f0b-5c0e-9a53-0d5e0a3c9b7d")
ERRORS = (
    "InvalidFeeConfiguration",
    "InvalidThreshold",
    "InvalidTimeLimit",
    "AlreadyInitialized",
    "InvalidFeeStructure",
    "InvalidGlobalConfig",
    "InvalidStateTransition",
    "InvalidMarketState",
    "MarketPaused",
    "MarketCancelled",
    "ProtocolPaused",
    "CannotCancelMarket",
    "MarketAlreadyCancelled",
    "ZeroAmount",
    "InsufficientShares",
    "SlippageExceeded",
    "InsufficientLiquidity",
    "InvalidLiquidity",
    "TradeTooSmall",
    "ResolutionPeriodNotEnded",
    "DisputePeriodEnded",
    "NoResolutionProposed",
    "AlreadyClaimed",
    "NoWinnings",
    "NoVotesRecorded",
    "InsufficientVotes",
    "AlreadyResolved",
    "DisputePeriodNotEnded",
    "AlreadyDisputed",
    "Unauthorized",
    "InvalidAdmin",
    "InvalidResolver",
    "InsufficientReputation",
    "OverflowError",
    "UnderflowError",
    "DivisionByZero",
    "InvalidFixedPoint",
    "InvalidLogarithm",
    "ExponentialOverflow",
    "ExponentTooLarge",
    "InvalidInput",
    "BoundedLossExceeded",
    "InvalidBParameter",
    "InvalidMarketId",
    "InvalidTimestamp",
    "InvalidIpfsHash",
    "InsufficientFunds",
    "WouldBreakRentExemption",
    "Reentrant",
    "InvalidReservedField",
    "AlreadyVoted",
    "InvalidStateForVoting",
)
FIRST_ERROR = 6_000


class MarketState(IntEnum):
    """The programme's states; the platform's have the same names in capitals."""

    PROPOSED = 0
    APPROVED = 1
    ACTIVE = 2
    RESOLVING = 3
    DISPUTED = 4
    FINALIZED = 5
    CANCELLED = 6


class VoteType(IntEnum):
    """What a vote is about."""

    PROPOSAL = 0
    DISPUTE = 1


def error_name(code: int) -> str | None:
    """The name of one of the programme's own errors, None for any other code."""
    place = code - FIRST_ERROR
    return ERRORS[place] if 0 <= place < len(ERRORS) else None


def program_id() -> Pubkey:
    """The programme's address.

    Raises:
        UnavailableError: ZMART_PROGRAM_ID is not configured.
    """
    address = config.get("ZMART_PROGRAM_ID")
    if not address:
        raise UnavailableError("The setting ZMART_PROGRAM_ID is missing.")
    return Pubkey.from_string(address)


def config_address() -> Pubkey:
    """Where the global config is."""
    return _derived(b"global-config")


def market_address(market_id: bytes) -> Pubkey:
    """Where the market of this 32-byte id is."""
    return _derived(b"market", market_id)


def position_address(market: Pubkey, user: Pubkey) -> Pubkey:
    """Where a wallet's position in a market is."""
    return _derived(b"position", bytes(market), bytes(user))


def vote_address(market: Pubkey, user: Pubkey, vote_type: VoteType) -> Pubkey:
    """Where a wallet's vote on a market is."""
    return _derived(b"vote", bytes(market), bytes(user), bytes([vote_type]))


def event_authority() -> Pubkey:
    """The signer of events that the programme emits by calling itself (`emit_cpi!`)."""
    return _derived(b"__event_authority")


def _derived(*seeds: bytes) -> Pubkey:
    return Pubkey.find_program_address(seeds, program_id())[0]


def chain_market_id(market: uuid.UUID) -> bytes:
    """The id on chain of a market of ours: its uuid, filled with zeros to 32 bytes."""
    return market.bytes.ljust(MARKET_ID_BYTES, b"\0")


def platform_market_id(market_id: bytes) -> uuid.UUID:
    """The market's uuid here: its own when it began here, else one derived from its id on chain.

    A derived one (version 5) is never taken for one of ours: no id on chain can claim another's.
    """
    ours = uuid.UUID(bytes=market_id[:UUID_BYTES])
    if not any(market_id[UUID_BYTES:]) and ours.version != _DERIVED_VERSION:
        return ours
    return uuid.uuid5(_FOREIGN_MARKETS, market_id.hex())
