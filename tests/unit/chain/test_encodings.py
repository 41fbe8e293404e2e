"""Encodings against vectors made here, by hand, from the programme's interface description.

Nothing of the codec is used to make them: types by their names in the description, the standard
library's struct and hashlib, Borsh's rules (little-endian, one byte for a bool and an enum, an
option's tag) and Anchor's discriminators.
"""

import hashlib
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from solders.pubkey import Pubkey

from presage.chain import accounts, events, instructions, programme
from presage.chain.borsh import DecodeError

PROGRAMME = "7h3gXfBfYFueFVLYyfL5Qo1QGsf4GQUfW96FKVgnUsJS"
# Each instruction's arguments and accounts, in order (w is writable, s signs).
INSTRUCTIONS = """
activate_market: ; authority:ws, market:w, global_config
aggregate_dispute_votes: final_agrees: u32, final_disagrees: u32; market:w, global_config,
    backend_authority:s
aggregate_proposal_votes: final_likes: u32, final_dislikes: u32; market:w, global_config,
    backend_authority:s
approve_proposal: ; admin:ws, market:w, global_config
buy_shares: outcome: bool, target_cost: u64; global_config, market:w, position:w, user:ws,
    protocol_fee_wallet:w, system_program
cancel_market: ; admin:s, market:w, global_config
claim_winnings: ; global_config, market:w, position:w, user:ws, resolver:w, system_program
create_market: market_id: [u8; 32], b_parameter: u64, initial_liquidity: u64,
    ipfs_question_hash: [u8; 46]; creator:ws, market:w, global_config, system_program
emergency_pause: ; admin:s, global_config:w
finalize_market: dispute_agree: option<u32>, dispute_disagree: option<u32>; global_config,
    market:w, backend_authority:s
initialize_global_config: backend_authority: pubkey; admin:ws, global_config:w,
    protocol_fee_wallet, system_program
initiate_dispute: ; global_config, market:w, initiator:s
resolve_market: proposed_outcome: bool, ipfs_evidence_hash: [u8; 46]; global_config, market:w,
    resolver:ws
sell_shares: outcome: bool, shares_to_sell: u64, min_proceeds: u64; global_config, market:w,
    position:w, user:ws, protocol_fee_wallet:w, system_program
submit_dispute_vote: vote: bool; market, vote_record:w, user:ws, system_program
submit_proposal_vote: vote: bool; market, vote_record:w, user:ws, system_program
update_global_config: protocol_fee_bps: u16, resolver_reward_bps: u16,
    liquidity_provider_fee_bps: u16, proposal_approval_threshold: u16,
    dispute_success_threshold: u16, min_resolution_delay: option<i64>, dispute_period:
    option<i64>; admin:s, global_config:w
withdraw_liquidity: ; market:w, creator:ws
"""
# Each event's fields, in order.
EVENTS = """
ConfigUpdated: protocol_fee_bps: u16, resolver_reward_bps: u16, liquidity_provider_fee_bps: u16,
    proposal_approval_threshold: u16, dispute_success_threshold: u16, min_resolution_delay: i64,
    dispute_period: i64, timestamp: i64
DisputeAggregated: market_id: [u8; 32], agrees: u32, disagrees: u32, agreement_percentage: u8,
    dispute_succeeded: bool, timestamp: i64
DisputeInitiated: market_id: [u8; 32], initiator: pubkey, disputed_outcome: option<bool>,
    timestamp: i64
DisputeVoteSubmitted: market_id: [u8; 32], user: pubkey, vote: bool, timestamp: i64
GlobalConfigInitialized: admin: pubkey, backend_authority: pubkey, protocol_fee_bps: u16,
    timestamp: i64
LiquidityWithdrawn: market_id: [u8; 32], creator: pubkey, amount: u64, timestamp: i64
MarketActivated: market_id: [u8; 32], creator: pubkey, initial_liquidity: u64, timestamp: i64
MarketCancelled: market_id: [u8; 32], cancelled_by: pubkey, cancelled_at: i64
MarketCreated: market_id: [u8; 32], creator: pubkey, b_parameter: u64, state: u8, timestamp: i64
MarketFinalized: market_id: [u8; 32], final_outcome: option<bool>, was_disputed: bool,
    timestamp: i64
MarketResolved: market_id: [u8; 32], resolver: pubkey, outcome: bool, evidence_hash: [u8; 46],
    timestamp: i64
ProposalAggregated: market_id: [u8; 32], likes: u32, dislikes: u32, approval_percentage: u8,
    approved: bool, timestamp: i64
ProposalApproved: market_id: [u8; 32], approved_by: pubkey, timestamp: i64
ProposalVoteSubmitted: market_id: [u8; 32], user: pubkey, vote: bool, timestamp: i64
ProtocolPauseStatusChanged: is_paused: bool, paused_by: pubkey, timestamp: i64
SharesBought: market_id: [u8; 32], user: pubkey, outcome: bool, shares: u64, cost: u64,
    new_price_yes: u64, timestamp: i64
SharesSold: market_id: [u8; 32], user: pubkey, outcome: bool, shares: u64, proceeds: u64,
    new_price_yes: u64, timestamp: i64
WinningsClaimed: market: pubkey, user: pubkey, outcome: option<bool>, amount: u64, timestamp: i64
"""
ACCOUNTS = """
GlobalConfig: admin: pubkey, backend_authority: pubkey, protocol_fee_wallet: pubkey,
    protocol_fee_bps: u16, resolver_reward_bps: u16, liquidity_provider_fee_bps: u16,
    proposal_approval_threshold: u16, dispute_success_threshold: u16, min_resolution_delay: i64,
    dispute_period: i64, min_resolver_reputation: u16, is_paused: bool, reserved: [u8; 64],
    bump: u8
MarketAccount: market_id: [u8; 32], creator: pubkey, state: MarketState, b_parameter: u64,
    initial_liquidity: u64, current_liquidity: u64, shares_yes: u64, shares_no: u64,
    total_volume: u64, created_at: i64, approved_at: i64, activated_at: i64,
    resolution_proposed_at: i64, resolved_at: i64, finalized_at: i64, resolver: pubkey,
    proposed_outcome: option<bool>, final_outcome: option<bool>, ipfs_evidence_hash: [u8; 46],
    dispute_initiated_at: i64, dispute_initiator: pubkey, accumulated_protocol_fees: u64,
    accumulated_resolver_fees: u64, accumulated_lp_fees: u64, proposal_likes: u32,
    proposal_dislikes: u32, proposal_total_votes: u32, resolution_agree: u32,
    resolution_disagree: u32, resolution_total_votes: u32, dispute_agree: u32, dispute_disagree:
    u32, dispute_total_votes: u32, was_disputed: bool, is_cancelled: bool, cancelled_at:
    option<i64>, is_locked: bool, reserved: [u8; 119], bump: u8
UserPosition: market: pubkey, user: pubkey, shares_yes: u64, shares_no: u64, total_invested:
    u64, trades_count: u32, last_trade_at: i64, has_claimed: bool, claimed_amount: u64,
    reserved: [u8; 64], bump: u8
VoteRecord: market: pubkey, user: pubkey, vote_type: VoteType, vote: bool, voted_at: i64, bump: u8
"""
NUMBERS = {"u8": "<B", "u16": "<H", "u32": "<I", "u64": "<Q", "i64": "<q"}
ENUMS = {"MarketState": 7, "VoteType": 2}


