"""Bookmarks and follows, and what followers, makers and holders are told."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from presage.notifications import service as notifications
from presage.ops import escalations
from tests.harness import Platform, Wallet


def _told(platform: Platform, wallet: Wallet, **query: Any) -> list[dict[str, Any]]:
    answer = platform.call("list_notifications", token=wallet.token, query=query)
    rows: list[dict[str, Any]] = answer.data
    return rows


def _follow(platform: Platform, wallet: Wallet, market: str, **choice: bool) -> dict[str, Any]:
    answer = platform.call("follow_market", token=wallet.token, body=choice, market_id=market)
    followed: dict[str, Any] = answer.data
    return followed


def _sweep(platform: Platform) -> int:
    platform.advance(60)
    delivered = platform.deliver("sweep_outbox")
    relayed: int = delivered.data["counts"]["relayed"]
    return relayed


def test_a_bookmark_is_toggled_and_counted(platform: Platform, admin: Wallet) -> None:
    first, second = platform.sign_in(), platform.sign_in()
    market = platform.active_market(admin, first)
    answers = [
        platform.call("bookmark_market", token=who.token, market_id=market).data
        for who in (first, second, first)
    ]
    assert [(one["bookmarked"], one["bookmarkCount"]) for one in answers] == [
        (True, 1),
        (True, 2),
        (False, 1),
    ]
    assert platform.call("list_bookmarks", token=first.token).data == []
    kept = platform.call("list_bookmarks", token=second.token).data
    assert [one["marketId"] for one in kept] == [market]
    assert platform.call("get_market_stats", market_id=market).data["bookmarkCount"] == 1
    missing = platform.call("bookmark_market", token=admin.token, market_id=admin.user_id)
    assert (missing.status, missing.body["code"]) == (404, "NOT_FOUND")


def test_following_changes_choices_before_it_stops(platform: Platform, admin: Wallet) -> None:
    user = platform.sign_in()
    market = platform.active_market(admin, user)
    first = _follow(platform, user, market)
    assert (first["following"], first["notifyOnTrade"], first["followerCount"]) == (True, True, 1)
    changed = _follow(platform, user, market, notifyOnTrade=False)
    assert (changed["following"], changed["notifyOnTrade"]) == (True, False)
    assert (changed["notifyOnClose"], changed["followerCount"]) == (True, 1)
    assert platform.call("get_market_stats", market_id=market).data["followerCount"] == 1
    listed = platform.call("list_follows", token=user.token).data
    assert [(one["marketId"], one["notifyOnTrade"]) for one in listed] == [(market, False)]
    stopped = _follow(platform, user, market)
    assert (stopped["following"], stopped["followerCount"]) == (False, 0)


def test_toggles_at_once_keep_the_count_right(platform: Platform, admin: Wallet) -> None:
    market = platform.active_market(admin, platform.sign_in())
    people = [platform.sign_in() for _ in range(6)]

    def toggle(wallet: Wallet) -> int:
        status = platform.call("bookmark_market", token=wallet.token, market_id=market).status
        platform.close()
        return status

    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(toggle, [one for one in people for _ in range(3)]))
    assert statuses == [200] * 18
    with platform.database.connect() as owner:
        counted = owner.execute(
            "select bookmark_count, (select count(*) from bookmarks) from market_audience"
        ).fetchall()
    assert counted == [(6, 6)]


def test_a_maker_is_told_once_its_order_is_filled(platform: Platform, admin: Wallet) -> None:
    maker, taker = platform.sign_in(), platform.sign_in()
    for one in (maker, taker):
        platform.fund(one, 100_000_000)
    market = platform.active_market(admin, maker)
    order = platform.order(maker, market, side="BUY", price=0.4, size=10).data["id"]
    platform.order(taker, market, side="BUY", outcome="NO", price=0.6, size=4)
    _sweep(platform)
    assert _told(platform, maker) == []  # a part is no end
    platform.order(taker, market, side="BUY", outcome="NO", price=0.6, size=6)
    assert _sweep(platform) > 0
    assert _sweep(platform) == 0  # each row once
    told = _told(platform, maker)
    assert [(one["type"], one["orderId"]) for one in told] == [("order_filled", order)]
    assert told[0]["body"].startswith("Your order of 10.0 YES at 0.4 is filled: ")
    assert "অর্ডার" in told[0]["bodyBn"]
    assert _told(platform, taker) == []


def test_followers_are_told_of_a_large_trade(platform: Platform, admin: Wallet) -> None:
    maker, taker, follower, silent = (platform.sign_in() for _ in range(4))
    for one in (maker, taker):
        platform.fund(one, 1_000_000_000)
    market = platform.active_market(admin, maker)
    _follow(platform, follower, market)
    _follow(platform, taker, market)
    _follow(platform, silent, market, notifyOnTrade=False)
    for size in (200, 201):  # at 0.5: exactly 100.00, which is not over it, then 100.50
        platform.order(maker, market, side="BUY", price=0.5, size=size)
        platform.order(taker, market, side="BUY", outcome="NO", price=0.5, size=size)
    _sweep(platform)
    told = _told(platform, follower)
    assert [(one["type"], one["amount"]) for one in told] == [("large_trade", 100.5)]
    assert "100.5 BDT" in told[0]["body"]
    assert _told(platform, taker) == []  # it traded itself
    assert _told(platform, silent) == []


def test_the_end_of_a_market_is_told_once(platform: Platform, admin: Wallet) -> None:
    holder, other, follower = (platform.sign_in() for _ in range(3))
    for one in (holder, other):
        platform.fund(one, 100_000_000)
    market = platform.active_market(admin, holder)
    _follow(platform, follower, market)
    platform.order(holder, market, side="BUY", price=0.4, size=10)
    platform.order(other, market, side="BUY", outcome="NO", price=0.6, size=10)
    platform.advance(86_400 - 3_000)
    for _ in range(2):
        platform.deliver("market_close_check")
        platform.advance(300)
    platform.advance(2_400)
    body = {"outcome": "YES"}
    platform.call("resolve_market", token=admin.token, market_id=market, body=body)
    platform.advance(172_800)
    for stem in ("market_monitor", "settle_market"):
        assert platform.deliver(stem).status == 200
    _sweep(platform)
    assert [one["type"] for one in _told(platform, follower)] == [
        "market_resolved",
        "market_closing_soon",
    ]
    paid = {
        who: [one["amount"] for one in _told(platform, wallet) if one["type"] == "position_settled"]
        for who, wallet in (("holder", holder), ("other", other))
    }
    assert paid == {"holder": [10.0], "other": [0.0]}


def test_money_in_and_out_is_told(platform: Platform, admin: Wallet) -> None:
    user = platform.sign_in()
    deposit = platform.deposit(user, amount="25.50").data["id"]
    platform.call("verify_deposit", token=admin.token, deposit_id=deposit)
    withdrawal = platform.withdraw(user, amount="10").data["id"]
    platform.call(
        "complete_withdrawal",
        token=admin.token,
        withdrawal_id=withdrawal,
        body={"externalReference": "BK-1"},
    )
    rejected = platform.deposit(user, senderReference="other").data["id"]
    why = {"reason": "It has not arrived."}
    platform.call("reject_deposit", token=admin.token, deposit_id=rejected, body=why)
    _sweep(platform)
    assert [(one["type"], one["amount"]) for one in _told(platform, user)] == [
        ("withdrawal_completed", 10.0),
        ("deposit_verified", 25.5),
    ]


def test_admins_are_told_of_what_waits_for_them(platform: Platform, admin: Wallet) -> None:
    user = platform.sign_in()
    market = platform.active_market(admin, user)
    call = platform.as_zone("worker")
    for _ in range(2):
        escalations.open_for_market(call, uuid.UUID(market), "No price.", {})
    told = _told(platform, admin)
    assert [(one["type"], one["marketId"]) for one in told] == [("settlement_escalation", market)]
    assert _told(platform, user) == []


def test_reading_marks_ones_own_and_no_others(platform: Platform, admin: Wallet) -> None:
    user = platform.sign_in()
    market = platform.active_market(admin, user)
    for wallet in (admin, user):
        _follow(platform, wallet, market)
    platform.advance(86_400 - 1_800)
    platform.deliver("market_close_check")
    mine = _told(platform, user)
    theirs = [one["id"] for one in _told(platform, admin)]
    foreign = platform.call("mark_read", token=user.token, body={"ids": theirs}).data
    assert foreign == {"marked": 0, "unread": 1}
    done = platform.call("mark_read", token=user.token, body={"ids": [mine[0]["id"]]}).data
    assert done == {"marked": 1, "unread": 0}
    again = platform.call("mark_read", token=user.token, body={"all": True}).data
    assert again == {"marked": 0, "unread": 0}
    assert _told(platform, user, unread="true") == []
    assert _told(platform, user)[0]["readAt"] is not None
    assert len(_told(platform, admin, unread="true")) == len(theirs)


def test_marking_names_either_ids_or_all(platform: Platform) -> None:
    user = platform.sign_in()
    for body in ({}, {"all": True, "ids": [1]}, {"ids": [1] * 101}):
        answer = platform.call("mark_read", token=user.token, body=body)
        assert (answer.status, answer.body["code"]) == (400, "VALIDATION_FAILED")


def test_notifications_are_paged(platform: Platform, admin: Wallet) -> None:
    user = platform.sign_in()
    markets = [platform.active_market(admin, user) for _ in range(3)]
    for market in markets:
        _follow(platform, user, market)
    platform.advance(86_400 - 1_800)
    assert notifications.notify_closing_markets(platform.as_zone("worker")) == 3
    first = platform.call("list_notifications", token=user.token, query={"limit": 2})
    cursor = first.body["pagination"]["nextCursor"]
    rest = platform.call(
        "list_notifications", token=user.token, query={"limit": 2, "cursor": cursor}
    )
    seen = [one["marketId"] for one in first.data + rest.data]
    assert sorted(seen) == sorted(markets)
    assert rest.body["pagination"]["nextCursor"] is None
    kept = platform.call("list_follows", token=user.token, query={"limit": 2})
    more = {"limit": 2, "cursor": kept.body["pagination"]["nextCursor"]}
    left = platform.call("list_follows", token=user.token, query=more)
    assert sorted(one["marketId"] for one in kept.data + left.data) == sorted(markets)
