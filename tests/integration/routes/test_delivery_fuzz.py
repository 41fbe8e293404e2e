"""Deliveries with one thing broken, by the thousand: nothing raises and the rest is kept."""

import base64
import json
import random
from typing import Any

import pytest

from infra.local.deliveries import (
    GENESIS_S,
    PROGRAMME,
    Raw,
    data_line,
    key,
    market,
    of_events,
    ours,
    transaction,
    wallet,
)
from presage.chain.events import Event, MarketCreated, SharesBought, WinningsClaimed
from presage.events.indexing import Batch, index, read_delivery
from tests.adversarial import AUTHORITY, CASES, KEYS, by_cpi
from tests.harness import WEBHOOK_SECRET, Platform

PER_STORE = 500
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**63, 2**64, -(2**70), 1.5, 1e300, "", "x", "\0", "\n"),
    *([], {}, [[]], [None], {"": None}, "é" * 100, "Log truncated", PROGRAMME, AUTHORITY),
    *("Program data: ", f"Program {PROGRAMME} invoke [1]", f"Program {PROGRAMME} success"),
)
MARKETS = [market(f"fuzz {number}") for number in range(20)]


def _sound(number: int) -> Raw:
    bought = SharesBought(
        MARKETS[number % 20], wallet("a"), outcome=True, shares=1, cost=1, new_price_yes=1,
        timestamp=GENESIS_S,
    )  # fmt: skip
    return of_events(bought, name=f"sound {number}", slot=2_000 + number)


def _victim(number: int) -> Raw:
    """A transaction with something of everything that is read."""
    this = market(f"victim {number}")  # a market is made once
    events: list[Event] = [
        MarketCreated(this, wallet("a"), 10**11, 0, GENESIS_S),
        WinningsClaimed(wallet("x"), wallet("a"), outcome=None, amount=5, timestamp=GENESIS_S),
    ]
    return transaction(
        ours("Program log: Instruction: X", *map(data_line, events)),
        name=f"victim {number}",
        slot=2_000 + number,
        keys=KEYS,
        loaded={"writable": [key(wallet("w"))], "readonly": []},
        inner=[by_cpi(events[0], programme=1, accounts=(2,))],
    )


def _break(draw: random.Random, raw: Raw) -> Any:
    """The transaction with one place broken: put elsewhere, taken away, or bytes of it changed."""
    path: list[tuple[Any, Any]] = []
    place: Any = raw
    while isinstance(place, dict | list) and place and (len(path) < 2 or draw.random() < 0.8):
        name = draw.choice(list(place)) if isinstance(place, dict) else draw.randrange(len(place))
        path.append((place, name))
        place = place[name]
    parent, name = path[-1]
    match draw.randrange(4):
        case 0:
            parent[name] = draw.choice(ODD)
        case 1:
            del parent[name]
        case 2:
            parent[name] = _bent(draw, place) if isinstance(place, str) else draw.choice(ODD)
        case _:
            parent[name] = [place, place] if isinstance(parent, dict) else draw.choice(ODD)
    return raw


def _bent(draw: random.Random, text: str) -> str:
    """A text with characters changed, lost, doubled; the data of a log with bytes changed."""
    prefix, _, data = text.partition("Program data: ")
    if data and not prefix:
        raw = bytearray(base64.b64decode(data))
        for _ in range(draw.randint(1, 3)):
            raw[draw.randrange(len(raw))] = draw.randrange(256)
        return f"Program data: {base64.b64encode(raw).decode()}"
    at = draw.randrange(len(text) + 1)
    return text[:at] + draw.choice(("", "\n", "\0", "1", "]", " ", text)) + text[at + 1 :]


def _fuzz(platform: Platform, deliveries: int) -> None:
    draw = random.Random(deliveries)  # noqa: S311 - the same deliveries come again
    call = platform.as_zone("worker")
    stored, letters, sound = Batch(), set[str](), set[str]()
    for number in range(deliveries):
        pair = [_sound(number), _break(draw, _victim(number))]
        draw.shuffle(pair)
        body = json.dumps(pair).encode()
        if number % 10 == 0:
            at = draw.randrange(len(body))
            body = body[:at] + bytes([draw.randrange(256)]) + body[at + draw.randrange(3) :]
        batch = read_delivery(body)
        if number % 10:
            kept = [one for one in batch.transactions if one.slot == 2_000 + number]
            assert any(one.rows and one.rows[0].event_type == "SharesBought" for one in kept)
            assert len(batch.transactions) + len(batch.malformed) == 2
            sound.add(_sound(number)["transaction"]["signatures"][0])
        letters.update(one.item for one in batch.malformed)
        stored.transactions += batch.transactions
        stored.malformed += batch.malformed
        if number % PER_STORE == PER_STORE - 1:
            index(call, stored)
            stored = Batch()
    with platform.database.connect() as owner:
        indexed = owner.execute("select signature from chain_events").fetchall()
        kept_letters = owner.execute("select item from dead_letters").fetchall()
    assert sound <= {name for (name,) in indexed}
    assert letters == {item for (item,) in kept_letters}
    assert len(letters) > deliveries // 20


def test_ten_thousand_broken_deliveries(platform: Platform) -> None:
    _fuzz(platform, 10_000)


@pytest.mark.soak
def test_a_hundred_thousand_broken_deliveries(platform: Platform) -> None:
    _fuzz(platform, 100_000)


def test_what_was_made_to_deceive_is_kept_as_what_it_is(platform: Platform) -> None:
    call = platform.as_zone("worker")
    expected = set()
    for case in CASES.values():
        batch = read_delivery(json.dumps(case.delivery).encode())
        index(call, batch)
        rows = [row for one in batch.transactions for row in one.rows]
        expected |= {(row.signature, *told) for row, told in zip(rows, case.events, strict=True)}
    with platform.database.connect() as owner:
        kept = owner.execute(
            "select signature, ordinal, event_type, market from chain_events"
        ).fetchall()
    assert set(kept) == expected
    assert len(kept) == len(expected) > 30


@pytest.mark.parametrize("stem", ["receive_helius", "receive_events"])
def test_broken_deliveries_at_the_door(stem: str, platform: Platform) -> None:
    draw = random.Random(stem)  # noqa: S311 - as above
    for number in range(60):
        body = json.dumps([_sound(number), _break(draw, _victim(number))]).encode()
        headers = {"authorization": WEBHOOK_SECRET}
        answer = platform.invoke(stem, platform.event(stem, raw=body, headers=headers))
        assert (answer.status, answer.data["indexed"] > 0) == (200, True)
