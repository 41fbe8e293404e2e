"""What `make dev` begins with, in real time: once, however often it starts."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from infra.local import seed, seed_chain
from infra.local.stack import ANY_PORTS, Stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("dev")
    with Stack(
        folder / "state",
        ports=ANY_PORTS,
        durable=False,
        access_log=False,
        keep=False,
        mail=True,
        chain=True,
        ipfs=True,
    ) as started:
        yield started


def test_the_seed_trades_on_both_venues_once(stack: Stack) -> None:
    curls = seed.seed(stack)
    counted = _counts(stack)
    assert seed.seed(stack) == curls
    assert _counts(stack) == counted
    assert {table: count > 0 for table, count in counted.items()} == dict.fromkeys(counted, True)

    market = httpx.get(f"{stack.base_url}/markets/{seed_chain.SLUG}").json()["data"]
    assert (market["venue"], market["state"]) == ("solana", "ACTIVE")
    for curl in curls:
        answer = httpx.get(curl.removeprefix("curl -s ").strip("'"))
        assert answer.json()["success"] is True, curl
    shown = answer.json()["data"]["events"]
    assert [event["eventType"] for event in shown] == ["SharesBought"] * 3 + [
        "MarketActivated",
        "ProposalApproved",
    ]


def _counts(stack: Stack) -> dict[str, int]:
    tables = ("markets", "fills", "transfers", "chain_transactions", "comments")
    with psycopg.connect(stack.database_urls["owner"]) as owner:
        return {
            table: len(owner.execute(f"select from {table}".encode()).fetchall())
            for table in tables
        }