def _described(text: str) -> Iterator[tuple[str, str]]:
    """Each line of a description; one that is indented goes on with the last."""
    for line in text.replace("\n    ", " ").strip().splitlines():
        name, _, rest = line.partition(":")
        yield name, rest.strip()


def _fields(text: str) -> list[tuple[str, str]]:
    """`name: type` of every field; a list's type holds no comma."""
    pairs = (one.split(": ") for one in text.split(", ") if one)
    return [(name, kind) for name, kind in pairs]


def _sample(kind: str, seed: str, *, filled: bool) -> tuple[Any, bytes]:
    """A value of a type and its bytes; an option is `filled` or empty."""
    if kind.startswith("option<"):
        if not filled:
            return None, b"\0"
        value, data = _sample(kind[7:-1], seed, filled=filled)
        return value, b"\1" + data
    noise = hashlib.sha512(seed.encode()).digest() * 3
    if kind in NUMBERS:
        size = struct.calcsize(NUMBERS[kind])
        value = int.from_bytes(noise[:size], "little", signed=kind[0] == "i")
        return value, struct.pack(NUMBERS[kind], value)
    if kind == "bool":
        return bool(noise[0] % 2), bytes([noise[0] % 2])
    if kind in ENUMS:
        return noise[0] % ENUMS[kind], bytes([noise[0] % ENUMS[kind]])
    size = 32 if kind == "pubkey" else int(kind.removeprefix("[u8; ").removesuffix("]"))
    return noise[:size], noise[:size]


