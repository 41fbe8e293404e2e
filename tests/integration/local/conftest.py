"""Servers and processes for the local stack's own tests."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.asgi import listening_line
from infra.local.homes import PROJECT_ROOT
from infra.local.ports import free_port
from infra.local.process import ChildProcess
from infra.local.valkey import Valkey


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
