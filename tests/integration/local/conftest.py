"""Servers and processes for the local stack's own tests."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from infra.local.asgi import listening_line
from infra.local.clock import set_clock
from infra.local.homes import PROJECT_ROOT
from infra.local.ports import free_port
from infra.local.process import ChildProcess
from infra.local.stack import PROGRAM_ID
from infra.local.valkey import Valkey
from tests.cluster import Cluster

from .qstash_driver import KEYS, START_MS, Driver, vendor
from .receiver import Receiver
from .solana_scene import Scene


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    """One throw-away Valkey for the whole run."""
    with Valkey() as server:
        yield server


@contextlib.contextmanager
def run_module(
    module: str, folder: Path, *arguments: str, env: dict[str, str] | None = None
) -> Iterator[int]:
    """Run `python -m module --port N arguments`; yields the port it listens on."""
    port = free_port()
    child = ChildProcess(
        name=module,
        argv=[sys.executable, "-m", module, "--port", str(port), *arguments],
        log_file=folder / f"{module}-{port}.log",
        env=os.environ | {"PYTHONPATH": f"{PROJECT_ROOT}/shared:{PROJECT_ROOT}"} | (env or {}),
        cwd=PROJECT_ROOT,
    )
    child.start()
    try:
        child.wait_ready(lambda: listening_line(child.pid) in child.tail(), 20)
        yield port
    finally:
        child.stop(grace_s=5)


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    folder = tmp_path_factory.mktemp("qstash")
    clock_file = folder / "clock"
    set_clock(clock_file, START_MS)
    environment = {"PRESAGE_CLOCK_FILE": str(clock_file)}
    with run_module("infra.local.qstash", folder, *KEYS, env=environment) as port:
        url = f"http://127.0.0.1:{port}"
        with vendor(url) as client, httpx.Client(timeout=30) as http:
            yield Driver(url, clock_file, client, http)


@pytest.fixture
def receiver(driver: Driver) -> Iterator[Receiver]:
    with Receiver() as server:
        yield server
    for schedule in driver.client.schedule.list():
        driver.client.schedule.delete(schedule.schedule_id)
    driver.client.message.cancel_all()
    driver.client.dlq.delete_many([one.dlq_id for one in driver.client.dlq.list().messages])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Solana cluster in simulated time for a module; its tests make markets of their own."""
    clock_file = tmp_path_factory.mktemp("solana") / "clock"
    set_clock(clock_file, START_MS)
    with pytest.MonkeyPatch.context() as patch, Cluster(clock_file) as running:
        patch.setenv("ZMART_PROGRAM_ID", PROGRAM_ID)
        yield running


@pytest.fixture
def scene(cluster: Cluster) -> Scene:
    """Two wallets with money."""
    return Scene(cluster, cluster.wallet(100), cluster.wallet(100))
