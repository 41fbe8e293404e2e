"""The platform as it follows an emulated cluster, and nodes that do not tell everything."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from solders.pubkey import Pubkey

from infra.local.asgi import Receive, Scope, Send, answer_lifespan, read_body, respond
from infra.reindex import reindex
from presage.adapters import redis
from presage.chain.accounts import MarketAccount
from presage.chain.programme import MarketState
from tests.chain_history import tables
from tests.cluster import Cluster
from tests.harness import Platform

JSON_TYPE = [(b"content-type", b"application/json")]

type Answer = dict[str, Any]
type Change = Callable[[str, list[Any], Answer], Answer | int]


def reconcile(platform: Platform, status: str = "completed") -> dict[str, int]:
    """One run, its slices too; what it counted."""
    platform.advance(600)
    done = platform.deliver("event_reconciliation").data
    assert done["status"] == status, done
    return dict(done["counts"])


def delivered(cluster: Cluster, signature: str) -> dict[str, Any]:
    """A transaction as the webhook would bring it."""
    raw = cluster.transaction(signature)
    order = cluster.rpc(
        "getBlock", raw["slot"], {"transactionDetails": "signatures", "commitment": "confirmed"}
    )["signatures"]
    return raw | {"indexWithinBlock": order.index(signature)}


def all_tables(platform: Platform) -> dict[str, list[tuple[Any, ...]]]:
    """All that the chain's events make."""
    with platform.database.connect() as owner:
        return tables(owner)


def agrees(platform: Platform, cluster: Cluster, address: Pubkey) -> None:
    """A market's row is what its account holds."""
    account = cluster.account(MarketAccount, address)
    [row] = platform.rows(
        "select state, shares_yes, shares_no, b_parameter from chain_markets"  # noqa: S608 - ours
        f" where address = '{address}'",
    )
    state = MarketState(account.state).name
    assert row == (state, account.shares_yes, account.shares_no, account.b_parameter)


def lose(platform: Platform, signature: str) -> None:
    """Forget a transaction's events, as if its logs had been cut off for good."""
    with platform.database.connect() as owner:
        owner.execute("delete from chain_events where signature = %s", (signature,))
    reindex(platform.database.url())


def flush_breakers(platform: Platform) -> None:
    """Close the breaker, which Redis keeps open by its own clock."""
    assert platform
    redis.flush([("DEL", f"breaker:solana_rpc:{part}") for part in ("open", "failures", "probe")])


def told(capsys: pytest.CaptureFixture[str], metric: str) -> list[float]:
    """The values of a metric that were published since the last look."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line[metric][0] for line in lines if metric in line]


@dataclass
class OtherNode:
    """The cluster's RPC as an ASGI application; `change` may change an answer.

    It is given the method, its parameters and the whole answer, and gives the answer, or the status
    of an answer that is none.
    """

    cluster: Cluster
    change: Change

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back."""
        if scope["type"] == "lifespan":
            await answer_lifespan(receive, send)
            return
        body = await read_body(receive, 1_000_000)
        async with httpx.AsyncClient() as client:
            answer = (await client.post(self.cluster.url, content=body)).json()
        asked = json.loads(body)
        changed = self.change(asked["method"], asked["params"], answer)
        if isinstance(changed, int):
            await respond(send, changed, b"", JSON_TYPE)
        else:
            await respond(send, 200, json.dumps(changed).encode(), JSON_TYPE)


def cut_off(raw: dict[str, Any]) -> dict[str, Any]:
    """A transaction whose logs end early."""
    lines = [*raw["meta"]["logMessages"][:1], "Log truncated"]
    return raw | {"meta": raw["meta"] | {"logMessages": lines}}
