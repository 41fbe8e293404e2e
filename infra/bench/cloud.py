"""Cloud-shaped surroundings on loopback: a round trip takes 0.5 ms more, a commit 1 ms more.

Round trips go through a proxy process that holds each flush of the client; commits wait by
Postgres' own `commit_delay`, which stands before the flush of the log.
"""

import argparse
import os
import socket
import subprocess
import sys
import threading
import time
from types import TracebackType
from typing import Self

import psycopg

from infra.bench.flow import percentile
from infra.local import homes
from infra.local.ports import LOOPBACK
from infra.local.postgres import Postgres

ROUND_TRIP_US = 500
COMMIT_US = 1000
_PROBES = 300


class CloudShape:
    """A delaying proxy before a server, for one of its databases. A context manager.

    Both delays hold for every role of that database, so for both sides of a comparison.
    """

    def __init__(self, server: Postgres, database: str) -> None:
        self._server = server
        self._database = database
        self._proxy: subprocess.Popen[str] | None = None
        self._port = 0
        self.told = ""

    def url(self, database: str, user: str = "postgres") -> str:
        """The URL of a database through the proxy."""
        return self._server.url(database, user).replace(f":{self._server.port}/", f":{self._port}/")

    def __enter__(self) -> Self:
        with psycopg.connect(self._server.url(), autocommit=True) as owner:
            # Zero siblings: the lone client of a benchmark waits too.
            for name, setting in (("commit_delay", COMMIT_US), ("commit_siblings", 0)):
                owner.execute(f'alter database "{self._database}" set {name} = {setting}')
        direct_us = self._round_trip_us(self._server.url(self._database))
        # What the proxy itself costs counts towards the delay: measure it, then hold the rest.
        overhead_us = self._measure_proxy(0) - direct_us
        self._stop()
        hold_us = max(0, round(ROUND_TRIP_US - overhead_us))
        added_us = self._measure_proxy(hold_us) - direct_us
        self.told = (
            f"through a loopback proxy that adds {added_us:.0f} us to a round trip of"
            f" {direct_us:.0f} us, and commit_delay = {COMMIT_US} us"
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def _measure_proxy(self, hold_us: int) -> float:
        self._start(hold_us)
        return self._round_trip_us(self.url(self._database))

    def _start(self, hold_us: int) -> None:
        root = homes.PROJECT_ROOT
        self._proxy = subprocess.Popen(
            [
                *(sys.executable, "-m", "infra.bench.cloud"),
                *("--port", str(self._server.port), "--hold-us", str(hold_us)),
            ],
            stdout=subprocess.PIPE,
            text=True,
            cwd=root,
            env=os.environ
            | {
                "PYTHONPATH": f"{root / 'shared'}{os.pathsep}{root}",
            },
        )
        if self._proxy.stdout is not None:
            self._port = int(self._proxy.stdout.readline())

    def _stop(self) -> None:
        proxy, self._proxy = self._proxy, None
        if proxy is not None:
            proxy.kill()
            proxy.communicate()

    @staticmethod
    def _round_trip_us(url: str) -> float:
        with psycopg.connect(url, autocommit=True) as connection:
            spent = []
            for _ in range(_PROBES):
                started = time.perf_counter()
                connection.execute("select 1")
                spent.append(time.perf_counter() - started)
        return percentile(spent, 50) * 1e6


def _forward(source: socket.socket, target: socket.socket, hold_s: float) -> None:
    while True:
        try:
            data = source.recv(262_144)
            if not data:
                target.shutdown(socket.SHUT_WR)
                return
            if hold_s:
                time.sleep(hold_s)
            target.sendall(data)
        except OSError:
            return


def main() -> None:
    """Forward to a port, holding what clients send; prints its own port first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--hold-us", type=int, required=True)
    options = parser.parse_args()
    listener = socket.create_server((LOOPBACK, 0))
    print(listener.getsockname()[1], flush=True)
    parent = os.getppid()
    listener.settimeout(1)
    while os.getppid() == parent:  # ends with the benchmark, whatever becomes of that
        try:
            client, _ = listener.accept()
        except TimeoutError:
            continue
        server = socket.create_connection((LOOPBACK, options.port))
        for one in (client, server):
            one.settimeout(None)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        hold_s = options.hold_us / 1e6
        for source, target, hold in ((client, server, hold_s), (server, client, 0.0)):
            threading.Thread(target=_forward, args=(source, target, hold), daemon=True).start()


if __name__ == "__main__":
    main()
