"""The cluster: takes transactions, lets them land in slots, and answers for each commitment."""

import base64
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import orjson
from solders.compute_budget import set_compute_unit_limit
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from infra.local.clock import now_ms, simulated
from infra.local.solana import anchor, zmart
from infra.local.solana.bank import Account, Bank, Record
from infra.local.solana.execution import Execution, Machine
from infra.local.solana.slots import GENESIS_SLOT, Commitment, Slots
from presage.chain import instructions, programme

MAX_TRANSACTION_BYTES = 1_232
FAUCET_LAMPORTS = 500_000_000 * 1_000_000_000
AUTHORITY_LAMPORTS = 1_000 * 1_000_000_000
FEE_WALLET_LAMPORTS = 1_000_000_000
_NATIVE_LOADER = Pubkey.from_string("NativeLoader1111111111111111111111111111111")
_LOADER = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")


@dataclass
class Faults:
    """What goes wrong, until told otherwise; times of -1 are without end.

    `status` (429, 500, 503 ...) is answered to the next `times` requests of `methods` (all when
    empty); `lose_answers` does what is asked and then answers 504; `slow_s` waits before that.
    `lag_slots` is how far behind the node is; with `lag_methods` only the node behind one address
    that answers those is. Of the next `drop` transactions none ever lands;
    the others land `land_after_slots` later.
    """

    status: int = 0
    times: int = -1
    methods: tuple[str, ...] = ()
    retry_after_s: int = 1
    slow_s: float = 0.0
    lose_answers: int = 0
    lag_slots: int = 0
    lag_methods: tuple[str, ...] = ()
    drop: int = 0
    land_after_slots: int = 0

    def strikes(self, name: str, method: str = "") -> bool:
        """Whether the fault counted by `name` happens to this request; counts it."""
        left: int = getattr(self, name)
        if left == 0 or (self.methods and method and method not in self.methods):
            return False
        setattr(self, name, max(-1, left - 1) if left > 0 else left)
        return True


class RefusedError(Exception):
    """The node does not take a transaction: `err` is the RPC's, with the simulation."""

    def __init__(self, err: Any, execution: Execution) -> None:  # noqa: ANN401 - JSON
        super().__init__(str(err))
        self.err = err
        self.execution = execution


