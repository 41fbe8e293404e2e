"""What Anchor does around an instruction of `zmart_core`: reads it, checks accounts, logs events.

Source: Anchor's framework errors (anchor-lang `ErrorCode`) and its log lines.
"""

import base64
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.system_program import (
    AllocateParams,
    AssignParams,
    CreateAccountParams,
    TransferParams,
    allocate,
    assign,
    create_account,
    transfer,
)

from infra.local.solana.bank import Account
from infra.local.solana.execution import InstructionFailedError, Invocation, custom
from presage.chain import accounts, events, instructions, lmsr, programme
from presage.chain.accounts import GlobalConfig, MarketAccount, UserPosition
from presage.chain.borsh import DecodeError

FRAMEWORK_ERRORS = {
    101: "InstructionFallbackNotFound",
    102: "InstructionDidNotDeserialize",
    2000: "ConstraintMut",
    2006: "ConstraintSeeds",
    3002: "AccountDiscriminatorMismatch",
    3005: "AccountNotEnoughKeys",
    3007: "AccountOwnedByWrongProgram",
    3008: "InvalidProgramId",
    3010: "AccountNotSigner",
    3012: "AccountNotInitialized",
}
_CODES = {name: code for code, name in FRAMEWORK_ERRORS.items()} | {
    name: programme.FIRST_ERROR + place for place, name in enumerate(programme.ERRORS)
}
BASE_UNITS = 12_000
TRADE_UNITS = 55_000  # the search for shares
_TRADES = frozenset({"buy_shares", "sell_shares"})

type Rule = Callable[..., None]


@dataclass
class Frame:
    """One instruction of the programme at work. `now` is the block's time in unix seconds."""

    invocation: Invocation
    kind: instructions.InstructionKind
    now: int

    def key(self, role: str) -> Pubkey:
        """The account that plays a role."""
        names = [one.name for one in self.kind.accounts]
        return self.invocation.keys[names.index(role)]

    def fail(self, name: str) -> NoReturn:
        """End with an error of the programme or of Anchor."""
        code = _CODES[name]
        self.invocation.log(
            f"Program log: AnchorError occurred. Error Code: {name}. Error Number: {code}. "
            f"Error Message: {name}."
        )
        raise custom(code)

    def require(self, condition: bool, name: str) -> None:
        """Fail unless `condition` holds."""
        if not condition:
            self.fail(name)

    def log(self, text: str) -> None:
        """What `msg!` does."""
        self.invocation.log(f"Program log: {text}")

    def emit(self, event: events.Event) -> None:
        """What `emit!` does."""
        data = base64.b64encode(events.encode_event(event)).decode()
        self.invocation.log(f"Program data: {data}")

    @property
    def config(self) -> GlobalConfig:
        """The global config, where it must be."""
        key = self.key("global_config")
        config = self._read(GlobalConfig, key)
        self.require(key == programme.config_address(), "ConstraintSeeds")
        return config

    @property
    def market(self) -> MarketAccount:
        """The market, at the place of its id."""
        key = self.key("market")
        market = self._read(MarketAccount, key)
        self.require(key == programme.market_address(market.market_id), "ConstraintSeeds")
        return market

    @property
    def position(self) -> UserPosition:
        """The user's position in the market."""
        key = self.key("position")
        position = self._read(UserPosition, key)
        expected = programme.position_address(self.key("market"), self.key("user"))
        self.require(key == expected, "ConstraintSeeds")
        return position

    def exists(self, role: str) -> bool:
        """Whether the programme has made this account."""
        return self.invocation.account(self.key(role)).owner == self.invocation.program

    def _read[AccountT: (GlobalConfig, MarketAccount, UserPosition)](
        self, kind: type[AccountT], key: Pubkey
    ) -> AccountT:
        found = self.invocation.account(key)
        if found.owner == SYSTEM_PROGRAM and not found.data:
            self.fail("AccountNotInitialized")
        self.require(found.owner == self.invocation.program, "AccountOwnedByWrongProgram")
        try:
            return accounts.decode_account(kind, found.data)
        except DecodeError:
            self.fail("AccountDiscriminatorMismatch")

    def save(self, role: str, value: accounts.Account) -> None:
        """Write an account's fields."""
        try:
            data = accounts.encode_account(value)
        except struct.error:
            self.fail("OverflowError")
        key = self.key(role)
        self.invocation.put(key, self.invocation.account(key)._replace(data=data))

    def create(self, role: str, expected: tuple[Pubkey, int], payer: str, size: int) -> int:
        """Make an account at its derived address, as `init` does; its bump.

        Anybody may have sent lamports there: then it is topped up, allocated and assigned, since
        the System programme creates no account where there is one.
        """
        address, bump = expected
        self.require(self.key(role) == address, "ConstraintSeeds")
        rent, owner = self.invocation.machine.rent(size), self.invocation.program
        found = self.invocation.account(address).lamports
        if not found:
            made = CreateAccountParams(
                from_pubkey=self.key(payer),
                to_pubkey=address,
                lamports=rent,
                space=size,
                owner=owner,
            )
            self.invocation.call(create_account(made))
            return bump
        if found < rent:
            self.pay_in(payer, role, rent - found)
        self.invocation.call(allocate(AllocateParams(pubkey=address, space=size)))
        self.invocation.call(assign(AssignParams(pubkey=address, owner=owner)))
        return bump

    def pay_in(self, payer: str, to: str, lamports: int) -> None:
        """A transfer of the System programme, which the payer has signed."""
        self.invocation.call(
            transfer(
                TransferParams(
                    from_pubkey=self.key(payer), to_pubkey=self.key(to), lamports=lamports
                )
            )
        )

    def pay_out(self, to: str, lamports: int) -> None:
        """Move lamports out of the market, which must keep its rent."""
        market = self.invocation.account(self.key("market"))
        left = market.lamports - lamports
        self.require(left >= 0, "InsufficientFunds")
        rent = self.invocation.machine.rent(len(market.data))
        self.require(left >= rent, "WouldBreakRentExemption")
        self.invocation.put(self.key("market"), market._replace(lamports=left))
        receiver = self.invocation.account(self.key(to))
        received = receiver._replace(lamports=receiver.lamports + lamports)
        self.invocation.put(self.key(to), received)

    @property
    def balance(self) -> int:
        """The market's lamports."""
        return self.invocation.account(self.key("market")).lamports


