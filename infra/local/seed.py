"""What `make dev` starts with: a few users with money, markets, resting orders and some trades.

Everything goes through the HTTP API but the money, which an operator brings. A second start finds
the first one's data and adds nothing: slugs, deposit references and client order ids are its keys.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.local import operations
from infra.local.client import ApiClient, ApiError, OrderRefusedError, Wallet
from infra.local.clock import now_ms
from infra.local.stack import Stack
from presage.money import MICROS

FUNDS_MICROS = 10_000 * MICROS
FEE_BPS, MAKER_REBATE_BPS = 200, 2_000
USERS = ("amina", "bilal", "chitra")
_NOT_FOUND = 404


@dataclass(frozen=True, kw_only=True)
class SeedMarket:
    """A market to propose, and where its makers think the price is (in hundredths)."""

    slug: str
    question: str
    question_bn: str | None
    category: str
    tags: tuple[str, ...]
    days: int
    price: int


MARKETS = (
    SeedMarket(
        slug="monsoon-rain-over-400-mm",
        question="Will Dhaka get more than 400 mm of rain in its wettest month this year?",
        question_bn="এ বছরের সবচেয়ে বৃষ্টিবহুল মাসে ঢাকায় কি ৪০০ মিলিমিটারের বেশি বৃষ্টি হবে?",  # noqa: RUF001 - Bengali digits
        category="weather",
        tags=("dhaka", "monsoon"),
        days=60,
        price=62,
    ),
    SeedMarket(
        slug="padma-bridge-record-day",
        question="Will the Padma Bridge set a new record for vehicles in one day this quarter?",
        question_bn=None,
        category="transport",
        tags=("padma", "bridge"),
        days=45,
        price=35,
    ),
    SeedMarket(
        slug="tigers-win-the-series",
        question="Will the Tigers win their next home one-day series?",
        question_bn="টাইগাররা কি তাদের পরের ঘরের মাঠের ওয়ানডে সিরিজ জিতবে?",
        category="cricket",
        tags=("cricket", "odi"),
        days=30,
        price=54,
    ),
    SeedMarket(
        slug="metro-line-opens-on-time",
        question="Will the next metro line open on its announced date?",
        question_bn=None,
        category="transport",
        tags=("metro", "dhaka"),
        days=120,
        price=21,
    ),
)


def seed(stack: Stack) -> list[str]:
    """Fill a stack, once; curl lines to try.

    Raises:
        ApiError: the platform refused what it should take.
    """
    with ApiClient(stack.base_url) as admin:
        admin.sign_in(_wallet("admin"))
        operations.promote(stack.database_urls["owner"], admin.address)
        users = {name: ApiClient(stack.base_url).sign_in(_wallet(name)) for name in USERS}
        funds = {user.user_id: FUNDS_MICROS for user in users.values()}
        operations.deposit(stack.env, now_ms(), funds, "seed")
        for market in MARKETS:
            market_id = _list(market, users["amina"], admin)
            if market_id is not None:
                _trade(market, market_id, users)
        for user in users.values():
            user.close()
    on_chain = _seed_chain(stack)
    slug = MARKETS[0].slug
    return [
        f"curl -s {stack.base_url}/health",
        f"curl -s '{stack.base_url}/markets?sort=volume'",
        f"curl -s '{stack.base_url}/markets/{slug}/book?outcome=YES'",
        *on_chain,
    ]


def _seed_chain(stack: Stack) -> list[str]:
    """The Solana half, where the stack has a cluster of its own; a curl line to try."""
    if not stack.solana_url:
        return []
    # By name: a stack without a cluster does not need solders.
    lines: list[str] = importlib.import_module("infra.local.seed_chain").seed_chain(stack)
    return lines


def _wallet(name: str) -> Wallet:
    return Wallet(f"presage:dev:{name}")


def _list(market: SeedMarket, creator: ApiClient, admin: ApiClient) -> str | None:
    """The id of the market once it is ACTIVE; None when it has gone on from there."""
    state, market_id = _find(market.slug, creator)
    if market_id is None:
        market_id, state = creator.propose_market(_proposal(market)), "PROPOSED"
    if state == "PROPOSED":
        admin.approve_market(market_id, FEE_BPS, MAKER_REBATE_BPS)
        state = "APPROVED"
    if state == "APPROVED":
        creator.activate_market(market_id)
        state = "ACTIVE"
    return market_id if state == "ACTIVE" else None


def _find(slug: str, api: ApiClient) -> tuple[str, str | None]:
    try:
        found = api.market(slug)
    except ApiError as error:
        if error.status == _NOT_FOUND:
            return "", None
        raise
    return found["state"], found["id"]


def _proposal(market: SeedMarket) -> dict[str, Any]:
    now = datetime.fromtimestamp(now_ms() // 1000, UTC)
    closes = now.replace(minute=0, second=0) + timedelta(days=market.days)
    return {
        "slug": market.slug,
        "question": market.question,
        "questionBn": market.question_bn,
        "description": "Made up for development.",
        "category": market.category,
        "tags": list(market.tags),
        "closesAt": closes.isoformat(),
    }


def _trade(market: SeedMarket, market_id: str, users: Mapping[str, ApiClient]) -> None:
    """Resting orders on both sides, and a few that take them."""
    price = market.price
    rests = [("YES", price - step, 40 + 20 * step) for step in (1, 2, 4)]
    rests += [("NO", 100 - price - step, 40 + 20 * step) for step in (1, 2, 4)]
    for number, (position, cents, shares) in enumerate(rests):
        maker = users["amina"] if number % 2 else users["bilal"]
        _place(maker, market_id, f"rest-{number}", position, "GTC", cents, shares)
    for number, (position, shares) in enumerate((("YES", 15), ("NO", 10), ("YES", 25))):
        cents = (price if position == "YES" else 100 - price) + 2
        _place(users["chitra"], market_id, f"take-{number}", position, "FAK", cents, shares)


def _place(
    user: ApiClient, market_id: str, key: str, position: str, kind: str, cents: int, shares: int
) -> None:
    """Buy; a second start answers the first one's order, whatever has become of it."""
    order = {
        "marketId": market_id,
        "side": "BUY",
        "position": position,
        "type": kind,
        "price": f"0.{cents:02d}",
        "size": shares,
        "clientOrderId": f"seed:{market_id}:{key}",
    }
    try:
        user.place_order(order)
    except OrderRefusedError:
        # Somebody has spent the money or closed the market since: development goes on.
        return
