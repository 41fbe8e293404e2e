"""Who may call what: every route of the table by every kind of caller.

What is expected follows from the route's row. An event is sent as it stands, its market, order and
key made for the caller: whatever else is wrong with it, a caller who may call is never answered 401
or 403, and one who may not always is.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from presage.routes import ROUTES, Route
from tests.harness import Answer, Platform, Wallet
from tests.integration.routes.conftest import ADMIN_KEY

EVENTS = Path(__file__).resolve().parents[3] / "events"
MARKET = "00000000-0000-4000-8000-000000000001"
ORDER = "00000000-0000-4000-8000-000000000002"
THING = "00000000-0000-4000-8000-000000000003"

# A closed-only account may not open positions: the service refuses, not the row.
OPENING = {"place_order", "split_position", "convert_position"}
# Ends the caller's own sessions, so it comes last.
LAST = {"logout"}

_addresses = count(1)


@dataclass(frozen=True)
class World:
    """Markets that trade, of two and of several outcomes, and what the caller has in them."""

    platform: Platform
    admin: Wallet
    wallet: Wallet
    market: str
    cities: str
    order: str
    key: str

    @property
    def things(self) -> dict[str, str]:
        """What a user owns, by the name of the path parameter that says which."""
        return {"order_id": self.order, "key_id": self.key}


def _world(platform: Platform) -> World:
    platform.advance(120)  # past the limits that the last case has used up
    admin, wallet = platform.sign_in(ADMIN_KEY), platform.sign_in()
    platform.fund(wallet, 1_000_000_000)
    market, cities = platform.active_market(admin, wallet), platform.cities(admin, wallet)
    for place in (market, cities):
        body = {"marketId": place, "outcome": "0", "size": 50}
        split = {"idempotency-key": place}
        done = platform.call("split_position", token=wallet.token, body=body, headers=split)
        assert done.status == 201, done.body
    order = platform.order(wallet, market, side="BUY", price=0.01, size=5).data["id"]
    made = platform.call(
        "create_api_key", token=wallet.token, body={"name": "mine", "scopes": ["read"]}
    ).data
    return World(platform, admin, wallet, market, cities, order, made["id"])


def _send(
    world: World, stem: str, credential: Mapping[str, str], swap: Mapping[str, str] | None = None
) -> Answer:
    """A route's own event, from an address that no limit knows."""
    text = (EVENTS / f"{stem}.json").read_text(encoding="utf-8")
    market = world.cities if stem == "convert_position" else world.market
    known = {MARKET: market, ORDER: world.order} | dict(swap or {})
    for name, value in known.items():
        text = text.replace(name, value)
    event = json.loads(text)
    for header in ("authorization", "upstash-signature"):
        event["headers"].pop(header, None)
    event["headers"] |= credential
    number = next(_addresses)
    event["requestContext"]["http"]["sourceIp"] = f"10.9.{number // 250}.{number % 250}"
    return world.platform.invoke(stem, event)


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def _refusal(route: Route, caller: str) -> int | None:
    """The status that a caller gets from a route that they may not call, by its row."""
    scopes, is_admin = CALLERS[caller].may, CALLERS[caller].is_admin
    if route.auth == "public":
        return None
    if route.zone == "worker" or scopes is None:
        return 401
    if route.scope not in scopes or (route.auth == "admin" and not is_admin):
        return 403
    return None


@dataclass(frozen=True)
class Caller:
    """A kind of caller: how it shows itself, the scopes it has (None: nobody) and its role."""

    show: Callable[[World], dict[str, str]]
    may: frozenset[str] | None
    is_admin: bool = False


