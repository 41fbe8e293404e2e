"""Running one transaction: fees, its instructions one by one, all of their effects or none.

System and other built-in programmes run on LiteSVM, an instruction at a time and paid for by an
account of ours, so that fees and atomicity are counted here for all programmes alike.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from solders import account as solders_account
from solders.hash import Hash
from solders.instruction import AccountMeta, CompiledInstruction, Instruction
from solders.litesvm import LiteSVM
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from infra.local.solana.bank import Account, Inner, Message

FEE_LAMPORTS = 5_000
DEFAULT_UNITS = 200_000
MAX_UNITS = 1_400_000
BUILTIN_UNITS = 150
LOG_BYTES = 10_000
MICRO = 1_000_000
_BUDGET_PROGRAM = Pubkey.from_string("ComputeBudget111111111111111111111111111111")
_PAYER = Pubkey(bytes([250]) * 32)

type Read = Callable[[Pubkey], Account]
type Program = Callable[["Invocation"], None]


class InstructionFailedError(Exception):
    """An instruction's own failure: `err` is what the RPC shows, `text` what the log says."""

    def __init__(self, err: Any, text: str) -> None:  # noqa: ANN401 - JSON
        super().__init__(text)
        self.err = err
        self.text = text


def custom(code: int) -> InstructionFailedError:
    """A programme's error of its own."""
    return InstructionFailedError({"Custom": code}, f"custom program error: {code:#x}")


class TransactionFailedError(Exception):
    """A failure of the transaction as a whole."""

    def __init__(self, err: Any) -> None:  # noqa: ANN401 - JSON
        super().__init__(str(err))
        self.err = err


@dataclass
class Logs:
    """What programmes logged, cut as the chain cuts it."""

    lines: list[str] = field(default_factory=list)
    _bytes: int = 0
    _is_cut: bool = False

    def add(self, line: str) -> None:
        """A line; over the limit it is lost, and the first loss is told."""
        size = len(line.encode())
        if self._bytes + size >= LOG_BYTES:
            if not self._is_cut:
                self.lines.append("Log truncated")
            self._is_cut = True
            return
        self._bytes += size
        self.lines.append(line)


@dataclass
class Execution:
    """How a transaction went, and the accounts that it leaves changed."""

    err: Any = None
    logs: Logs = field(default_factory=Logs)
    units: int = 0
    fee: int = 0
    inner: list[Inner] = field(default_factory=list)
    changes: dict[Pubkey, Account] = field(default_factory=dict)
    limit: int = 0


@dataclass
class Invocation:
    """One instruction at work: its accounts, and what it may do to them."""

    machine: "Machine"
    run: Execution
    read: Read
    message: Message
    place: int
    instruction: CompiledInstruction

    @property
    def program(self) -> Pubkey:
        """The programme called."""
        return self.message.account_keys[self.instruction.program_id_index]

    @property
    def data(self) -> bytes:
        """Its input."""
        return bytes(self.instruction.data)

    @property
    def keys(self) -> list[Pubkey]:
        """Its accounts in order."""
        return [self.message.account_keys[place] for place in self.instruction.accounts]

    def is_signer(self, place: int) -> bool:
        """Whether the account at `place` among its own signed."""
        return self.message.is_signer(self.instruction.accounts[place])

    def is_writable(self, place: int) -> bool:
        """Whether the account at `place` among its own may be changed."""
        return is_writable(self.message, self.instruction.accounts[place])

    def account(self, key: Pubkey) -> Account:
        """An account as the transaction has left it so far."""
        return self.run.changes.get(key) or self.read(key)

    def put(self, key: Pubkey, account: Account) -> None:
        """Change an account."""
        self.run.changes[key] = account

    def log(self, line: str) -> None:
        """Log a line as it stands."""
        self.run.logs.add(line)

    def consume(self, units: int) -> None:
        """Use compute units.

        Raises:
            InstructionFailedError: there are not so many left.
        """
        self.run.units += units
        if self.run.units > self.run.limit:
            self.run.units = self.run.limit
            raise InstructionFailedError(
                "ComputationalBudgetExceeded", "Computational budget exceeded"
            )

    def call(self, instruction: Instruction) -> None:
        """Call a built-in programme; it may sign for every account, as a programme can for its own.

        Raises:
            InstructionFailedError: as that programme failed.
        """
        places = {key: place for place, key in enumerate(self.message.account_keys)}
        self.run.inner.append(
            Inner(
                outer=self.place,
                program=places[instruction.program_id],
                accounts=tuple(places[meta.pubkey] for meta in instruction.accounts),
                data=bytes(instruction.data),
            )
        )
        self.machine.native(self, instruction, depth=2)


