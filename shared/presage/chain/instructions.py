"""The programme's instructions: their arguments in Borsh and their accounts in order.

An instruction's data is the first eight bytes of sha256("global:name") and then its arguments.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM

from presage.chain import programme
from presage.chain.borsh import (
    U16,
    U32,
    U64,
    Bool,
    Bytes32,
    DecodeError,
    Key,
    Layout,
    OptionI64,
    OptionU32,
    Text46,
)

DISCRIMINATOR_BYTES = 8


@dataclass(frozen=True)
class AccountRole:
    """One account of an instruction, and what the instruction does with it."""

    name: str
    is_writable: bool
    is_signer: bool


@dataclass(frozen=True)
class InstructionKind:
    """One instruction of the programme."""

    name: str
    discriminator: bytes
    arguments: Layout
    accounts: tuple[AccountRole, ...]

    def encode(self, **arguments: object) -> bytes:
        """The instruction's data; all of its arguments by name."""
        values = tuple(arguments.pop(name) for name in self.arguments.names)
        if arguments:
            raise TypeError(f"{self.name} takes no {', '.join(arguments)}")
        return self.discriminator + self.arguments.encode(values)


def _row(name: str, accounts: str, **arguments: object) -> InstructionKind:
    roles = (role.partition(":") for role in accounts.split())
    return InstructionKind(
        name=name,
        discriminator=hashlib.sha256(f"global:{name}".encode()).digest()[:DISCRIMINATOR_BYTES],
        arguments=Layout(arguments),
        accounts=tuple(AccountRole(role, "w" in how, "s" in how) for role, _, how in roles),
    )


# Accounts in order; w is writable, s signs.
_TABLE = (
    _row("activate_market", "authority:ws market:w global_config"),
    _row(
        "aggregate_dispute_votes",
        "market:w global_config backend_authority:s",
        final_agrees=U32,
        final_disagrees=U32,
    ),
    _row(
        "aggregate_proposal_votes",
        "market:w global_config backend_authority:s",
        final_likes=U32,
        final_dislikes=U32,
    ),
    _row("approve_proposal", "admin:ws market:w global_config"),
    _row(
        "buy_shares",
        "global_config market:w position:w user:ws protocol_fee_wallet:w system_program",
        outcome=Bool,
        target_cost=U64,
    ),
    _row("cancel_market", "admin:s market:w global_config"),
    _row("claim_winnings", "global_config market:w position:w user:ws resolver:w system_program"),
    _row(
        "create_market",
        "creator:ws market:w global_config system_program",
        market_id=Bytes32,
        b_parameter=U64,
        initial_liquidity=U64,
        ipfs_question_hash=Text46,
    ),
    _row("emergency_pause", "admin:s global_config:w"),
    _row(
        "finalize_market",
        "global_config market:w backend_authority:s",
        dispute_agree=OptionU32,
        dispute_disagree=OptionU32,
    ),
    _row(
        "initialize_global_config",
        "admin:ws global_config:w protocol_fee_wallet system_program",
        backend_authority=Key,
    ),
    _row("initiate_dispute", "global_config market:w initiator:s"),
    _row(
        "resolve_market",
        "global_config market:w resolver:ws",
        proposed_outcome=Bool,
        ipfs_evidence_hash=Text46,
    ),
    _row(
        "sell_shares",
        "global_config market:w position:w user:ws protocol_fee_wallet:w system_program",
        outcome=Bool,
        shares_to_sell=U64,
        min_proceeds=U64,
    ),
    _row("submit_dispute_vote", "market vote_record:w user:ws system_program", vote=Bool),
    _row("submit_proposal_vote", "market vote_record:w user:ws system_program", vote=Bool),
    _row(
        "update_global_config",
        "admin:s global_config:w",
        protocol_fee_bps=U16,
        resolver_reward_bps=U16,
        liquidity_provider_fee_bps=U16,
        proposal_approval_threshold=U16,
        dispute_success_threshold=U16,
        min_resolution_delay=OptionI64,
        dispute_period=OptionI64,
    ),
    _row("withdraw_liquidity", "market:w creator:ws"),
)
KINDS = {kind.name: kind for kind in _TABLE}
_BY_DISCRIMINATOR = {kind.discriminator: kind for kind in _TABLE}


def build(name: str, accounts: Mapping[str, Pubkey], **arguments: object) -> Instruction:
    """An instruction ready for a transaction; the config and the System Program are known here.

    Raises:
        KeyError: an account or an argument is missing.
    """
    kind = KINDS[name]
    known = {
        "global_config": programme.config_address(),
        "system_program": SYSTEM_PROGRAM,
        **accounts,
    }
    return Instruction(
        programme.program_id(),
        kind.encode(**arguments),
        [AccountMeta(known[role.name], role.is_signer, role.is_writable) for role in kind.accounts],
    )


def decode(data: bytes) -> tuple[InstructionKind, dict[str, Any]] | None:
    """Which instruction these bytes are, with its arguments; None when it is none of them.

    Raises:
        DecodeError: the arguments do not fill the bytes exactly.
    """
    if len(data) < DISCRIMINATOR_BYTES:
        raise DecodeError("there is no discriminator")
    kind = _BY_DISCRIMINATOR.get(data[:DISCRIMINATOR_BYTES])
    if kind is None:
        return None
    values = kind.arguments.decode(data, DISCRIMINATOR_BYTES)
    return kind, dict(zip(kind.arguments.names, values, strict=True))
