"""Money survives what happens to it: servers killed with -9 under load, and repeated requests."""

import contextlib
import os
import secrets
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from infra.bench.settlement import HOLD
from infra.local import operations
from infra.local.client import ApiClient, Wallet
from infra.local.clock import now_ms
from infra.local.process import processes_in
from infra.local.stack import ANY_PORTS, Stack

ADMIN = Wallet("crash admin")
TRADERS = 6
FUNDS_MICROS = 10**12
DEADLINE_S = 40.0
COPIES = 50


@dataclass
class Trader:
    """A signed-in user over HTTP."""

    http: httpx.Client
    user_id: str

    def place(self, order: dict[str, Any]) -> httpx.Response:
        """Place an order and show the whole answer."""
        return self.http.post("/orders", json=order)


@dataclass
class World:
    """A durable stack, its market and its traders."""

    stack: Stack
    market: str
    traders: list[Trader]

    def order(self, trader: Trader, number: int, **fields: object) -> dict[str, Any]:
        """A buy near the middle: every other trader is on the other side."""
        position = ("YES", "NO")[self.traders.index(trader) % 2]
        return {
            "marketId": self.market,
            "side": "BUY",
            "position": position,
            "price": ("0.49", "0.50", "0.51", "0.52")[number % 4],
            "size": 1 + number % 7,
            "clientOrderId": secrets.token_hex(8),
        } | fields

    def audit(self) -> list[Any]:
        """What the books say against themselves."""
        return operations.audit(self.stack.env, now_ms())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Stack(
        tmp_path_factory.mktemp("crash") / "state",
        ports=ANY_PORTS,
        env={"BOOTSTRAP_ADMIN": ADMIN.address},
        stage="test",
        keep=False,
    ) as stack:
        with ApiClient(stack.base_url).sign_in(ADMIN) as admin:
            closes = datetime.now(UTC) + timedelta(days=1)
            market = admin.propose_market(
                {"question": "Does it survive?", "closesAt": closes.isoformat()}
            )
            admin.approve_market(market, 100, 2000)
            admin.activate_market(market)
        traders = [_trader(stack, number) for number in range(TRADERS)]
        funds = {trader.user_id: FUNDS_MICROS for trader in traders}
        operations.deposit(stack.env, now_ms(), funds, "crash")
        yield World(stack, market, traders)
        for trader in traders:
            trader.http.close()


def _trader(stack: Stack, number: int) -> Trader:
    wallet = Wallet(f"crash {number}")
    http = httpx.Client(
        base_url=stack.base_url, timeout=35, limits=httpx.Limits(max_connections=COPIES)
    )
    asked = {"address": wallet.address, "chain": "evm"}
    message = http.post("/auth/nonce", json=asked).json()["data"]["message"]
    signed = {"address": wallet.address, "message": message, "signature": wallet.sign(message)}
    connected = http.post("/auth/connect-wallet", json=signed).json()["data"]
    http.cookies.clear()
    http.headers["Authorization"] = f"Bearer {connected['token']}"
    return Trader(http, connected["session"]["user"]["id"])


@dataclass
class Load:
    """Traders placing orders until `stop`, each order repeated until it is answered."""

    world: World
    stop: threading.Event = field(default_factory=threading.Event)
    acknowledged: list[tuple[Trader, dict[str, Any], dict[str, Any]]] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)

    def run(self, trader: Trader) -> None:
        """One trader's part."""
        for number in range(500):
            if self.stop.is_set():
                return
            order = self.world.order(trader, number)
            while (answer := trader.place(order)).status_code != 201:
                if answer.status_code != 503:
                    self.unexpected.append(answer.text)
                    self.stop.set()
                    return
                self.failures.append(answer.status_code)
                if self.stop.wait(0.05):
                    return  # nobody was told anything of this one
            self.acknowledged.append((trader, order, answer.json()["data"]))

    def wait_for(self, more: int) -> None:
        """Wait until so many more orders have been acknowledged."""
        wanted, deadline = len(self.acknowledged) + more, time.monotonic() + DEADLINE_S
        while len(self.acknowledged) < wanted:
            assert time.monotonic() < deadline, (len(self.acknowledged), self.failures)
            assert self.unexpected == []
            time.sleep(0.01)


def _kill_postgres(stack: Stack) -> None:
    """Kill the postmaster and every backend at once, then start it on the same data."""
    server, port = stack.postgres, stack.postgres.port
    for pid in {server.pid, *processes_in(server.data_dir, "postgres")}:
        # A backend may have ended by itself once its postmaster was gone.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    server.stop()
    server.start(stack.state_dir / "postgres", port, log_file=stack.log_dir / "postgres.log")


def _kill_valkey(stack: Stack) -> None:
    """Kill it, leave it dead for a moment, and start an empty one."""
    server, port = stack.valkey, stack.valkey.port
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    time.sleep(0.5)
    server.start(stack.state_dir / "valkey", port, log_file=stack.log_dir / "valkey.log")