class Machine:
    """Executes transactions. `programs` are the ones written here."""

    def __init__(self, programs: dict[Pubkey, Program]) -> None:
        self._programs = programs
        self._svm = LiteSVM()
        for switched_off in (
            self._svm.with_sigverify,
            self._svm.with_blockhash_check,
        ):
            switched_off(False)  # noqa: FBT003 - both were checked before
        self._svm.with_transaction_history(0)
        self._svm.set_account(_PAYER, solders_account.Account(2**62, b"", Pubkey.default()))

    def rent(self, size: int) -> int:
        """The lamports that keep an account of `size` bytes alive."""
        return self._svm.minimum_balance_for_rent_exemption(size)

    def execute(self, transaction: VersionedTransaction, read: Read) -> Execution:
        """Run a transaction whose signatures and blockhash are good.

        `changes` holds what it leaves: all of it, or only the fee when it fails. A transaction that
        cannot even pay, or calls no programme, changes nothing and has fee 0.
        """
        message = transaction.message
        run = Execution()
        try:
            price = self._budget(message, run)
            run.fee = _charge(message, run, read, price)
            self._load_programs(message, read)
        except TransactionFailedError as error:
            return Execution(err=error.err)
        paid = dict(run.changes)
        try:
            for place, instruction in enumerate(message.instructions):
                self._invoke(Invocation(self, run, read, message, place, instruction))
            self._check_rent(message, run, read)
        except TransactionFailedError as error:
            run.err, run.changes = error.err, paid
        return run

    def _budget(self, message: Message, run: Execution) -> int:
        """Read the compute budget's instructions; the price in micro-lamports a unit."""
        price, limit, others = 0, None, 0
        for place, one in enumerate(message.instructions):
            if message.account_keys[one.program_id_index] != _BUDGET_PROGRAM:
                others += 1
                continue
            match bytes(one.data)[:1], bytes(one.data)[1:]:
                case b"\x02", value if len(value) == 4:  # noqa: PLR2004 - u32
                    limit = int.from_bytes(value, "little")
                case b"\x03", value if len(value) == 8:  # noqa: PLR2004 - u64
                    price = int.from_bytes(value, "little")
                case b"\x01" | b"\x04", value if len(value) == 4:  # noqa: PLR2004 - u32
                    pass
                case _:
                    raise TransactionFailedError(
                        {"InstructionError": [place, "InvalidInstructionData"]}
                    )
        run.limit = min(MAX_UNITS, DEFAULT_UNITS * others if limit is None else limit)
        return price

    def _load_programs(self, message: Message, read: Read) -> None:
        for one in message.instructions:
            program = message.account_keys[one.program_id_index]
            if program in self._programs or program == _BUDGET_PROGRAM:
                continue
            if not read(program).executable and not self._is_built_in(program):
                raise TransactionFailedError("ProgramAccountNotFound")

    def _is_built_in(self, program: Pubkey) -> bool:
        found = self._svm.get_account(program)
        return found is not None and found.executable

    def _invoke(self, invocation: Invocation) -> None:
        program = invocation.program
        try:
            if program in self._programs:
                self._run_ours(invocation, self._programs[program])
            elif program == _BUDGET_PROGRAM:
                invocation.log(f"Program {program} invoke [1]")
                invocation.consume(BUILTIN_UNITS)
                invocation.log(f"Program {program} success")
            else:
                metas = [
                    AccountMeta(key, invocation.is_signer(place), invocation.is_writable(place))
                    for place, key in enumerate(invocation.keys)
                ]
                self.native(invocation, Instruction(program, invocation.data, metas), depth=1)
        except InstructionFailedError as error:
            failed = {"InstructionError": [invocation.place, error.err]}
            raise TransactionFailedError(failed) from error

    def _run_ours(self, invocation: Invocation, program: Program) -> None:
        name = invocation.program
        before, left = invocation.run.units, invocation.run.limit - invocation.run.units
        invocation.log(f"Program {name} invoke [1]")
        failed: InstructionFailedError | None = None
        try:
            program(invocation)
        except InstructionFailedError as error:
            failed = error
        used = invocation.run.units - before
        invocation.log(f"Program {name} consumed {used} of {left} compute units")
        if failed is not None:
            invocation.log(f"Program {name} failed: {failed.text}")
            raise failed
        invocation.log(f"Program {name} success")

    def native(self, invocation: Invocation, instruction: Instruction, depth: int) -> None:
        """Run one instruction of a built-in programme on LiteSVM.

        Raises:
            InstructionFailedError: as the programme failed.
        """
        keys = {meta.pubkey for meta in instruction.accounts}
        for key in keys:
            account = invocation.account(key)
            if not account.executable:
                self._svm.set_account(
                    key, solders_account.Account(account.lamports, account.data, account.owner)
                )
        message = MessageV0.try_compile(_PAYER, [instruction], [], Hash.default())
        unsigned = [Signature.default()] * message.header.num_required_signatures
        outcome = json.loads(
            self._svm.send_transaction(VersionedTransaction.populate(message, unsigned)).to_json()
        )
        meta = outcome.get("meta", outcome)
        for line in meta["logs"]:
            invocation.log(line.replace(" invoke [1]", f" invoke [{depth}]"))
        invocation.consume(meta["compute_units_consumed"])
        match outcome.get("err"):
            case None:
                pass
            case {"InstructionError": [_, err]}:
                last = meta["logs"][-1] if meta["logs"] else ""
                raise InstructionFailedError(err, last.partition(" failed: ")[2])
            case {"InsufficientFundsForRent": {"account_index": place}}:
                poor = message.account_keys[place]
                raise TransactionFailedError(_rent_error(invocation.message, poor))
            case err:
                raise TransactionFailedError(err)
        for meta_of in instruction.accounts:
            if meta_of.is_writable:
                after = self._svm.get_account(meta_of.pubkey)
                invocation.put(
                    meta_of.pubkey,
                    Account(after.lamports, bytes(after.data), after.owner)
                    if after
                    else Account(0),
                )

    def _check_rent(self, message: Message, run: Execution, read: Read) -> None:
        for key, account in run.changes.items():
            poor = 0 < account.lamports < self.rent(len(account.data))
            before = read(key)
            was_poor = 0 < before.lamports < self.rent(len(before.data))
            if poor and not (was_poor and account.lamports <= before.lamports):
                raise TransactionFailedError(_rent_error(message, key))


def _rent_error(message: Message, key: Pubkey) -> dict[str, Any]:
    return {"InsufficientFundsForRent": {"account_index": message.account_keys.index(key)}}


def _charge(message: Message, run: Execution, read: Read, price: int) -> int:
    payer = message.account_keys[0]
    account = read(payer)
    fee = FEE_LAMPORTS * message.header.num_required_signatures
    fee += math.ceil(price * run.limit / MICRO)
    if account.lamports == 0:
        raise TransactionFailedError("AccountNotFound")
    if account.lamports < fee:
        raise TransactionFailedError("InsufficientFundsForFee")
    run.changes[payer] = account._replace(lamports=account.lamports - fee)
    return fee


def is_writable(message: Message, place: int) -> bool:
    """Whether a transaction may change the account at `place` among its keys."""
    header, count = message.header, len(message.account_keys)
    if place < header.num_required_signatures:
        return place < header.num_required_signatures - header.num_readonly_signed_accounts
    return place < count - header.num_readonly_unsigned_accounts
