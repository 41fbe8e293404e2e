"""What the chain remembers: accounts as they were in each slot, and what landed."""

import base64
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from solders.message import Message as LegacyMessage
from solders.message import MessageV0, MessageV1
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.transaction import VersionedTransaction

MAX_VERSIONS = 1_000

type Message = LegacyMessage | MessageV0 | MessageV1


class Account(NamedTuple):
    """One account's lamports, bytes and owner."""

    lamports: int
    data: bytes = b""
    owner: Pubkey = SYSTEM_PROGRAM
    executable: bool = False


NO_ACCOUNT = Account(0)


@dataclass(frozen=True, kw_only=True)
class Inner:
    """An instruction that a programme called; accounts are places among the transaction's keys."""

    outer: int
    program: int
    accounts: tuple[int, ...]
    data: bytes
    height: int = 2


@dataclass(frozen=True, kw_only=True)
class Record:
    """A landed transaction. `err` is the RPC's JSON, None when it went well."""

    signature: str
    slot: int
    index: int
    block_time: int
    raw: bytes
    err: Any
    fee: int
    units: int
    logs: list[str]
    inner: list[Inner]
    pre: list[int]
    post: list[int]

    @property
    def transaction(self) -> VersionedTransaction:
        """What was sent."""
        return VersionedTransaction.from_bytes(self.raw)

    @property
    def addresses(self) -> list[str]:
        """Every account that it mentions."""
        return [str(key) for key in self.transaction.message.account_keys]


@dataclass
class Bank:
    """Accounts with their history, and records in the order of the chain."""

    records: dict[str, Record] = field(default_factory=dict)
    by_slot: dict[int, list[Record]] = field(default_factory=lambda: defaultdict(list))
    by_address: dict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))
    _accounts: dict[Pubkey, list[tuple[int, Account]]] = field(default_factory=dict)

    def account(self, key: Pubkey, slot: int | None = None) -> Account:
        """An account as it was at the end of `slot`, or as it is."""
        versions = self._accounts.get(key, [])
        for at, account in reversed(versions):
            if slot is None or at <= slot:
                return account
        # Before the oldest that is kept: no node looks so far back.
        return versions[0][1] if len(versions) == MAX_VERSIONS else NO_ACCOUNT

    def put(self, key: Pubkey, account: Account, slot: int) -> None:
        """Set an account from `slot` on."""
        versions = self._accounts.setdefault(key, [])
        if versions and versions[-1][0] == slot:
            versions.pop()
        versions.append((slot, account))
        del versions[:-MAX_VERSIONS]

    def owned_by(self, program: Pubkey, slot: int) -> Iterator[tuple[Pubkey, Account]]:
        """A programme's accounts."""
        for key in self._accounts:
            account = self.account(key, slot)
            if account.owner == program and account.lamports:
                yield key, account

    def add(self, record: Record) -> None:
        """Remember a landed transaction."""
        self.records[record.signature] = record
        self.by_slot[record.slot].append(record)
        for address in record.addresses:
            self.by_address[address].append(record)

    def saved(self) -> dict[str, Any]:
        """All of it but the accounts' past, for the state file."""
        return {
            "accounts": {
                str(key): [slot, account.lamports, _text(account.data), str(account.owner)]
                for key, versions in self._accounts.items()
                for slot, account in versions[-1:]
                if not account.executable
            },
            "records": [
                asdict(record)
                | {
                    "raw": _text(record.raw),
                    "inner": [asdict(one) | {"data": _text(one.data)} for one in record.inner],
                }
                for record in self.records.values()
            ],
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Take over what `saved` gave."""
        for key, (slot, lamports, data, owner) in saved["accounts"].items():
            account = Account(lamports, base64.b64decode(data), Pubkey.from_string(owner))
            self.put(Pubkey.from_string(key), account, slot)
        for one in saved["records"]:
            inner = [
                Inner(
                    **each
                    | {
                        "data": base64.b64decode(each["data"]),
                        "accounts": tuple(each["accounts"]),
                    }
                )
                for each in one["inner"]
            ]
            self.add(Record(**one | {"raw": base64.b64decode(one["raw"]), "inner": inner}))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