def program(rules: dict[str, Rule], now: Callable[[], int]) -> Callable[[Invocation], None]:
    """The programme that obeys `rules`."""

    def run(invocation: Invocation) -> None:
        frame, arguments = _read(invocation, now())
        _check_accounts(frame)
        try:
            rules[frame.kind.name](frame, **arguments)
        except lmsr.ArithmeticFailureError as error:
            frame.fail(str(error))

    return run


def _read(invocation: Invocation, now: int) -> tuple[Frame, dict[str, Any]]:
    unknown = Frame(invocation, next(iter(instructions.KINDS.values())), now)
    try:
        decoded = instructions.decode(invocation.data)
    except DecodeError:
        kind = instructions.KINDS.get(_named(invocation.data))
        if kind is not None:
            invocation.log(f"Program log: Instruction: {_title(kind.name)}")
            unknown.fail("InstructionDidNotDeserialize")
        decoded = None
    if decoded is None:
        unknown.fail("InstructionFallbackNotFound")
    kind, arguments = decoded
    invocation.log(f"Program log: Instruction: {_title(kind.name)}")
    invocation.consume(BASE_UNITS + TRADE_UNITS * (kind.name in _TRADES))
    return Frame(invocation, kind, now), arguments


def _named(data: bytes) -> str:
    head = data[: instructions.DISCRIMINATOR_BYTES]
    kinds = instructions.KINDS.values()
    return next((kind.name for kind in kinds if kind.discriminator == head), "")


def _title(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _check_accounts(frame: Frame) -> None:
    invocation = frame.invocation
    frame.require(len(invocation.keys) >= len(frame.kind.accounts), "AccountNotEnoughKeys")
    for place, role in enumerate(frame.kind.accounts):
        if role.is_signer:
            frame.require(invocation.is_signer(place), "AccountNotSigner")
        if role.is_writable:
            frame.require(invocation.is_writable(place), "ConstraintMut")
        if role.name == "system_program":
            frame.require(invocation.keys[place] == SYSTEM_PROGRAM, "InvalidProgramId")


__all__ = ["Account", "Frame", "InstructionFailedError", "Rule", "program"]
