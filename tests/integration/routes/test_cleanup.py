"""What the daily clean-up drops, and what it leaves."""

from datetime import timedelta

from presage import clock
from presage.ops import service
from tests.harness import Platform, Wallet

DAY_S = 86_400


def _count(platform: Platform, table: str) -> int:
    with platform.database.connect() as owner:
        row = owner.execute(f"select count(*) from {table}".encode()).fetchone()  # noqa: S608
    assert row is not None
    return int(row[0])


def test_read_notifications_go_after_30_days_and_the_others_after_90(platform: Platform) -> None:
    reader = platform.sign_in()
    now = clock.now()
    with platform.database.connect() as owner:
        for days, read in ((29, True), (31, True), (31, False), (89, False), (91, False)):
            owner.execute(
                "insert into notifications (user_id, type, facts, created_at, read_at)"
                " values (%s, 'order_filled', '{}', %s, %s)",
                (reader.user_id, now - timedelta(days=days), now if read else None),
            )
    counts = platform.deliver("cleanup").data["counts"]
    assert (counts["clean_read_notifications"], counts["clean_notifications"]) == (1, 1)
    with platform.database.connect() as owner:
        left = owner.execute("select created_at, read_at is not null from notifications").fetchall()
    assert {((now - at).days, read) for at, read in left} == {(29, True), (31, False), (89, False)}


def test_slips_and_keys_go_after_90_days_and_their_orders_stay(
    platform: Platform, admin: Wallet
) -> None:
    far = clock.from_ms(clock.now_ms() + 365 * DAY_S * 1000).isoformat()
    market = platform.active_market(admin, admin, closesAt=far)
    platform.fund(admin, 100_000_000)
    order = {"marketId": market, "side": "BUY", "price": 0.4, "size": 5}
    slip = {"mode": "independent", "orders": [order]}
    for stem, body in (
        ("place_orders", slip),
        ("split_position", {"marketId": market, "size": 5}),
    ):
        headers = {"idempotency-key": "once"}
        done = platform.call(stem, token=admin.token, body=body, headers=headers)
        assert done.status == 201, done.body
    platform.advance(89 * DAY_S)
    platform.deliver("cleanup")
    assert (_count(platform, "order_batches"), _count(platform, "idempotency_keys")) == (1, 1)
    platform.advance(2 * DAY_S)
    counts = platform.deliver("cleanup").data["counts"]
    assert (counts["clean_order_batches"], counts["clean_idempotency_keys"]) == (1, 1)
    assert _count(platform, "orders") == 1
    assert platform.audit() == []


def test_a_chunk_a_statement_until_nothing_is_left(platform: Platform) -> None:
    reader = platform.sign_in()
    old = 2 * service.CLEAN_CHUNK + 1
    with platform.database.connect() as owner:
        owner.execute(
            "insert into notifications (user_id, type, facts, created_at)"
            " select %s, 'order_filled', '{}', %s from generate_series(1, %s::integer)",
            (reader.user_id, clock.now() - timedelta(days=100), old),
        )
    counts = platform.deliver("cleanup").data["counts"]
    assert counts["clean_notifications"] == old
    assert _count(platform, "notifications") == 0
