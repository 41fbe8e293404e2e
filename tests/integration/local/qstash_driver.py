"""Drives the QStash emulator in tests: its clock, the vendor's client, signatures."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from qstash import QStash
from qstash import Receiver as Verifier
from qstash.message import PublishResponse

from infra.local.clock import set_clock

from .receiver import Arrival

TOKEN, CURRENT, NEXT = "qstash-token", f"sig_{'c' * 32}", f"sig_{'n' * 32}"
KEYS = ("--token", TOKEN, "--current-key", CURRENT, "--next-key", NEXT)
START_MS = 1_784_880_000_000  # 2026-07-24 08:00:00 UTC
SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000


@dataclass
class Driver:
    """Moves the clock and lets the emulator catch up."""

    url: str
    clock_file: Path
    client: QStash
    http: httpx.Client
    now_ms: int = START_MS

    def advance(self, by_ms: int = 0) -> dict[str, int]:
        """Move the clock and deliver what is due; the counts of what happened."""
        self.now_ms += by_ms
        set_clock(self.clock_file, self.now_ms)
        answer = self.control("advance")
        return {name: int(value) for name, value in answer.items()}

    def control(self, command: str, **settings: object) -> dict[str, float]:
        """Call a route that only the emulator has."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        url = f"{self.url}/_local/{command}"
        answer = self.http.post(url, json=settings, headers=headers).raise_for_status()
        result: dict[str, float] = answer.json()
        return result


@contextlib.contextmanager
def vendor(url: str, token: str = TOKEN) -> Iterator[QStash]:
    """The vendor's client, closed at the end (it offers no way to)."""
    client = QStash(token, base_url=url, retry=False)
    try:
        yield client
    finally:
        client.http._client.close()  # noqa: SLF001 - it has no close of its own


def publish(driver: Driver, url: str, body: object = None, **settings: object) -> PublishResponse:
    """Publish JSON to one URL with the vendor's client."""
    answer = driver.client.message.publish_json(url=url, body=body, **settings)  # type: ignore[arg-type]
    assert isinstance(answer, PublishResponse)
    return answer


def verify(arrival: Arrival, url: str, key: str = CURRENT, other: str = NEXT) -> None:
    """Check a delivery's signature with the vendor's receiver; raises SignatureError."""
    Verifier(key, other).verify(
        signature=arrival.headers["upstash-signature"], body=arrival.body.decode(), url=url
    )


def in_an_hour_of_ours(monkeypatch: pytest.MonkeyPatch, now_ms: int) -> None:
    """Let PyJWT, which the vendor's receiver uses, believe in the simulated time."""
    import jwt.api_jwt  # noqa: PLC0415 - only here

    class Clock(jwt.api_jwt.datetime):  # type: ignore[name-defined,misc]
        @classmethod
        def now(cls, tz: object = None) -> object:
            return cls.fromtimestamp(now_ms / 1_000, tz)

    monkeypatch.setattr(jwt.api_jwt, "datetime", Clock)
