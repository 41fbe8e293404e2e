"""What the stack's HTTP servers share: ASGI plumbing without a framework, and running it.

The bridge and the gateway sit on every request's path, so they read ASGI directly.
"""

import asyncio
import os
import socket
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

from infra.local.ports import LOOPBACK

type Scope = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
type Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
type Application = Callable[[Scope, Receive, Send], Awaitable[None]]
type Headers = list[tuple[bytes, bytes]]

JSON_HEADERS: Headers = [(b"content-type", b"application/json")]
PARENT_VARIABLE = "PRESAGE_PARENT_PID"
# Longer than any client keeps an idle connection: the client closes first, so no request is lost.
_KEEP_ALIVE_S = 3_600
_SHUTDOWN_GRACE_S = 3


class BodyTooLargeError(Exception):
    """The request's body is over the server's limit."""


class DisconnectedError(Exception):
    """The client went away before its body was complete."""


async def read_body(receive: Receive, limit_bytes: int) -> bytes:
    """The whole body; BodyTooLargeError as soon as it passes the limit."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        parts, size = [body], len(body)
        while message.get("more_body") and size <= limit_bytes:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise DisconnectedError
            part = message.get("body", b"")
            parts.append(part)
            size += len(part)
        body = b"".join(parts)
    if len(body) > limit_bytes:
        raise BodyTooLargeError
    return body


async def respond(send: Send, status: int, body: bytes, headers: Headers = JSON_HEADERS) -> None:
    """Send a whole response; the content length is added."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def answer_lifespan(receive: Receive, send: Send) -> None:
    """Acknowledge start-up, wait for the server to stop, acknowledge that."""
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


def end_if_failed(loop: asyncio.Task[None]) -> None:
    """An emulator that stopped delivering must not look alive: the supervisor sees it end."""
    if not loop.cancelled() and (error := loop.exception()) is not None:
        traceback.print_exception(error)
        os._exit(1)


def serve(application: Application, port: int) -> None:
    """Serve on loopback until SIGTERM or SIGINT, or until the supervisor is gone.

    The line it prints first tells a supervisor that this very process has the port.
    """
    end_with_parent()
    listener = socket.create_server((LOOPBACK, port), backlog=2_048)
    print(listening_line(os.getpid()), flush=True)
    config = uvicorn.Config(
        application,
        loop="uvloop",
        http="httptools",
        ws="none",
        # Otherwise X-Forwarded-For from loopback would replace the client's address.
        proxy_headers=False,
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_SHUTDOWN_GRACE_S,
    )
    uvicorn.Server(config).run(sockets=[listener])


def listening_line(pid: int) -> str:
    """What a server prints once connections to its port are its own."""
    return f"process {pid} listens"


def end_with_parent() -> None:
    """A supervisor killed with -9 cannot stop its children: they watch it themselves."""
    parent = int(os.environ.get(PARENT_VARIABLE, "0"))
    if not parent:
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(0)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
