"""Functions run in the gateway's own process, on worker threads: fast, for tests and replays.

A handler keeps its connection and per-request state in thread-locals, so threads never share
them. Unlike on AWS a handler that runs over its time is not killed: only its answer is lost.
"""

import asyncio
import importlib
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.invocation import InvocationError
from infra.local.template import Function

DEFAULT_THREADS = 16

type Handler = Callable[[dict[str, Any], Any], Any]


@dataclass(frozen=True)
class Context:
    """What Lambda passes beside the event."""

    function: Function
    aws_request_id: str
    deadline: float  # on the monotonic clock, seconds
    function_version: str = "$LATEST"
    log_stream_name: str = "local"
    client_context: None = None
    identity: None = None

    @property
    def function_name(self) -> str:
        """The function's name."""
        return self.function.logical_id

    @property
    def memory_limit_in_mb(self) -> str:
        """The configured memory, as text like Lambda's."""
        return str(self.function.memory_mb)

    @property
    def invoked_function_arn(self) -> str:
        """An ARN of the right shape."""
        return f"arn:aws:lambda:us-east-1:000000000000:function:{self.function_name}"

    @property
    def log_group_name(self) -> str:
        """The log group Lambda would write to."""
        return f"/aws/lambda/{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function's timeout."""
        return max(0, int((self.deadline - time.monotonic()) * 1_000))


class InProcess:
    """A Dispatcher on a pool of threads. `root` is the folder of the template."""

    def __init__(self, root: Path, threads: int = DEFAULT_THREADS) -> None:
        self._root = root.resolve()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="handler")
        self._handlers: dict[str, Handler] = {}
        self._importing = threading.Lock()
        for folder in (self._root, self._root / "shared"):
            if str(folder) not in sys.path:
                sys.path.insert(0, str(folder))

    async def invoke(self, function: Function, event: dict[str, Any], request_id: str) -> Any:  # noqa: ANN401 - whatever a handler returns
        """Run the handler on a worker thread."""
        loop = asyncio.get_running_loop()
        call = loop.run_in_executor(self._pool, self._call, function, event, request_id)
        done, _ = await asyncio.wait({call}, timeout=function.timeout_s)
        if not done:
            raise InvocationError(f"timed out after {function.timeout_s} s")
        return call.result()

    async def close(self) -> None:
        """Drop what waits; running handlers finish by themselves."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _call(self, function: Function, event: dict[str, Any], request_id: str) -> Any:  # noqa: ANN401 - whatever a handler returns
        context = Context(function, request_id, time.monotonic() + function.timeout_s)
        # The gateway outlives any handler, as Lambda's runtime does: whatever a handler raises,
        # sys.exit included, is its failed invocation.
        try:
            return self._handler(function)(event, context)
        except (Exception, SystemExit) as error:
            raise InvocationError("".join(traceback.format_exception(error))) from error

    def _handler(self, function: Function) -> Handler:
        handler = self._handlers.get(function.logical_id)
        if handler is None:
            with self._importing:
                handler = self._load(function)
                self._handlers[function.logical_id] = handler
        return handler

    def _load(self, function: Function) -> Handler:
        module, _, name = function.handler.rpartition(".")
        package = ".".join(function.code.relative_to(self._root).parts)
        handler: Handler = getattr(importlib.import_module(f"{package}.{module}"), name)
        return handler


def apply_environment(functions: Mapping[str, Function]) -> None:
    """Set the variables all functions agree on; one process has one environment.

    What the stack has set already wins, as it does under the runtime client.
    """
    seen: dict[str, set[str]] = {}
    for function in functions.values():
        for name, value in function.environment.items():
            seen.setdefault(name, set()).add(value)
    for name, values in seen.items():
        if len(values) == 1:
            os.environ.setdefault(name, next(iter(values)))