EVERYTHING = frozenset({"read", "trade", "admin", "session"})
CALLERS = {
    "anonymous": Caller(lambda _: {}, None),
    "unknown session": Caller(lambda _: _bearer("x" * 43), None),
    "unknown key": Caller(lambda _: _bearer("psg_" + "x" * 43), None),
    "user": Caller(lambda w: _bearer(w.wallet.token), EVERYTHING),
    "closed-only": Caller(lambda w: _closed(w), EVERYTHING),  # noqa: PLW0108 - defined below
    "read key": Caller(
        lambda w: _bearer(w.platform.api_key(w.wallet, "read")), frozenset({"read"})
    ),
    "trade key": Caller(
        lambda w: _bearer(w.platform.api_key(w.wallet, "trade")), frozenset({"read", "trade"})
    ),
    "service key": Caller(
        lambda w: {"x-service-key": w.platform.api_key(w.admin, "service")}, frozenset({"read"})
    ),
    "admin": Caller(lambda w: _bearer(w.admin.token), EVERYTHING, is_admin=True),
    "admin's read key": Caller(
        lambda w: _bearer(w.platform.api_key(w.admin, "read")),
        frozenset({"read"}),
        is_admin=True,
    ),
    "admin's trade key": Caller(
        lambda w: _bearer(w.platform.api_key(w.admin, "trade")),
        frozenset({"read", "trade"}),
        is_admin=True,
    ),
    "admin's admin key": Caller(
        lambda w: _bearer(w.platform.api_key(w.admin, "admin")),
        frozenset({"read", "trade", "admin"}),
        is_admin=True,
    ),
}


def _closed(world: World) -> dict[str, str]:
    done = world.platform.call(
        "update_user",
        token=world.admin.token,
        user_id=world.wallet.user_id,
        body={"closedOnly": True},
    )
    assert done.status == 200
    return _bearer(world.wallet.token)


@pytest.mark.parametrize("caller", CALLERS)
def test_every_route_lets_in_whom_its_row_says(caller: str, module_platform: Platform) -> None:
    world = _world(module_platform)
    credential = CALLERS[caller].show(world)
    expected: dict[str, int | None] = {}
    actual: dict[str, int | None] = {}
    for stem in sorted(ROUTES, key=lambda stem: (stem in LAST, stem)):
        expected[stem] = _refusal(ROUTES[stem], caller)
        status = int(_send(world, stem, credential).status)
        actual[stem] = status if status in {401, 403} else None
        assert status < 500, stem
        assert status != 429, stem
    if caller == "closed-only":
        expected |= dict.fromkeys(OPENING, 403)
    assert expected == actual


# Everybody sees these; who may take a comment back is tested with discussions.
SEEN_BY_ALL = {"like_comment", "delete_comment"}
OWNED = [
    stem
    for stem, route in ROUTES.items()
    if stem not in SEEN_BY_ALL
    and route.auth == "user"
    and set(re.findall(r"{(\w+)}", route.path)) - {"market_id"}
]


@pytest.mark.parametrize("stem", OWNED)
def test_another_user_finds_nothing_of_the_first_ones(stem: str, module_platform: Platform) -> None:
    world = _world(module_platform)
    other = module_platform.sign_in()
    [name] = set(re.findall(r"{(\w+)}", ROUTES[stem].path)) - {"market_id"}
    swap = {THING: world.things[name]}
    before = _mine(world)
    assert _send(world, stem, _bearer(other.token), swap).status == 404
    assert _mine(world) == before
    assert _send(world, stem, _bearer(world.wallet.token), swap).status < 300


READS = [
    stem
    for stem, route in ROUTES.items()
    if route.auth == "user" and route.method == "GET" and stem not in OWNED
]


def test_another_users_lists_hold_nothing_of_the_first_ones(module_platform: Platform) -> None:
    world = _world(module_platform)
    other = module_platform.sign_in()
    shown: dict[str, Any] = {}
    for stem in READS:
        text = _send(world, stem, _bearer(other.token)).text
        for secret in (*world.things.values(), str(world.wallet.user_id), world.wallet.address):
            if secret in text:
                shown[stem] = secret
    assert shown == {}
    # The first user sees them, or the test would prove nothing.
    mine = "".join(_send(world, stem, _bearer(world.wallet.token)).text for stem in READS)
    for thing in (*world.things.values(), world.wallet.address):
        assert thing in mine


def _mine(world: World) -> dict[str, Any]:
    """What the first user owns, as the database has it."""
    with world.platform.database.connect() as owner:
        return {
            table: owner.execute(
                f"select {table}::text from {table} where user_id = %s order by 1".encode(),  # noqa: S608 - names of ours
                (world.wallet.user_id,),
            ).fetchall()
            for table in ("orders", "api_keys", "positions", "accounts")
        }
