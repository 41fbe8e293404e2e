"""An IPFS network for tests, and daily snapshots that are pinned there."""

from dataclasses import dataclass
from typing import Any

from infra.local.ipfs import IpfsNode
from presage import clock
from tests.harness import Platform

DAY_S = 86_400


@dataclass
class Network:
    """A node that pins, and two gateways of the same network, asked in this order."""

    node: IpfsNode
    first: IpfsNode
    second: IpfsNode


def next_day(platform: Platform, days: int = 1) -> None:
    """To a quarter past the next midnight (UTC)."""
    midnight = clock.floor_to(clock.now(), DAY_S)
    platform.set_clock(clock.to_ms(midnight) + days * DAY_S * 1000 + 900_000)


def run_snapshots(platform: Platform, **slot: str) -> dict[str, Any]:
    """One run that comes to its end; what it answers."""
    answer = platform.deliver("discussion_snapshot", slot or None)
    assert answer.status == 200, answer.body
    done: dict[str, Any] = answer.data
    return done


def now_text() -> str:
    """The simulated time as a slot."""
    return clock.from_ms(clock.now_ms()).isoformat()


def anchors(platform: Platform, market: str) -> list[dict[str, Any]]:
    """The snapshots of a market as it lists them, newest first."""
    listed: list[dict[str, Any]] = platform.call("list_anchors", id=market).data
    return listed


def letters(platform: Platform) -> list[tuple[str, str]]:
    """Every dead letter: its item and its status."""
    with platform.database.connect() as owner:
        return owner.execute("select item, status from dead_letters order by item").fetchall()
