"""The methods of Solana's JSON-RPC over a `Chain`. Source: https://solana.com/docs/rpc/http."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from solders.hash import Hash
from solders.message import MessageV0, MessageV1
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from infra.local.solana.bank import Account, Record
from infra.local.solana.chain import MAX_TRANSACTION_BYTES, Chain, RefusedError
from infra.local.solana.execution import Execution
from infra.local.solana.shapes import answer, base58, unbase58, version_of
from infra.local.solana.slots import FIRST_SLOT, GENESIS_SLOT, SLOT_MS, Commitment, hash_of

API_VERSION = "2.3.6"
MAX_ACCOUNTS = 100
MAX_SIGNATURES = 1_000
MAX_STATUSES = 256
STATUS_CACHE_SLOTS = 300
SLOTS_IN_EPOCH = 432_000
RENT_EPOCH = 18_446_744_073_709_551_615
PARSE_ERROR, INVALID_REQUEST, NO_METHOD, INVALID_PARAMS = -32700, -32600, -32601, -32602
PREFLIGHT_FAILED, BAD_SIGNATURE, NO_BLOCK, NO_VERSION = -32002, -32003, -32004, -32015
BEHIND = -32016
# Whose options may hold `minContextSlot`, of those that clients ask with one.
AS_OF_A_SLOT = frozenset({"getAccountInfo", "getMultipleAccounts", "getSignaturesForAddress"})
PRIORITY_LEVELS = {
    "min": 0.0,
    "low": 1_000.0,
    "medium": 10_000.0,
    "high": 100_000.0,
    "veryHigh": 1_000_000.0,
    "unsafeMax": 10_000_000.0,
}
_TEXTS = {
    "BlockhashNotFound": "Blockhash not found",
    "AlreadyProcessed": "This transaction has already been processed",
    "AccountNotFound": "Attempt to debit an account but found no record of a prior credit.",
    "InsufficientFundsForFee": "Insufficient funds for fee",
    "ProgramAccountNotFound": "Attempt to load a program that does not exist",
}


class RpcError(Exception):
    """An error as the RPC answers it."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:  # noqa: ANN401 - JSON
        super().__init__(message)
        self.shown: dict[str, Any] = {"code": code, "message": message}
        if data is not None:
            self.shown["data"] = data


@dataclass(frozen=True)
class Params:
    """A request's parameters; the last one may be an object of options."""

    given: list[Any]

    def at[T](self, place: int, kind: type[T]) -> T:
        """A positional parameter.

        Raises:
            RpcError: it is missing or of another type.
        """
        if len(self.given) <= place or not isinstance(self.given[place], kind):
            raise RpcError(INVALID_PARAMS, f"Invalid params: `{kind.__name__}` expected.")
        return cast("T", self.given[place])

    @property
    def options(self) -> dict[str, Any]:
        """The options, {} when there are none."""
        last = self.given[-1] if self.given else None
        return last if isinstance(last, dict) else {}

    def key(self, place: int) -> Pubkey:
        """An address."""
        return _key(self.at(place, str))

    def commitment(self, name: str = "commitment", default: str = "finalized") -> Commitment:
        """The commitment asked for."""
        value = self.options.get(name) or default
        if value not in {"processed", "confirmed", "finalized"}:
            raise RpcError(INVALID_PARAMS, f"Invalid params: unknown commitment {value}.")
        return cast("Commitment", value)


