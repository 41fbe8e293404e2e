"""Solana's JSON-RPC, as far as we need it (protocol: https://solana.com/docs/rpc/http).

Off unless SOLANA_RPC_URL is set; its address holds a key and is never shown. A read is tried three
times while there is time; what is sent is tried once, since whoever sends comes again with the same
bytes. Three failures in a row open the breaker for five minutes; people's trades have a breaker of
their own. Answers are read here and not by solders, whose parsers panic at an error without data.
"""

import base64
import math
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from presage import config, metrics
from presage.adapters import breaker
from presage.errors import SolanaError, UpstreamError

if TYPE_CHECKING:
    import httpx

NAME = "solana_rpc"
# A workflow stops at 20 s and ends at 28: four questions fit between, without repeats.
TIMEOUT_S = 2.0
ATTEMPTS = 3
BACKOFF_S = 0.2
MAX_WAIT_S = 0.5
MAX_STATUSES = 256
_OK = 200
_TOO_MANY = 429
_SERVER_ERROR = 500
# The node's own trouble: unhealthy, an internal error, behind the slot that was asked for.
_NODE_ERRORS = frozenset({-32005, -32603, -32016})
_NO_METHOD = -32601

_local = threading.local()

type Commitment = Literal["processed", "confirmed", "finalized"]


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line to the node: how often a read is tried, and the breaker that its failures open.

    `until` is of `time.monotonic()`: from then on nothing is tried again.
    """

    name: str
    limits: breaker.Limits
    attempts: int
    until: float = math.inf


# The platform's own sending, and what it watches the chain with.
OWN = Line(name=NAME, limits=breaker.Limits(failures=3, open_s=300), attempts=ATTEMPTS)
# People's quotes and trades: what they cause must not keep the platform from what it has to send.
# Four questions of two seconds fit into a route's ten; a repeat is the caller's.
TRADES = Line(name="solana_rpc_trades", limits=breaker.Limits(), attempts=1)


class RefusedError(SolanaError):
    """The node answered that it will not; `rpc_code` is its own, `err` what a preflight found."""

    def __init__(self, rpc_code: int, err: Any = None) -> None:  # noqa: ANN401 - JSON
        super().__init__(f"The node refuses this ({rpc_code}).")
        self.rpc_code = rpc_code
        self.err = err


@dataclass(frozen=True)
class Blockhash:
    """What a transaction names to be good until that block height."""

    text: str
    last_valid_block_height: int


@dataclass(frozen=True)
class Simulation:
    """What a transaction would do now. `err` is the RPC's, None when it would go well."""

    err: Any
    units: int


@dataclass(frozen=True)
class Finality:
    """Which block is final, in slots and in blocks."""

    slot: int
    block_height: int


@dataclass(frozen=True)
class Status:
    """How far a transaction has come; `err` is the RPC's, None when it went well."""

    slot: int
    commitment: Commitment
    err: Any


@dataclass(frozen=True)
class Statuses:
    """Statuses by signature as a node sees them at `slot`; None for what it does not know."""

    slot: int
    found: dict[str, Status | None]

    def rule_out(self, signature: str, last_valid_block_height: int, final: Finality) -> bool:
        """Whether a transaction never landed and never will, by a search that came after `final`.

        No block behind the final one may hold it; and, as behind one address may be nodes that are
        not equally far, it is absent only where the node that says so knows that final block.
        """
        return (
            self.found[signature] is None
            and last_valid_block_height < final.block_height
            and self.slot >= final.slot
        )


def is_configured() -> bool:
    """Whether there is a cluster to ask."""
    return bool(config.get("SOLANA_RPC_URL"))


def own(left_s: float) -> Line:
    """The platform's own line for who has so much time left: behind it nothing is tried again."""
    return replace(OWN, until=time.monotonic() + left_s)


def is_outage(error: Exception) -> bool:
    """Whether the node did not answer: the fault of nobody who asked, and over when it is over."""
    return isinstance(error, UpstreamError) and not isinstance(error, RefusedError)


def rpc(method: str, params: Sequence[Any], *, line: Line = OWN) -> Any:  # noqa: ANN401 - JSON
    """The result of a method.

    Raises:
        RefusedError: the node answered with an error of the request.
        breaker.OpenError: the node has failed repeatedly and is left alone.
        SolanaError: it did not answer, or not as a node does.
    """
    answer = breaker.guarded(line.name, lambda: _ask(method, params, line), line.limits)
    if "error" in answer:
        data = answer["error"].get("data")
        err = data.get("err") if isinstance(data, dict) else None
        raise RefusedError(answer["error"]["code"], err)
    return answer["result"]


def latest_blockhash(*, line: Line = OWN) -> Blockhash:
    """A blockhash that most nodes know already."""
    value = rpc("getLatestBlockhash", [{"commitment": "confirmed"}], line=line)["value"]
    return Blockhash(value["blockhash"], value["lastValidBlockHeight"])


