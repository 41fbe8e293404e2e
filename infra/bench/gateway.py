"""A hundred keep-alive clients against the whole platform, handlers in the gateway's process."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from infra.bench.flow import FULL, BenchError, percentile
from infra.bench.load import Load, Measured
from infra.bench.registry import Figure, figure
from infra.local import homes, operations
from infra.local.client import ApiClient, Wallet
from infra.local.clock import now_ms
from infra.local.postgres import Postgres
from infra.local.stack import ANY_PORTS, Stack

CLIENTS = 100
REQUESTS = 100 if FULL else 30
PAUSE_MS = 500.0
FUNDS_MICROS = 10**12
ADMIN = Wallet("bench admin")


class Crowd:
    """The process of load generators."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.user_ids: list[str] = self._read()

    def carry_out(self, load: Load) -> Measured:
        """Have a load carried out."""
        if self._process.stdin is None:
            raise BenchError("the load generator has no input")
        self._process.stdin.write(orjson.dumps(asdict(load)).decode() + "\n")
        self._process.stdin.flush()
        return Measured(**self._read())

    def _read(self) -> Any:  # noqa: ANN401 - JSON
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise BenchError("the load generator ended")
        return orjson.loads(line)


@contextmanager
def crowd(stack: Stack, clients: int) -> Iterator[Crowd]:
    """Signed-in clients of a stack in a process of their own."""
    root = homes.PROJECT_ROOT
    port = stack.gateway_url.rpartition(":")[2]
    with subprocess.Popen(
        [sys.executable, "-m", "infra.bench.load", "--port", port, "--clients", str(clients)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env=os.environ | {"PYTHONPATH": f"{root / 'shared'}{os.pathsep}{root}"},
    ) as process:
        try:
            yield Crowd(process)
        finally:
            process.kill()


def open_market(stack: Stack) -> str:
    """A market that trades, with a fee and rebates; its id."""
    with ApiClient(stack.base_url).sign_in(ADMIN) as admin:
        closes = datetime.now(UTC) + timedelta(days=1)
        market = admin.propose_market(
            {"question": "Does it bear load?", "closesAt": closes.isoformat()}
        )
        admin.approve_market(market, 100, 2000)
        admin.activate_market(market)
    return market


def _measure() -> tuple[Measured, Measured, Measured]:
    """One client alone, the crowd with pauses, and the crowd without."""
    with tempfile.TemporaryDirectory(prefix="presage-bench-") as folder:
        stack = Stack(
            Path(folder) / "state",
            ports=ANY_PORTS,
            env={"BOOTSTRAP_ADMIN": ADMIN.address},
            access_log=False,
            keep=False,
        )
        with stack, crowd(stack, CLIENTS) as people:
            market = open_market(stack)
            funds = dict.fromkeys(people.user_ids, FUNDS_MICROS)
            operations.deposit(stack.env, now_ms(), funds, "bench")

            def carry_out(seed: int, clients: int, requests: int, pause_ms: float) -> Measured:
                return people.carry_out(
                    Load(
                        market=market,
                        clients=clients,
                        requests=requests,
                        pause_ms=pause_ms,
                        seed=seed,
                    )
                )

            carry_out(1, CLIENTS, 5, 0)  # handlers are imported and connections opened
            alone = carry_out(2, 1, 200, 0)
            paced = carry_out(3, CLIENTS, REQUESTS, PAUSE_MS)
            crowded = carry_out(4, CLIENTS, REQUESTS, 0)
            errors = alone.errors | paced.errors | crowded.errors
            if errors:
                raise BenchError(f"the platform refused requests: {errors}")
            if broken := operations.audit(stack.env, time.time_ns() // 1_000_000):
                raise BenchError(f"the audit found {broken[:3]}")
    return alone, paced, crowded


def _all(measured: Measured) -> list[float]:
    return [one for spent in measured.latencies_ms.values() for one in spent]


def _told(measured: Measured) -> str:
    spent, orders = _all(measured), measured.latencies_ms["order"]
    return (
        f"{len(spent) / measured.seconds:.0f} requests/s, p50 {percentile(spent, 50):.1f}, p95"
        f" {percentile(spent, 95):.1f}, p99 {percentile(spent, 99):.1f} ms (orders p95"
        f" {percentile(orders, 95):.1f})"
    )


@figure
def gateway_crowd(_server: Postgres) -> Figure:
    """People, who pause between two requests; what bots without pauses meet stands beside it."""
    alone, paced, crowded = _measure()
    return Figure(
        name="gateway_crowd",
        ours=percentile(_all(paced), 95),
        peer=percentile(_all(alone), 95),
        goal=200,
        unit="ms",
        better="lower",
        method=f"p95 of {CLIENTS} keep-alive clients, {REQUESTS} requests each, a random pause of"
        f" {PAUSE_MS:.0f} ms on average between two, a fifth orders, the rest reads, in process,"
        f" durable: {_told(paced)}. Without pauses, where a latency is the number of clients over"
        f" the throughput: {_told(crowded)}. Zero errors, an empty audit. Peer: one of these"
        f" clients alone without pauses, {_told(alone)}",
        goal_is_ratio=False,
    )
