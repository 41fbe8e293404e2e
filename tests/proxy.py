"""A loopback TCP proxy that counts flushes: how often the client speaks after the server did.

A pipeline is one flush however many messages it holds, and a request split over several packets is
one too, since the server has not answered in between. At a flush that a test names it cuts the
wire.
"""

import socket
import threading
from typing import Self


class FlushCounter:
    """Forwards to `port`; `flushes` counts what went to it since `reset`."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self.flushes = 0
        self.is_cut = False
        self._at: int | None = None
        self._after = False
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the other side has hung up already
        for thread in self._threads:
            thread.join(5)
        for one in self._sockets:
            one.close()

    def reset(self) -> None:
        """Start counting anew."""
        self.flushes = 0

    def arm(self, at: int | None, *, after: bool = False) -> None:
        """Count anew, and cut every connection at flush `at`, as if the client had died there.

        The server never hears of that flush, or with `after` its answer is lost. Until armed
        again nobody gets through.
        """
        self.flushes, self.is_cut, self._at, self._after = 0, False, at, after

    def _cuts(self, flushes: int) -> bool:
        return self._at is not None and flushes >= self._at

    def _cut(self, *wires: socket.socket) -> None:
        self.is_cut = True
        for wire in wires:
            try:
                wire.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(client)
            if self.is_cut:
                client.shutdown(socket.SHUT_RDWR)
                continue
            server = socket.create_connection(("127.0.0.1", self._target))
            self._sockets.append(server)
            client_spoke = threading.Event()
            self._start(self._forward, client, server, client_spoke, "out")
            self._start(self._forward, server, client, client_spoke, "in")

    def _forward(
        self, source: socket.socket, target: socket.socket, spoke: threading.Event, way: str
    ) -> None:
        while True:
            try:
                data = source.recv(65536)
                if not data:
                    return
                if way == "out" and not spoke.is_set():
                    spoke.set()
                    with self._lock:
                        self.flushes += 1
                        is_last = self._cuts(self.flushes)
                    if is_last and not self._after:
                        self._cut(source, target)
                        return
                elif way == "in":
                    spoke.clear()
                    if self._after and self._cuts(self.flushes):
                        self._cut(source, target)
                        return
                target.sendall(data)
            except OSError:
                return
