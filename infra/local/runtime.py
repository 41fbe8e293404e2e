"""Functions run as on AWS: one process each, under AWS' own runtime client (awslambdaric).

The client asks a "Runtime API" for its next event and posts the answer back; this is that API.
Source: "Using the Lambda runtime API" in the Lambda developer guide. Processes start at first
use; past a cap, the least recently used idle one ends.
"""

import asyncio
import contextlib
import os
import sys
import time
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from infra.local.invocation import InvocationError
from infra.local.ports import LOOPBACK
from infra.local.template import Function

DEFAULT_CAP = 24
INIT_TIMEOUT_S = 10.0  # Lambda's own limit
_PREFIX = "/2018-06-01/runtime"
_TAIL_BYTES = 2_000


class FunctionProcess:
    """One function's process and its Runtime API. It serves one event at a time.

    `starting` lets a few of those that share it start at a time.
    """

    def __init__(
        self,
        function: Function,
        environment: Mapping[str, str],
        log_file: Path,
        starting: asyncio.Semaphore,
    ) -> None:
        self._function = function
        self._starting = starting
        self._environment = environment
        self._log_file = log_file
        self._turn = asyncio.Lock()
        self._calls = 0  # a lock between two holders does not show who waits for it
        self._ready = asyncio.Event()
        self._events: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self._answer: asyncio.Future[bytes] | None = None
        self._current_id = ""
        self._deadline_ms = 0
        self._server: asyncio.Server | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._exit: asyncio.Task[int] | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        """Whether an event is being served or waits."""
        return self._calls > 0

    async def invoke(self, event: bytes, request_id: str) -> Any:  # noqa: ANN401 - whatever a handler returns
        """Serve one event; raises InvocationError. A dead or killed process starts anew."""
        self._calls += 1
        try:
            return await self._invoke(event, request_id)
        finally:
            self._calls -= 1

    async def _invoke(self, event: bytes, request_id: str) -> Any:  # noqa: ANN401 - whatever a handler returns
        async with self._turn:
            if self._exit is None or self._exit.done():
                async with self._starting:
                    await self._start()
            assert self._exit is not None  # noqa: S101 - _start set it
            timeout_s = self._function.timeout_s
            self._current_id = request_id
            self._deadline_ms = int((time.time() + timeout_s) * 1_000)
            answer = self._answer = asyncio.get_running_loop().create_future()
            self._events.put_nowait((request_id, event))
            await asyncio.wait(
                {answer, self._exit}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            if answer.done():
                return orjson.loads(answer.result())
            ended = self._exit.done()
            await self.close()
            if ended:
                raise InvocationError(f"the process ended\n{self._tail()}")
            raise InvocationError(f"timed out after {timeout_s} s; the process was killed")

    async def _start(self) -> None:
        await self.close()
        self._ready.clear()
        self._events = asyncio.Queue()
        self._server = await asyncio.start_server(self._serve, LOOPBACK, 0)
        port: int = self._server.sockets[0].getsockname()[1]
        self._log_file.parent.mkdir(parents=True, exist_ok=True)
        with self._log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "awslambdaric",
                self._function.handler,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._function.code,
                env={**self._environment, "AWS_LAMBDA_RUNTIME_API": f"{LOOPBACK}:{port}"},
            )
        self._exit = asyncio.create_task(self._process.wait())
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait(
            {ready, self._exit}, timeout=INIT_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED
        )
        if not ready.done():
            ready.cancel()
            await self.close()
            raise InvocationError(f"initialisation failed\n{self._tail()}")

    async def close(self) -> None:
        """End the process and its API."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        if self._exit is not None:
            await self._exit
        if self._server is not None:
            self._server.close()
        for connection in self._connections:  # one may wait for an event that never comes
            connection.cancel()
        self._process = self._server = self._exit = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the runtime client, request after request."""
        connection = asyncio.current_task()
        assert connection is not None  # noqa: S101 - asyncio runs this in a task
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)
        with contextlib.suppress(
            ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError
        ):
            while (head := await reader.readuntil(b"\r\n\r\n")).strip():
                first, *lines = head.decode("latin-1").splitlines()
                path = first.split(" ")[1].removeprefix(_PREFIX)
                headers = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                writer.write(await self._respond(path, body))
                await writer.drain()
        writer.close()

    async def _respond(self, path: str, body: bytes) -> bytes:
        if path == "/invocation/next":
            self._ready.set()
            request_id, event = await self._events.get()
            return _http(
                "200 OK",
                event,
                {
                    "Content-Type": "application/json",
                    "Lambda-Runtime-Aws-Request-Id": request_id,
                    "Lambda-Runtime-Deadline-Ms": str(self._deadline_ms),
                    "Lambda-Runtime-Invoked-Function-Arn": _arn(self._function),
                },
            )
        answer = self._answer
        # An answer to an event that is over (its caller timed out) changes nothing.
        if answer is not None and not answer.done() and f"/{self._current_id}/" in path:
            if path.endswith("/response"):
                answer.set_result(body)
            elif path.endswith("/error"):
                answer.set_exception(InvocationError(body.decode(errors="replace")))
        return _http("202 Accepted", b'{"status":"OK"}', {"Content-Type": "application/json"})

    def _tail(self) -> str:
        return self._log_file.read_bytes()[-_TAIL_BYTES:].decode(errors="replace")