def accounts(addresses: Sequence[str], *, line: Line = OWN) -> list[bytes | None]:
    """The data of up to 100 accounts on the confirmed state; None where there is none."""
    options = {"encoding": "base64", "commitment": "confirmed"}
    found = rpc("getMultipleAccounts", [list(addresses), options], line=line)["value"]
    return [base64.b64decode(one["data"][0]) if one else None for one in found]


def simulate(raw: str, *, line: Line = OWN) -> Simulation:
    """Run a transaction (base64, signed or not) on the confirmed state, keeping nothing of it."""
    options = {
        "encoding": "base64",
        "commitment": "confirmed",
        "replaceRecentBlockhash": True,
        "sigVerify": False,
    }
    value = rpc("simulateTransaction", [raw, options], line=line)["value"]
    return Simulation(value["err"], value.get("unitsConsumed") or 0)


def priority_fee(raw: str, *, line: Line = OWN) -> int:
    """The price of a compute unit that lands this transaction (base64), in micro-lamports.

    Protocol: Helius `getPriorityFeeEstimate`; a node that has no such method asks for nothing.
    """
    options = {"transactionEncoding": "base64", "recommended": True}
    try:
        asked = {"transaction": raw, "options": options}
        found = rpc("getPriorityFeeEstimate", [asked], line=line)
    except RefusedError as error:
        if error.rpc_code == _NO_METHOD:
            return 0
        raise
    return int(found["priorityFeeEstimate"])


def send(raw: str) -> None:
    """Hand a signed transaction (base64) to the network, which may lose it."""
    options = {"encoding": "base64", "skipPreflight": True, "maxRetries": 0}
    rpc("sendTransaction", [raw, options], line=replace(OWN, attempts=1))


def relay(raw: str, *, line: Line = OWN) -> None:
    """Hand somebody's signed transaction (base64) to the network, which sends it on by itself.

    Raises:
        RefusedError: a preflight on the confirmed state failed.
    """
    options = {"encoding": "base64", "preflightCommitment": "confirmed"}
    rpc("sendTransaction", [raw, options], line=line)


def finality(*, line: Line = OWN) -> Finality:
    """The last final block."""
    found = rpc("getEpochInfo", [{"commitment": "finalized"}], line=line)
    return Finality(found["absoluteSlot"], found["blockHeight"])


def statuses(signatures: Sequence[str], *, everything: bool = False, line: Line = OWN) -> Statuses:
    """Statuses of up to 256 signatures; `everything` looks past the node's recent ones."""
    options = {"searchTransactionHistory": everything}
    found = rpc("getSignatureStatuses", [signatures, options], line=line)
    return Statuses(
        found["context"]["slot"],
        {
            signature: None
            if one is None
            else Status(one["slot"], one["confirmationStatus"], one["err"])
            for signature, one in zip(signatures, found["value"], strict=True)
        },
    )


def _ask(method: str, params: Sequence[Any], line: Line) -> dict[str, Any]:
    """The whole answer, an error of the request included: that is no failure of the node."""
    for attempt in range(1, line.attempts + 1):
        try:
            return _once(method, params)
        except SolanaError as error:
            metrics.count("SolanaRpcFailures", method=method)
            if attempt == line.attempts or time.monotonic() >= line.until:
                raise
            wait_s = BACKOFF_S * attempt * (1 + random.random())  # noqa: S311 - jitter
            time.sleep(min(MAX_WAIT_S, max(wait_s, error.retry_after_s or 0)))
    raise SolanaError


def _client() -> "httpx.Client":
    """A thread's one client, for good: to make its TLS context takes longer than to ask."""
    import httpx

    kept: httpx.Client | None = getattr(_local, "client", None)
    if kept is None:
        kept = _local.client = httpx.Client()
    return kept


def close() -> None:
    """Close this thread's client."""
    kept: httpx.Client | None = getattr(_local, "client", None)
    if kept is not None:
        kept.close()
    _local.client = None


def _once(method: str, params: Sequence[Any]) -> dict[str, Any]:
    import httpx

    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
    try:
        response = _client().post(config.get("SOLANA_RPC_URL"), json=body, timeout=TIMEOUT_S)
        if response.status_code == _TOO_MANY:
            after = response.headers.get("retry-after", "")
            raise SolanaError(
                "The Solana RPC has had enough of us.",
                retry_after_s=int(after) if after.isdigit() else None,
            )
        answer = response.json()
    except httpx.HTTPError as error:
        # Not `from error`: its request holds the address, and with it the key.
        raise SolanaError(f"The Solana RPC did not answer ({type(error).__name__}).") from None
    except ValueError:
        raise SolanaError("The Solana RPC answered without JSON.") from None
    is_answer = isinstance(answer, dict) and ("result" in answer or "error" in answer)
    if response.status_code != _OK or not is_answer:
        raise SolanaError("The Solana RPC answered wrongly.")
    if "error" in answer and answer["error"]["code"] in _NODE_ERRORS:
        raise SolanaError("The Solana node is not well.")
    return dict(answer)