@dataclass
class Chain:
    """One cluster. `authority` is the programme's admin and backend authority."""

    authority: Keypair
    genesis_ms: int
    faults: Faults = field(default_factory=Faults)
    asked: str = ""  # the method that is being answered
    on_landed: Callable[[Record], None] = lambda _: None

    def __post_init__(self) -> None:
        self.slots = Slots(self.genesis_ms)
        self.bank = Bank()
        self.machine = Machine(
            {programme.program_id(): anchor.program(zmart.RULES, lambda: now_ms() // 1_000)}
        )
        self.faucet = Keypair()
        self.hold_slot = False
        self._waiting: deque[tuple[int, VersionedTransaction]] = deque()
        self._airdrops = 0
        for key, account in (
            (programme.program_id(), Account(1_141_440, b"\2\0\0\0", _LOADER, executable=True)),
            (SYSTEM_PROGRAM, Account(1, b"system_program", _NATIVE_LOADER, executable=True)),
        ):
            self.bank.put(key, account, GENESIS_SLOT)

    def begin(self) -> None:
        """Genesis: money, and the programme's global config."""
        fee_wallet = Pubkey(bytes(self.authority.pubkey())[::-1])
        for key, lamports in (
            (self.faucet.pubkey(), FAUCET_LAMPORTS),
            (self.authority.pubkey(), AUTHORITY_LAMPORTS),
            (fee_wallet, FEE_WALLET_LAMPORTS),
        ):
            self.bank.put(key, Account(lamports), GENESIS_SLOT)
        initialise = instructions.build(
            "initialize_global_config",
            {"admin": self.authority.pubkey(), "protocol_fee_wallet": fee_wallet},
            backend_authority=bytes(self.authority.pubkey()),
        )
        self._send_own(self.authority, [initialise])

    def _send_own(self, payer: Keypair, given: list[Any]) -> str:
        blockhash = self.slots.blockhash(self.slots.now)
        message = MessageV0.try_compile(payer.pubkey(), given, [], blockhash)
        transaction = VersionedTransaction(message, [payer])
        self._land(transaction)
        return str(transaction.signatures[0])

    def airdrop(self, to: Pubkey, lamports: int) -> str:
        """A transfer from the faucet; its signature."""
        self._airdrops += 1
        return self._send_own(
            self.faucet,
            [
                set_compute_unit_limit(1_000 + self._airdrops),  # no two are the same transaction
                transfer(
                    TransferParams(
                        from_pubkey=self.faucet.pubkey(), to_pubkey=to, lamports=lamports
                    )
                ),
            ],
        )

    def seen(self, commitment: Commitment) -> int:
        """The newest slot that this node knows by a commitment."""
        faults = self.faults
        lags = not faults.lag_methods or self.asked in faults.lag_methods
        return self.slots.seen(commitment, faults.lag_slots if lags else 0)

    def account(self, key: Pubkey, commitment: Commitment) -> Account:
        """An account as this node sees it."""
        return self.bank.account(key, self.seen(commitment))

    def record(self, signature: str, commitment: Commitment = "processed") -> Record | None:
        """A landed transaction that this node knows of."""
        self.settle()
        found = self.bank.records.get(signature)
        return found if found and found.slot <= self.seen(commitment) else None

    def commitment_of(self, record: Record) -> Commitment:
        """How far a landed transaction has come."""
        for commitment in ("finalized", "confirmed"):
            if record.slot <= self.seen(commitment):
                return commitment
        return "processed"

    def simulate(self, transaction: VersionedTransaction, commitment: Commitment) -> Execution:
        """Run a transaction on the state of a commitment, and keep nothing of it."""
        slot = self.seen(commitment)
        return self.machine.execute(transaction, lambda key: self.bank.account(key, slot))

    def check(self, transaction: VersionedTransaction, commitment: Commitment) -> Any:  # noqa: ANN401 - JSON
        """Why this node would not even run a transaction; None when it would.

        As Agave: the blockhash's age first, so that what landed long ago is not told from what did
        not land in time.
        """
        if not self.slots.is_valid(transaction.message.recent_blockhash, self.seen(commitment)):
            return "BlockhashNotFound"
        if self.record(str(transaction.signatures[0])):
            return "AlreadyProcessed"
        return None

    def send(
        self, transaction: VersionedTransaction, *, preflight: Commitment | None = "finalized"
    ) -> str:
        """Take a transaction whose signatures are good; its signature.

        Raises:
            RefusedError: the preflight failed.
        """
        if preflight is not None:
            if err := self.check(transaction, preflight):
                raise RefusedError(err, Execution())
            execution = self.simulate(transaction, preflight)
            if execution.err is not None:
                raise RefusedError(execution.err, execution)
        if not self.faults.strikes("drop"):
            if self.faults.land_after_slots:
                due = self.slots.now + self.faults.land_after_slots
                self._waiting.append((due, transaction))
            else:
                self._land(transaction)
        return str(transaction.signatures[0])

    def settle(self) -> None:
        """Let those land whose slot has come."""
        while self._waiting and self._waiting[0][0] <= self.slots.now:
            due, transaction = self._waiting.popleft()
            self._land(transaction, due)

    def _land(self, transaction: VersionedTransaction, slot: int | None = None) -> None:
        """Put a transaction into a block, unless no block can hold it."""
        slot = self.slots.now if slot is None else slot
        signature = str(transaction.signatures[0])
        blockhash = transaction.message.recent_blockhash
        if signature in self.bank.records or not self.slots.is_valid(blockhash, slot):
            return
        keys = transaction.message.account_keys
        pre = [self.bank.account(key).lamports for key in keys]
        execution = self.machine.execute(transaction, self.bank.account)
        if execution.fee == 0:  # it could not pay: no leader takes it
            return
        for key, account in execution.changes.items():
            self.bank.put(key, account, slot)
        record = Record(
            signature=signature,
            slot=slot,
            index=len(self.bank.by_slot[slot]),
            block_time=now_ms() // 1_000,
            raw=bytes(transaction),
            err=execution.err,
            fee=execution.fee,
            units=execution.units,
            logs=execution.logs.lines,
            inner=execution.inner,
            pre=pre,
            post=[self.bank.account(key).lamports for key in keys],
        )
        self.bank.add(record)
        if simulated() and not self.hold_slot:
            self.slots.skip(1)
        self.on_landed(record)

    def saved(self) -> dict[str, Any]:
        """Everything for the state file."""
        return self.bank.saved() | {
            "genesis_ms": self.genesis_ms,
            "offset": self.slots.offset,
            "hashes": self.slots.told,
            "airdrops": self._airdrops,
            "faucet": base64.b64encode(bytes(self.faucet)).decode(),
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Take over what `saved` gave."""
        self.genesis_ms = saved["genesis_ms"]
        self.slots = Slots(self.genesis_ms, saved["offset"])
        for slot in saved["hashes"]:
            self.slots.blockhash(slot)
        self.faucet = Keypair.from_bytes(base64.b64decode(saved["faucet"]))
        self._airdrops = saved["airdrops"]
        self.bank.restore(saved)


def faults_of(given: dict[str, Any]) -> Faults:
    """The faults that a request names.

    Raises:
        TypeError: one of them is none.
    """
    lists = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
    return Faults(**given | lists)


def shown_faults(faults: Faults) -> dict[str, Any]:
    """The faults as JSON."""
    shown = {one.name: getattr(faults, one.name) for one in fields(faults)}
    result: dict[str, Any] = orjson.loads(orjson.dumps(shown))
    return result


def keypair(text: str) -> Keypair:
    """A key as base58 or as a JSON array of 64 numbers."""
    return Keypair.from_json(text) if text.startswith("[") else Keypair.from_base58_string(text)
