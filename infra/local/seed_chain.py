"""The Solana half of what `make dev` starts with: a market that trades on the local cluster.

Wallets do by the HTTP API what they would do anywhere. Only the approval is an operator's, who has
the programme's admin key: ten wallets that sign in would wait for a minute.
"""

import time
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from infra.local import operations
from infra.local.client import ApiClient, ApiError
from infra.local.clock import now_ms
from infra.local.process import StartError
from infra.local.solana_wallet import ChainTrader, SolanaWallet
from infra.local.stack import Stack
from presage import clock
from presage.adapters import redis, solana_rpc
from presage.call import Call
from presage.chain import instructions, programme, sending

SLUG = "solana-rain-before-friday"
SOL = 1_000_000_000
POLL_S = 0.1
PATIENCE_S = 10.0
_NOT_FOUND = 404
_SETTINGS = (
    *("SOLANA_RPC_URL", "SOLANA_AUTHORITY_KEY", "ZMART_PROGRAM_ID"),
    *("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"),
)


def seed_chain(stack: Stack) -> list[str]:
    """Make one market on chain, once, with trades and a discussion; a curl line to try.

    Raises:
        ApiError: the platform refused what it should take.
        StartError: the cluster or its webhook did not answer.
    """
    market = _find(stack.base_url)
    if market is None:
        wallets = (SolanaWallet(f"presage:dev:{name}") for name in ("dipa", "emon"))
        dipa, emon = (ChainTrader(stack.base_url, wallet) for wallet in wallets)
        with closing(dipa), closing(emon):
            market = _made(stack, dipa, emon)
    return [f"curl -s '{stack.base_url}/events/{market}?limit=5'"]


def _find(base_url: str) -> str | None:
    """The market's id; without a session, of which an address opens only ten a minute."""
    with ApiClient(base_url) as anybody:
        try:
            return str(anybody.market(SLUG)["id"])
        except ApiError as error:
            if error.status == _NOT_FOUND:
                return None
            raise


def _made(stack: Stack, creator: ChainTrader, other: ChainTrader) -> str:
    for trader in (creator, other):
        _airdrop(stack.solana_url, trader.address)
    _until("airdrop", lambda: "airdrop" if _balance(stack.solana_url, other.address) else "")
    closes = datetime.fromtimestamp(now_ms() // 1000, UTC) + timedelta(days=30)
    market = creator.propose(
        {
            "slug": SLUG,
            "question": "Will it rain in Dhaka before Friday?",
            "description": "Made up for development; trades on the local cluster.",
            "category": "weather",
            "tags": ["dhaka", "solana"],
            "closesAt": closes.isoformat(),
            "bParameter": 1_000 * SOL,
            "initialLiquidity": 10 * SOL,
        }
    )
    _until("MarketCreated", lambda: _heard(creator, market))
    _approve(stack, market)
    _until("ProposalApproved", lambda: _heard(creator, market))
    creator.act("activate", market)
    _until("MarketActivated", lambda: _heard(creator, market))
    creator.buy(market, "YES", 5 * SOL)
    other.buy(market, "NO", 3 * SOL)
    other.buy(market, "YES", SOL)
    said = creator.api.post("/discussions", {"marketId": market, "content": "The clouds say yes."})
    answer = {"marketId": market, "content": "They said so last week.", "parentId": said["id"]}
    other.api.post("/discussions", answer)
    return market


def _approve(stack: Stack, market_id: str) -> None:
    """Record ten votes that nobody cast and approve the market, in one transaction."""
    with operations.worker_zone(stack.env, *_SETTINGS):
        authority = sending.authority().pubkey()
        on_chain = programme.chain_market_id(uuid.UUID(market_id))
        market = programme.market_address(on_chain)
        tally = instructions.build(
            "aggregate_proposal_votes",
            {"market": market, "backend_authority": authority},
            final_likes=10,
            final_dislikes=0,
        )
        approval = instructions.build("approve_proposal", {"market": market, "admin": authority})
        call = Call(zone="worker", now=clock.now(), request_id="seed", ip="127.0.0.1", actor=None)
        try:
            sending.submit(call, "approve_proposal", uuid.UUID(market_id), [tally, approval])
        finally:
            solana_rpc.close()
            redis.close()


def _airdrop(url: str, address: str) -> None:
    _rpc(url, "requestAirdrop", [address, 100 * SOL])


def _balance(url: str, address: str) -> int:
    balance: int = _rpc(url, "getBalance", [address, {"commitment": "confirmed"}])["value"]
    return balance


def _rpc(url: str, method: str, params: list[Any]) -> Any:  # noqa: ANN401 - JSON
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    answer = httpx.post(url, json=body, trust_env=False).raise_for_status()
    return answer.json()["result"]


def _heard(trader: ChainTrader, market: str) -> str:
    """The last event of a market that was indexed."""
    events = trader.api.get(f"/events/{market}", {"limit": 1})["events"]
    return str(events[0]["eventType"]) if events else ""


def _until(wanted: str, look: Callable[[], str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while look() != wanted:
        if time.monotonic() > deadline:
            raise StartError(f"the local cluster did not answer with {wanted}")
        time.sleep(POLL_S)
