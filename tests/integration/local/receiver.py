"""A destination for QStash deliveries: records what arrives, answers as told."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


@dataclass(frozen=True)
class Arrival:
    """One request as it arrived; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What the destination answers."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"done"


type Script = Callable[[Arrival], Reply]


class Receiver:
    """An HTTP server on a free loopback port."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.script: Script = lambda _: Reply()
        self._changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(length)
                reply = receiver.take(Arrival(self.command, self.path, headers, body))
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, *_: object) -> None:
                """Say nothing: the arrivals are the record."""

        for verb in ("GET", "POST", "PUT", "DELETE", "PATCH"):
            setattr(Handler, f"do_{verb}", Handler.handle_any)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def take(self, arrival: Arrival) -> Reply:
        """Record an arrival and decide the answer."""
        with self._changed:
            self.arrivals.append(arrival)
            self._changed.notify_all()
        return self.script(arrival)

    def wait_for(self, count: int, timeout_s: float = 5.0) -> list[Arrival]:
        """Wait until that many requests have arrived in all."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.arrivals) >= count, timeout_s)
            return list(self.arrivals)

    def paths(self) -> list[str]:
        """The paths in the order of arrival."""
        return [one.path for one in self.arrivals]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