def _vector(name: str, text: str, *, filled: bool) -> tuple[dict[str, Any], bytes]:
    """Values by field, and their bytes."""
    values: dict[str, Any] = {}
    data = b""
    for field, kind in _fields(text):
        values[field], part = _sample(kind, f"{name}.{field}", filled=filled)
        data += part
    return values, data


def _discriminator(space: str, name: str) -> bytes:
    return hashlib.sha256(f"{space}:{name}".encode()).digest()[:8]


BOTH = pytest.mark.parametrize("filled", [True, False], ids=["filled", "empty"])


def test_the_description_is_whole() -> None:
    assert {name for name, _ in _described(INSTRUCTIONS)} == set(instructions.KINDS)
    assert {name for name, _ in _described(EVENTS)} == set(events.KINDS)
    assert {name for name, _ in _described(ACCOUNTS)} == {
        kind.__name__ for kind in accounts.DISCRIMINATORS
    }
    assert [len([*_described(one)]) for one in (INSTRUCTIONS, EVENTS, ACCOUNTS)] == [18, 18, 4]


@BOTH
@pytest.mark.parametrize(("name", "text"), [*_described(INSTRUCTIONS)])
def test_an_instruction(name: str, text: str, *, filled: bool) -> None:
    arguments, roles = text.rsplit(";", 1)
    values, data = _vector(name, arguments, filled=filled)
    expected = _discriminator("global", name) + data
    keys = {
        role.partition(":")[0]: Pubkey(hashlib.sha256(role.encode()).digest())
        for role in roles.strip().split(", ")
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZMART_PROGRAM_ID", PROGRAMME)
        built = instructions.build(name, keys, **values)
    assert bytes(built.data) == expected
    assert str(built.program_id) == PROGRAMME
    assert [(one.pubkey, one.is_writable, one.is_signer) for one in built.accounts] == [
        (keys[role], "w" in how, "s" in how)
        for role, _, how in (one.partition(":") for one in roles.strip().split(", "))
    ]
    decoded = instructions.decode(expected)
    assert decoded is not None
    assert (decoded[0].name, decoded[1]) == (name, values)
    for wrong in (expected + b"\0", expected[:-1]):
        with pytest.raises(DecodeError):
            instructions.decode(wrong)


@BOTH
@pytest.mark.parametrize(("name", "text"), [*_described(EVENTS)])
def test_an_event(name: str, text: str, *, filled: bool) -> None:
    values, data = _vector(name, text, filled=filled)
    expected = _discriminator("event", name) + data
    event = events.KINDS[name](**values)
    assert events.encode_event(event) == expected
    assert events.decode_event(expected) == event
    assert event._asdict() == values
    for wrong in (expected + b"\0", expected[:-1]):
        with pytest.raises(DecodeError):
            events.decode_event(wrong)


@BOTH
@pytest.mark.parametrize(("name", "text"), [*_described(ACCOUNTS)])
def test_an_account(name: str, text: str, *, filled: bool) -> None:
    values, data = _vector(name, text, filled=filled)
    kind: Any = getattr(accounts, name)
    expected = _discriminator("account", name) + data
    if name == "MarketAccount":
        expected = expected.ljust(8 + 480, b"\0")
        assert len(data) < 480
    account = kind(**values)
    assert accounts.encode_account(account) == expected
    assert accounts.decode_account(kind, expected) == account
    # What follows the fields is padding, whatever it holds.
    assert accounts.decode_account(kind, expected + b"\1" * 9) == account
    with pytest.raises(DecodeError):
        accounts.decode_account(kind, (_discriminator("account", name) + data)[:-1])
    with pytest.raises(DecodeError):
        accounts.decode_account(kind, _discriminator("account", "Other") + expected[8:])


def test_a_market_account_is_488_bytes_and_its_fields_end_earlier() -> None:
    lengths = {
        filled: len(_vector("MarketAccount", dict(_described(ACCOUNTS))["MarketAccount"],
                            filled=filled)[1])
        for filled in (True, False)
    }  # fmt: skip
    # Two options of a bool and one of an i64 differ in length.
    assert lengths[True] - lengths[False] == 1 + 1 + 8
    assert lengths[True] <= 480
    assert accounts.MARKET_ACCOUNT_BYTES == 488


def test_an_options_tag_and_a_bool_are_nothing_but_0_and_1() -> None:
    finalize = _discriminator("global", "finalize_market")
    for data in (b"\2" + bytes(4) + b"\0", b"\0\2" + bytes(4)):
        with pytest.raises(DecodeError):
            instructions.decode(finalize + data)
    with pytest.raises(DecodeError):
        instructions.decode(_discriminator("global", "submit_dispute_vote") + b"\2")


def test_states_and_errors_have_the_programmes_numbers() -> None:
    states = ("PROPOSED", "APPROVED", "ACTIVE", "RESOLVING", "DISPUTED", "FINALIZED", "CANCELLED")
    assert [programme.MarketState(number).name for number in range(7)] == list(states)
    assert [(one.value, one.name) for one in programme.VoteType] == [
        (0, "PROPOSAL"),
        (1, "DISPUTE"),
    ]
    named = {6000: "InvalidFeeConfiguration", 6007: "InvalidMarketState", 6033: "OverflowError",
             6051: "InvalidStateForVoting"}  # fmt: skip
    assert {code: programme.error_name(code) for code in named} == named
    assert [programme.error_name(code) for code in (5999, 6052, 0)] == [None] * 3
    assert len(programme.ERRORS) == 52


def test_addresses_are_derived_from_the_described_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A derived address is a hash with a bump, on no curve: the seeds are what can be wrong."""
    monkeypatch.setenv("ZMART_PROGRAM_ID", PROGRAMME)
    market, user = Pubkey(bytes(range(32))), Pubkey(bytes(range(32, 64)))
    derived = {
        programme.config_address(): [b"global-config"],
        programme.market_address(bytes(32)): [b"market", bytes(32)],
        programme.position_address(market, user): [b"position", bytes(market), bytes(user)],
        programme.vote_address(market, user, programme.VoteType.DISPUTE): [
            b"vote", bytes(market), bytes(user), b"\1",
        ],
        programme.event_authority(): [b"__event_authority"],
    }  # fmt: skip
    suffix = bytes(Pubkey.from_string(PROGRAMME)) + b"ProgramDerivedAddress"
    for address, seeds in derived.items():
        made = (
            hashlib.sha256(b"".join(seeds) + bytes([bump]) + suffix).digest()
            for bump in range(255, -1, -1)
        )
        assert bytes(address) == next(one for one in made if not Pubkey(one).is_on_curve())
