"""One child process of the local stack: start it, watch it, stop it, read its log's end."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from infra.local.homes import SERVER_UID, is_root

TAIL_LINES = 20
_PROC = Path("/proc")


class StartError(RuntimeError):
    """A server of the local stack did not become ready."""


@dataclass
class ChildProcess:
    """A program with its output in `log_file`.

    It runs in a session of its own, so that Ctrl-C reaches only the supervisor, which stops
    children in order. `unprivileged` drops root's rights (no effect for an ordinary user).
    """

    name: str
    argv: Sequence[str]
    log_file: Path
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path = Path("/")
    unprivileged: bool = False
    _popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; 0 before the start."""
        return self._popen.pid if self._popen else 0

    def start(self) -> None:
        """Start the program; its readiness is for `wait_ready`."""
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        drop = self.unprivileged and is_root()
        with self.log_file.open("ab") as log:
            self._popen = subprocess.Popen(
                list(self.argv),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(self.env),
                cwd=self.cwd,
                start_new_session=True,
                user=SERVER_UID if drop else None,
                group=SERVER_UID if drop else None,
                extra_groups=[] if drop else None,
            )

    def exit_code(self) -> int | None:
        """The exit code of a process that ended, None while it runs or before its start."""
        return self._popen.poll() if self._popen else None

    def wait_ready(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Poll `ready` until it is true.

        Raises StartError with the log's end when the process dies or time is up.
        """
        deadline = time.monotonic() + timeout_s
        while not ready():
            code = self.exit_code()
            if code is not None:
                raise StartError(f"{self.name} ended with code {code}\n{self.tail()}")
            if time.monotonic() > deadline:
                raise StartError(f"{self.name} not ready in {timeout_s:.0f} s\n{self.tail()}")
            time.sleep(0.02)

    def stop(self, gentle: signal.Signals = signal.SIGTERM, grace_s: float = 10.0) -> None:
        """Ask the process to end; kill it after `grace_s` seconds."""
        if self._popen is None:
            return
        if self._popen.poll() is None:
            self._popen.send_signal(gentle)
            try:
                self._popen.wait(grace_s)
            except subprocess.TimeoutExpired:
                self._popen.kill()
                self._popen.wait()
        self._popen = None

    def tail(self, lines: int = TAIL_LINES) -> str:
        """The last lines of the log."""
        if not self.log_file.exists():
            return ""
        text = self.log_file.read_bytes()[-16_384:].decode(errors="replace")
        return "\n".join(text.splitlines()[-lines:])


def processes_in(folder: Path, program: str) -> list[int]:
    """Ids of processes of `program` whose working directory is `folder`.

    Empty where /proc is missing. The program's name keeps a shell in that folder out of it.
    """
    wanted = str(folder.resolve())
    found: list[int] = []
    for entry in _PROC.glob("[0-9]*"):
        try:
            same_folder = str((entry / "cwd").readlink()) == wanted
            if same_folder and (entry / "exe").readlink().name == program:
                found.append(int(entry.name))
        except OSError:  # it ended meanwhile, or belongs to somebody else
            continue
    return found


def clear_processes_in(folder: Path, program: str, timeout_s: float = 20.0) -> None:
    """Wait for what a killed server left running in its data folder to end.

    Backends of a killed Postgres end by themselves when idle and hold its shared memory until
    then; those still busy after a second are asked to end, and killed at half time.
    Raises StartError when something is still there after `timeout_s`.
    """
    started = time.monotonic()
    while left := processes_in(folder, program):
        waited = time.monotonic() - started
        if waited > timeout_s:
            raise StartError(f"processes {left} still use {folder}")
        if waited > 1:
            _signal_all(left, signal.SIGKILL if waited > timeout_s / 2 else signal.SIGINT)
        time.sleep(0.05)


def _signal_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