@pytest.mark.parametrize(("kill", "is_noticed"), [(_kill_postgres, True), (_kill_valkey, False)])
def test_a_server_killed_under_load_loses_nothing(
    world: World, kill: Callable[[Stack], None], *, is_noticed: bool
) -> None:
    load = Load(world)
    with ThreadPoolExecutor(TRADERS) as pool:
        runs = [pool.submit(load.run, trader) for trader in world.traders]
        try:
            load.wait_for(40)
            kill(world.stack)
            load.wait_for(40)
        finally:
            load.stop.set()
        for run in runs:
            run.result()
    # Without Postgres there is no trading; without Redis nobody notices.
    assert (len(load.failures) > 0) == is_noticed
    assert world.audit() == []
    with ThreadPoolExecutor(TRADERS) as pool:
        for first, repeated in pool.map(_repeat, load.acknowledged):
            assert repeated.status_code == 201
            assert repeated.headers["Idempotent-Replayed"] == "true"
            assert repeated.json()["data"] == first
    assert world.audit() == []


def _repeat(
    acknowledged: tuple[Trader, dict[str, Any], dict[str, Any]],
) -> tuple[dict[str, Any], httpx.Response]:
    trader, order, first = acknowledged
    return first, trader.place(order)


def test_a_settlement_killed_half_way_pays_everybody_once(world: World) -> None:
    holders, lots, chunk = 2_000, 300, 50
    owner_url, market = world.stack.database_urls["owner"], uuid.uuid4()
    with psycopg.connect(owner_url) as owner:
        owner.execute(
            "insert into markets (id, slug, question, state, final_payout_bps, finalized_at,"
            " closes_at, created_at, updated_at) values (%(id)s, %(id)s::text, 'Settled?',"
            " 'FINALIZED', '{10000,0}', now(), now(), now(), now())",
            {"id": market},
        )
        owner.execute(
            "insert into outcomes (market_id, outcome, label) values (%s, 0, 'YES')", (market,)
        )
        owner.execute(HOLD, {"market": market, "holders": holders, "lots": lots})
    chunks = 0

    def settle() -> None:
        nonlocal chunks
        with psycopg.connect(world.stack.database_urls["worker"], autocommit=True) as worker:
            done = False
            while not done:
                statement = "select done from settle_market(%s, %s, now())"
                row = worker.execute(statement, (market, chunk)).fetchone()
                done, chunks = bool(row and row[0]), chunks + 1

    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(settle)
        while chunks < holders // chunk // 4 and not run.done():
            time.sleep(0.001)
        _kill_postgres(world.stack)
        assert isinstance(run.exception(), psycopg.OperationalError)
    settle()
    with psycopg.connect(owner_url) as owner:
        paid = owner.execute(
            "select count(*), sum(amount_micros) from settlements where market_id = %s", (market,)
        ).fetchone()
        moved = owner.execute(
            "select count(*), count(distinct credit_account), sum(amount_micros) from transfers"
            " where market_id = %s and kind = 'payout'",
            (market,),
        ).fetchone()
    total = holders // 2 * lots * 10_000
    assert (paid, moved) == ((holders, total), (holders // 2, holders // 2, total))
    assert world.audit() == []


def test_fifty_copies_at_once_are_one_order(world: World) -> None:
    trader = world.traders[0]
    order = world.order(trader, 3)
    with ThreadPoolExecutor(COPIES) as pool:
        answers = list(pool.map(lambda _: trader.place(order), range(COPIES)))
    first = [one for one in answers if "Idempotent-Replayed" not in one.headers]
    assert [one.status_code for one in answers] == [201] * COPIES
    assert len(first) == 1
    assert [one.json()["data"] for one in answers] == [first[0].json()["data"]] * COPIES
    with psycopg.connect(world.stack.database_urls["owner"]) as owner:
        placed = owner.execute(
            "select count(*) from orders where client_order_id = %s", (order["clientOrderId"],)
        ).fetchone()
    assert placed == (1,)
    assert world.audit() == []


def test_fifty_different_orders_with_one_key_are_one_order(world: World) -> None:
    trader, key = world.traders[1], secrets.token_hex(8)
    orders = [
        world.order(trader, 0, size=1 + number, clientOrderId=key) for number in range(COPIES)
    ]
    with ThreadPoolExecutor(COPIES) as pool:
        answers = list(pool.map(trader.place, orders))
    placed = [one for one in answers if one.status_code == 201]
    refused = [one for one in answers if one.status_code == 409]
    assert (len(placed), len(refused)) == (1, COPIES - 1)
    assert {one.json()["code"] for one in refused} == {"IDEMPOTENCY_CONFLICT"}
    assert world.audit() == []


def test_a_refusal_consumes_no_key(world: World) -> None:
    trader = world.traders[2]
    order = world.order(trader, 0)
    refused = trader.place(order | {"size": 999_999_999})
    placed = trader.place(order)
    assert (refused.status_code, placed.status_code) == (402, 201)
    assert "Idempotent-Replayed" not in placed.headers
