"""Keeps a set of running servers: starts in order, notices a death, stops in reverse order."""

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Protocol, Self

from infra.local.process import StartError

_POLL_S = 0.2
_TAIL_BYTES = 4_096
_TAIL_LINES = 20
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

type Progress = Callable[[str], None]


class ChildDiedError(RuntimeError):
    """A server of the stack ended by itself; the text has the end of its log."""


class Service(Protocol):
    """A running server."""

    @property
    def log_file(self) -> Path:
        """Where it writes its log."""
        ...

    def exit_code(self) -> int | None:
        """None while it runs."""
        ...

    def stop(self) -> None:
        """Ask it to end, and make it."""
        ...


class Supervisor:
    """Servers by name, in the order of their start. A context manager that stops them."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._services: dict[str, Service] = {}

    def start[S: Service](self, name: str, launch: Callable[[], S]) -> S:
        """Run `launch`, which returns once the server is ready or raises StartError."""
        started = time.monotonic()
        service = launch()
        self._services[name] = service
        self._progress(f"{name:<10} ready in {time.monotonic() - started:.2f} s")
        return service

    def adopt(self, name: str, service: Service) -> None:
        """Take over a server that has been started already, ready or not."""
        self._services[name] = service

    def check(self) -> None:
        """Raise ChildDiedError when a server has ended by itself."""
        for name, service in self._services.items():
            code = service.exit_code()
            if code is not None:
                raise ChildDiedError(f"{name} ended with code {code}\n{_tail(service.log_file)}")

    def watch(self) -> None:
        """Sleep until a server dies (ChildDiedError) or a signal interrupts."""
        while True:
            self.check()
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """Stop all, last started first. Errors of one do not spare the others."""
        failures: list[Exception] = []
        while self._services:
            name, service = self._services.popitem()
            try:
                service.stop()
            except (OSError, StartError) as error:
                failures.append(error)
                self._progress(f"{name}: {error}")
        if failures:
            raise ExceptionGroup("servers did not stop", failures)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with ignoring_signals():
            self.stop()


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP interrupt like Ctrl-C, so that `with` blocks clean up after all three."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _ENDING}
    try:
        yield
    finally:
        _put_back(before)


@contextmanager
def ignoring_signals() -> Iterator[None]:
    """A second Ctrl-C must not interrupt the clean-up of the first.

    Outside the main thread signals cannot be set, and do not arrive either.
    """
    try:
        before = {number: signal.signal(number, signal.SIG_IGN) for number in _ENDING}
    except ValueError:
        before = {}
    try:
        yield
    finally:
        _put_back(before)


def _put_back(before: Mapping[signal.Signals, object]) -> None:
    for number, handler in before.items():
        signal.signal(number, handler if callable(handler) else signal.SIG_DFL)


def _tail(log_file: Path) -> str:
    if not log_file.exists():
        return ""
    text = log_file.read_bytes()[-_TAIL_BYTES:].decode(errors="replace")
    return "\n".join(text.splitlines()[-_TAIL_LINES:])