class RuntimeProcesses:
    """A Dispatcher over function processes. `root` is the folder of the template."""

    def __init__(self, root: Path, log_dir: Path, cap: int = DEFAULT_CAP) -> None:
        self._root = root.resolve()
        self._log_dir = log_dir
        self._cap = cap
        self._processes: OrderedDict[str, FunctionProcess] = OrderedDict()
        # Lambda's environments start on processors of their own; twenty at once would not on these.
        self._starting = asyncio.Semaphore(os.cpu_count() or 1)

    async def invoke(self, function: Function, event: dict[str, Any], request_id: str) -> Any:  # noqa: ANN401 - whatever a handler returns
        """Run the function in its process, starting it when needed."""
        name = function.logical_id
        process = self._processes.get(name)
        if process is None:
            log_file = self._log_dir / f"{name}.log"
            environment = self._environment(function)
            process = FunctionProcess(function, environment, log_file, self._starting)
            self._processes[name] = process
        self._processes.move_to_end(name)
        # Lambda's ids have no characters that mean something in a path; API Gateway's do.
        call = process.invoke(orjson.dumps(event), request_id.replace("/", "_"))
        try:
            return await call
        finally:
            await self._evict()

    async def _evict(self) -> None:
        idle = [name for name, process in self._processes.items() if not process.busy]
        excess = idle[: max(0, len(self._processes) - self._cap)]
        # Taken out before anything is awaited: another call evicts meanwhile.
        for process in [self._processes.pop(name) for name in excess]:
            await process.close()

    async def close(self) -> None:
        """End all processes."""
        for process in self._processes.values():
            await process.close()
        self._processes.clear()

    def running(self) -> list[str]:
        """Names of the functions that have a process, least recently used first."""
        return list(self._processes)

    def _environment(self, function: Function) -> dict[str, str]:
        """The template's variables, then the stack's, then what Lambda itself sets."""
        name = function.logical_id
        return {
            **function.environment,
            **os.environ,
            "_HANDLER": function.handler,
            "LAMBDA_TASK_ROOT": str(function.code),
            "PYTHONPATH": f"{function.code}{os.pathsep}{self._root / 'shared'}",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "local",
            "AWS_REGION": os.environ.get("AWS_REGION", "us-east-1"),
            "TZ": ":UTC",
        }


def _arn(function: Function) -> str:
    return f"arn:aws:lambda:us-east-1:000000000000:function:{function.logical_id}"


def _http(status: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items())]
    head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""])
    return head.encode() + body
