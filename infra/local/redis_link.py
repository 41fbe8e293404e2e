"""One multiplexed connection to Redis: every request's commands leave in one write.

Redis answers in order, so requests of many callers share the connection and wait on a queue of
replies. That excludes commands that block or change the connection's state; the REST protocol
of Upstash does not offer those either.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import cast

import hiredis

from infra.local.ports import LOOPBACK

type Reply = bytes | int | RedisReplyError | list["Reply"] | None


class RedisReplyError(Exception):
    """An error reply; its text is Redis' own, code first ("ERR ...", "NOSCRIPT ...")."""


class RedisLostError(Exception):
    """Redis cannot be reached, or went away before it answered."""


class _Wire(asyncio.Protocol):
    """Replies of one connection, handed to the oldest waiting request."""

    def __init__(self) -> None:
        # Invalid UTF-8 must survive: replies stay bytes (hiredis decodes nothing by default).
        self._reader = hiredis.Reader(protocolError=RedisReplyError, replyError=RedisReplyError)
        self._waiting: deque[tuple[asyncio.Future[list[Reply]], list[Reply], int]] = deque()
        self.transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports quack like asyncio's without inheriting from them.
        self.transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            future, replies, wanted = self._waiting[0]
            replies.append(reply)
            if len(replies) == wanted:
                self._waiting.popleft()
                if not future.done():
                    future.set_result(replies)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        while self._waiting:
            future, _, _ = self._waiting.popleft()
            if not future.done():
                future.set_exception(RedisLostError(str(exc or "connection closed")))

    def send(self, packed: bytes, wanted: int) -> asyncio.Future[list[Reply]]:
        future: asyncio.Future[list[Reply]] = asyncio.get_running_loop().create_future()
        if self.transport is None:
            future.set_exception(RedisLostError("connection closed"))
            return future
        self._waiting.append((future, [], wanted))
        self.transport.write(packed)
        return future


class RedisLink:
    """Sends commands to the Redis on a loopback port; connects, and reconnects, when needed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._wire: _Wire | None = None
        self._connecting = asyncio.Lock()

    async def run(self, commands: Sequence[Sequence[bytes]]) -> list[Reply]:
        """Run the commands back to back; the replies in their order, errors among them.

        Raises RedisLostError when there is no answer.
        """
        wire = await self._connected()
        packed = b"".join(_packed(command) for command in commands)
        return await wire.send(packed, len(commands))

    async def _connected(self) -> _Wire:
        if self._wire is not None and self._wire.transport is not None:
            return self._wire
        async with self._connecting:
            if self._wire is None or self._wire.transport is None:
                loop = asyncio.get_running_loop()
                try:
                    _, self._wire = await loop.create_connection(_Wire, LOOPBACK, self._port)
                except OSError as error:
                    raise RedisLostError(str(error)) from error
        return self._wire


def _packed(command: Sequence[bytes]) -> bytes:
    """The RESP form of one command: an array of bulk strings."""
    parts = [b"*%d\r\n" % len(command)]
    for word in command:
        parts += (b"$%d\r\n" % len(word), word, b"\r\n")
    return b"".join(parts)