class Rpc:
    """Answers requests of one method each."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._methods: dict[str, Callable[[Params], Any]] = {
            "getAccountInfo": self._account_info,
            "getBalance": self._balance,
            "getBlock": self._block,
            "getBlockHeight": lambda params: self._height(params.commitment()),
            "getBlockTime": self._block_time,
            "getEpochInfo": self._epoch_info,
            "getHealth": lambda _: "ok",
            "getLatestBlockhash": self._latest_blockhash,
            "getMinimumBalanceForRentExemption": self._rent,
            "getMultipleAccounts": self._multiple_accounts,
            "getPriorityFeeEstimate": self._priority_fee,
            "getProgramAccounts": self._program_accounts,
            "getRecentPrioritizationFees": self._recent_fees,
            "getSignatureStatuses": self._statuses,
            "getSignaturesForAddress": self._signatures,
            "getSlot": lambda params: self._chain.seen(params.commitment()),
            "getTransaction": self._transaction,
            "getVersion": lambda _: {"feature-set": 3_640_012_085, "solana-core": API_VERSION},
            "isBlockhashValid": self._is_blockhash_valid,
            "requestAirdrop": self._airdrop,
            "sendTransaction": self._send,
            "simulateTransaction": self._simulate,
        }

    def answer(self, method: str, params: list[Any]) -> Any:  # noqa: ANN401 - JSON
        """The result of a method.

        Raises:
            RpcError: as the RPC would answer it.
        """
        if method not in self._methods:
            raise RpcError(NO_METHOD, "Method not found")
        self._chain.settle()
        self._chain.asked = method
        asked = Params(params)
        if method in AS_OF_A_SLOT:
            self._refuse_when_behind(asked)
        return self._methods[method](asked)

    def _refuse_when_behind(self, params: Params) -> None:
        slot = self._chain.seen(params.commitment())
        if slot < params.options.get("minContextSlot", 0):
            message = "Minimum context slot has not been reached"
            raise RpcError(BEHIND, message, {"contextSlot": slot})

    def _with_context(self, value: Any, commitment: Commitment) -> dict[str, Any]:  # noqa: ANN401
        slot = self._chain.seen(commitment)
        return {"context": {"apiVersion": API_VERSION, "slot": slot}, "value": value}

    # Slots and hashes

    def _height(self, commitment: Commitment) -> int:
        return self._chain.slots.height(self._chain.seen(commitment))

    def _epoch_info(self, params: Params) -> dict[str, int]:
        slot = self._chain.seen(params.commitment())
        epoch, index = divmod(slot, SLOTS_IN_EPOCH)
        return {
            "absoluteSlot": slot,
            "blockHeight": self._chain.slots.height(slot),
            "epoch": epoch,
            "slotIndex": index,
            "slotsInEpoch": SLOTS_IN_EPOCH,
            "transactionCount": len(self._chain.bank.records),
        }

    def _latest_blockhash(self, params: Params) -> Any:  # noqa: ANN401 - JSON
        commitment = params.commitment()
        found = self._chain.slots.blockhash(self._chain.seen(commitment))
        value = {
            "blockhash": str(found),
            "lastValidBlockHeight": self._chain.slots.last_valid_height(found),
        }
        return self._with_context(value, commitment)

    def _is_blockhash_valid(self, params: Params) -> Any:  # noqa: ANN401 - JSON
        commitment = params.commitment()
        try:
            given = Hash.from_string(params.at(0, str))
        except ValueError:
            raise RpcError(INVALID_PARAMS, "Invalid param: Invalid") from None
        valid = self._chain.slots.is_valid(given, self._chain.seen(commitment))
        return self._with_context(valid, commitment)

    def _block_time(self, params: Params) -> int:
        slot = params.at(0, int)
        if not GENESIS_SLOT <= slot <= self._chain.seen("confirmed"):
            raise RpcError(NO_BLOCK, f"Block not available for slot {slot}")
        records = self._chain.bank.by_slot.get(slot)
        if records:
            return records[0].block_time
        passed = (slot - FIRST_SLOT - self._chain.slots.offset) * SLOT_MS
        return (self._chain.genesis_ms + passed) // 1_000

    def _block(self, params: Params) -> dict[str, Any]:
        slot = params.at(0, int)
        if not GENESIS_SLOT <= slot <= self._chain.seen(params.commitment()):
            raise RpcError(NO_BLOCK, f"Block not available for slot {slot}")
        records = self._chain.bank.by_slot.get(slot, [])
        shown: dict[str, Any] = {
            "blockHeight": self._chain.slots.height(slot),
            "blockTime": self._block_time(params),
            "blockhash": str(hash_of(slot)),
            "parentSlot": slot - 1,
            "previousBlockhash": str(hash_of(slot - 1)),
        }
        match params.options.get("transactionDetails", "full"):
            case "signatures":
                shown["signatures"] = [record.signature for record in records]
            case "full":
                shown["transactions"] = [self._shown(record, params) for record in records]
        return shown

    # Accounts

    def _balance(self, params: Params) -> Any:  # noqa: ANN401 - JSON
        commitment = params.commitment()
        account = self._chain.account(params.key(0), commitment)
        return self._with_context(account.lamports, commitment)

    def _rent(self, params: Params) -> int:
        return self._chain.machine.rent(params.at(0, int))

    def _account_info(self, params: Params) -> Any:  # noqa: ANN401 - JSON
        commitment = params.commitment()
        account = self._chain.account(params.key(0), commitment)
        return self._with_context(_account(account, params.options), commitment)

    def _multiple_accounts(self, params: Params) -> Any:  # noqa: ANN401 - JSON
        keys = params.at(0, list)
        if len(keys) > MAX_ACCOUNTS:
            raise RpcError(INVALID_PARAMS, f"Too many inputs provided; max {MAX_ACCOUNTS}", None)
        commitment = params.commitment()
        shown = [
            _account(self._chain.account(_key(key), commitment), params.options) for key in keys
        ]
        return self._with_context(shown, commitment)

    def _program_accounts(self, params: Params) -> Any:  # noqa: ANN401 - JSON
        commitment, options = params.commitment(), params.options
        found = self._chain.bank.owned_by(params.key(0), self._chain.seen(commitment))
        shown = [
            {"pubkey": str(key), "account": _account(account, options)}
            for key, account in found
            if all(_passes(account, one) for one in options.get("filters") or [])
        ]
        return self._with_context(shown, commitment) if options.get("withContext") else shown

    def _airdrop(self, params: Params) -> str:
        return self._chain.airdrop(params.key(0), params.at(1, int))

    # Transactions

    def _send(self, params: Params) -> str:
        options = params.options
        transaction = _decoded(params.at(0, str), options.get("encoding", "base58"))
        _verify(transaction)
        preflight = None
        if not options.get("skipPreflight"):
            preflight = params.commitment("preflightCommitment")
        try:
            return self._chain.send(transaction, preflight=preflight)
        except RefusedError as error:
            message = f"Transaction simulation failed: {_text(error.err)}"
            raise RpcError(
                PREFLIGHT_FAILED, message, _simulated(error.err, error.execution)
            ) from error

    def _simulate(self, params: Params) -> Any:  # noqa: ANN401 - JSON
        options, commitment = params.options, params.commitment()
        transaction = _decoded(params.at(0, str), options.get("encoding", "base58"))
        replaces, verifies = options.get("replaceRecentBlockhash"), options.get("sigVerify")
        if replaces and verifies:
            raise RpcError(INVALID_PARAMS, "sigVerify may not be used with replaceRecentBlockhash")
        if verifies:
            _verify(transaction)
        err = None if replaces else self._chain.check(transaction, commitment)
        execution = Execution(err=err)
        if err is None:
            execution = self._chain.simulate(transaction, commitment)
        shown = _simulated(execution.err, execution)
        if replaces:
            fresh = self._chain.slots.blockhash(self._chain.seen(commitment))
            shown["replacementBlockhash"] = {
                "blockhash": str(fresh),
                "lastValidBlockHeight": self._chain.slots.last_valid_height(fresh),
            }
        return self._with_context(shown, commitment)

    def _statuses(self, params: Params) -> Any:  # noqa: ANN401 - JSON
        signatures = params.at(0, list)
        if len(signatures) > MAX_STATUSES:
            raise RpcError(INVALID_PARAMS, f"Too many inputs provided; max {MAX_STATUSES}")
        everything = bool(params.options.get("searchTransactionHistory"))
        statuses = [self._status(str(one), everything=everything) for one in signatures]
        return self._with_context(statuses, "processed")

    def _status(self, signature: str, *, everything: bool) -> dict[str, Any] | None:
        record = self._chain.record(signature)
        if record is None:
            return None
        behind = self._chain.seen("processed") - record.slot
        if behind > STATUS_CACHE_SLOTS and not everything:
            return None
        commitment = self._chain.commitment_of(record)
        return {
            "confirmationStatus": commitment,
            "confirmations": None if commitment == "finalized" else behind,
            "err": record.err,
            "slot": record.slot,
            "status": {"Ok": None} if record.err is None else {"Err": record.err},
        }

    def _transaction(self, params: Params) -> dict[str, Any] | None:
        commitment = params.commitment()
        _refuse_processed(commitment)
        record = self._chain.record(params.at(0, str), commitment)
        return None if record is None else self._shown(record, params)

    def _shown(self, record: Record, params: Params) -> dict[str, Any]:
        version = version_of(record)
        asked = params.options.get("maxSupportedTransactionVersion")
        if version != "legacy" and asked is None:
            raise RpcError(
                NO_VERSION,
                f"Transaction version ({version}) is not supported by the requesting client. Please"
                " try the request again with the following configuration parameter:"
                f' "maxSupportedTransactionVersion": {version}',
            )
        return answer(record, params.options.get("encoding", "json"))

    def _signatures(self, params: Params) -> list[dict[str, Any]]:
        options, commitment = params.options, params.commitment()
        _refuse_processed(commitment)
        limit = options.get("limit", MAX_SIGNATURES)
        if not isinstance(limit, int) or not 1 <= limit <= MAX_SIGNATURES:
            raise RpcError(INVALID_PARAMS, f"Invalid limit; max {MAX_SIGNATURES}")
        slot = self._chain.seen(commitment)
        mentions = self._chain.bank.by_address.get(str(params.key(0)), [])
        records = [one for one in reversed(mentions) if one.slot <= slot]
        names = [one.signature for one in records]
        if (before := options.get("before")) in names:
            records = records[names.index(before) + 1 :]
        elif before:
            records = []
        names = [one.signature for one in records]
        if (until := options.get("until")) in names:
            records = records[: names.index(until)]
        return [
            {
                "blockTime": one.block_time,
                "confirmationStatus": self._chain.commitment_of(one),
                "err": one.err,
                "memo": None,
                "signature": one.signature,
                "slot": one.slot,
            }
            for one in records[:limit]
        ]

    # Fees

    def _priority_fee(self, params: Params) -> dict[str, Any]:
        asked = params.at(0, dict)
        options = asked.get("options") or {}
        if not asked.get("transaction") and not asked.get("accountKeys"):
            raise RpcError(INVALID_PARAMS, "Either transaction or accountKeys must be given.")
        level = options.get("priorityLevel", "Medium")
        name = level[:1].lower() + level[1:]
        if name not in PRIORITY_LEVELS:
            raise RpcError(INVALID_PARAMS, f"Invalid priority level {level}.")
        shown: dict[str, Any] = {"priorityFeeEstimate": PRIORITY_LEVELS[name]}
        if options.get("includeAllPriorityFeeLevels"):
            shown["priorityFeeLevels"] = PRIORITY_LEVELS
        return shown

    def _recent_fees(self, _params: Params) -> list[dict[str, int]]:
        newest = self._chain.seen("processed")
        fee = int(PRIORITY_LEVELS["medium"])
        return [
            {"slot": slot, "prioritizationFee": fee}
            for slot in range(max(GENESIS_SLOT, newest - 149), newest + 1)
        ]


def _key(text: object) -> Pubkey:
    try:
        return Pubkey.from_string(str(text))
    except ValueError:
        raise RpcError(INVALID_PARAMS, "Invalid param: Invalid") from None


def _account(account: Account, options: dict[str, Any]) -> dict[str, Any] | None:
    if account.lamports == 0:
        return None
    data = account.data
    if piece := options.get("dataSlice"):
        data = data[piece["offset"] : piece["offset"] + piece["length"]]
    encoding = options.get("encoding", "base58")
    encode = base58 if encoding == "base58" else lambda raw: base64.b64encode(raw).decode()
    return {
        "data": [encode(data), encoding if encoding == "base58" else "base64"],
        "executable": account.executable,
        "lamports": account.lamports,
        "owner": str(account.owner),
        "rentEpoch": RENT_EPOCH,
        "space": len(account.data),
    }


def _passes(account: Account, condition: dict[str, Any]) -> bool:
    if "dataSize" in condition:
        return bool(len(account.data) == condition["dataSize"])
    compared = condition["memcmp"]
    if compared.get("encoding", "base58") == "base64":
        wanted = base64.b64decode(compared["bytes"])
    else:
        wanted = unbase58(compared["bytes"])
    return account.data[compared["offset"] :].startswith(wanted)


def _decoded(text: str, encoding: str) -> VersionedTransaction:
    try:
        raw = unbase58(text) if encoding == "base58" else base64.b64decode(text, validate=True)
        if len(raw) > MAX_TRANSACTION_BYTES:
            raise RpcError(
                INVALID_PARAMS,
                f"{encoding} encoded solana_transaction too large: {len(raw)} bytes"
                f" (max: encoded/raw 1644/{MAX_TRANSACTION_BYTES})",
            )
        transaction = VersionedTransaction.from_bytes(raw)
        message = transaction.message
        if isinstance(message, MessageV1):
            raise RpcError(INVALID_PARAMS, "this cluster takes versions legacy and 0")
        if isinstance(message, MessageV0) and message.address_table_lookups:
            raise RpcError(INVALID_PARAMS, "this cluster has no address lookup tables")
        if bytes(transaction) != raw or not _is_sane(transaction):
            raise RpcError(INVALID_PARAMS, "invalid transaction: Transaction failed to sanitize")
    except (ValueError, binascii.Error):
        raise RpcError(
            INVALID_PARAMS, f"failed to deserialize solana_transaction from {encoding}"
        ) from None
    return transaction


def _is_sane(transaction: VersionedTransaction) -> bool:
    message, count = transaction.message, len(transaction.message.account_keys)
    signers = message.header.num_required_signatures
    return (
        len(transaction.signatures) == signers
        and 0 < signers <= count
        and all(
            0 < one.program_id_index < count and all(place < count for place in one.accounts)
            for one in message.instructions
        )
    )


def _verify(transaction: VersionedTransaction) -> None:
    unsigned = Signature.default() in transaction.signatures
    if unsigned or not all(transaction.verify_with_results()):
        raise RpcError(BAD_SIGNATURE, "Transaction signature verification failure")


def _refuse_processed(commitment: Commitment) -> None:
    if commitment == "processed":
        raise RpcError(INVALID_PARAMS, "Method does not support commitment below `confirmed`")


def _text(err: Any) -> str:  # noqa: ANN401 - JSON
    match err:
        case {"InstructionError": [place, {"Custom": code}]}:
            return f"Error processing Instruction {place}: custom program error: {code:#x}"
        case {"InstructionError": [place, name]}:
            return f"Error processing Instruction {place}: {name}"
        case {"InsufficientFundsForRent": {"account_index": place}}:
            return f"Transaction results in an account ({place}) with insufficient funds for rent"
    return _TEXTS.get(str(err), str(err))


def _simulated(err: Any, execution: Execution) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {
        "accounts": None,
        "err": err,
        "innerInstructions": None,
        "logs": execution.logs.lines,
        "returnData": None,
        "unitsConsumed": execution.units,
    }
