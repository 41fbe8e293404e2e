"""A Valkey behind the REST bridge, and every way of losing it."""

import os
import signal
import sys
from pathlib import Path
from typing import Any, Self

import httpx

from infra.local.homes import PROJECT_ROOT
from infra.local.ports import free_port, wait_accepting
from infra.local.process import ChildProcess
from infra.local.valkey import Valkey

TOKEN = "test-token"


class RedisServer:
    """One Valkey and its bridge; `url` stays while either is away."""

    def __init__(self, folder: Path) -> None:
        self._valkey = Valkey()
        self._valkey_port = free_port()
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._bridge = ChildProcess(
            name="upstash",
            argv=[
                *(sys.executable, "-m", "infra.local.upstash", "--port", str(self._port)),
                *("--redis-port", str(self._valkey_port), "--token", TOKEN),
            ],
            log_file=folder / "bridge.log",
            env=os.environ | {"PYTHONPATH": f"{PROJECT_ROOT}/shared:{PROJECT_ROOT}"},
            cwd=PROJECT_ROOT,
        )

    def __enter__(self) -> Self:
        self.restore()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self.stop()

    def command(self, *words: str | int) -> Any:
        """One command's result, past whatever the platform thinks of this server."""
        authorized = {"Authorization": f"Bearer {TOKEN}"}
        answer = httpx.post(self.url, json=list(words), headers=authorized).raise_for_status()
        return answer.json()["result"]

    def wipe(self) -> None:
        """Forget everything."""
        self.command("FLUSHALL")

    def stop(self) -> None:
        """End the server, and with it all it knew; the bridge stays and says so."""
        self._valkey.stop()

    def hang(self) -> None:
        """The server takes connections and answers nothing."""
        os.kill(self._valkey.pid, signal.SIGSTOP)

    def cut(self) -> None:
        """Nobody reaches the server, which keeps what it knows."""
        self._bridge.stop(grace_s=5)

    def restore(self) -> None:
        """Undo `stop`, `hang` and `cut`."""
        if self._valkey.pid:
            os.kill(self._valkey.pid, signal.SIGCONT)
        else:
            self._valkey.start(port=self._valkey_port)
        if not self._bridge.pid:
            self._bridge.start()
        self._bridge.wait_ready(lambda: wait_accepting(self._port, 0.0), 20)
