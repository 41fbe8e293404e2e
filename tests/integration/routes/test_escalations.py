"""Escalations: tickets of one's own, louder once at each level, answered once."""

import json
from concurrent.futures import wait
from typing import Any
from uuid import UUID

import pytest

from presage import clock
from presage.ops import escalations
from tests.harness import Answer, Platform, Wallet

MINUTE, HOUR = 60, 3_600
WORDS = {"title": "My deposit", "message": "It is not there."}


@pytest.fixture
def user(platform: Platform) -> Wallet:
    return platform.sign_in()


def _ticket(platform: Platform, user: Wallet, **fields: Any) -> Answer:
    return platform.call("create_ticket", token=user.token, body=WORDS | fields)


def _tickets(platform: Platform, user: Wallet) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = platform.call("list_tickets", token=user.token).data
    return listed


def _open(platform: Platform, admin: Wallet, **query: Any) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = platform.call(
        "list_escalations", token=admin.token, query={"status": "open"} | query
    ).data
    return listed


def _check(platform: Platform) -> int:
    raised: int = platform.deliver("check_escalations").data["counts"]["raised"]
    return raised


def _told(platform: Platform) -> tuple[list[tuple[str, int]], int]:
    """The alerts, and how many notifications the admins have."""
    with platform.database.connect() as owner:
        alerts = owner.execute("select severity, count from ops_alerts order by id").fetchall()
        row = owner.execute(
            "select count(*) from notifications where type = 'settlement_escalation'"
        ).fetchone()
    assert row is not None
    return [(severity, count) for severity, count in alerts], int(row[0])


def test_a_ticket_is_its_openers_until_support_answers_it(
    platform: Platform, admin: Wallet, user: Wallet
) -> None:
    opened = _ticket(platform, user, title="  My deposit ")
    assert opened.status == 201
    assert opened.data == WORDS | {
        "id": opened.data["id"],
        "status": "open",
        "resolution": None,
        "createdAt": "2026-07-24T12:00:00+00:00",
        "resolvedAt": None,
    }
    assert _tickets(platform, user) == [opened.data]
    assert _tickets(platform, platform.sign_in()) == []
    (seen,) = _open(platform, admin, kind="support")
    assert (seen["userId"], seen["severity"], seen["level"]) == (str(user.user_id), "LOW", 0)
    path = {"escalation_id": seen["id"]}
    answer = {"resolution": "Paid by hand."}
    done = platform.call("resolve_escalation", token=admin.token, body=answer, **path)
    assert (done.data["status"], done.data["resolvedBy"]) == ("resolved", str(admin.user_id))
    platform.advance(MINUTE)
    again = platform.call("resolve_escalation", token=admin.token, body=answer, **path)
    assert again.data == done.data
    other = {"resolution": "Not paid."}
    refused = platform.call("resolve_escalation", token=admin.token, body=other, **path)
    assert (refused.status, refused.body["code"]) == (409, "INVALID_STATE")
    assert [one["resolution"] for one in _tickets(platform, user)] == ["Paid by hand."]
    assert _open(platform, admin) == []


@pytest.mark.parametrize(
    "fields", [{"title": " "}, {"title": "x" * 201}, {"message": "a\0b"}, {"kind": "settlement"}]
)
def test_a_ticket_needs_its_words(platform: Platform, user: Wallet, fields: dict[str, str]) -> None:
    assert _ticket(platform, user, **fields).status == 400
    assert _tickets(platform, user) == []


def test_five_tickets_a_minute_and_twenty_open_ones(platform: Platform, user: Wallet) -> None:
    _tickets(platform, user)  # a session that Redis does not know yet is not counted
    statuses = []
    for _ in range(5):
        statuses += [_ticket(platform, user).status for _ in range(6)]
        platform.advance(2 * MINUTE)
    assert statuses == ([201] * 5 + [429]) * 4 + [409] * 5 + [429]
    assert len(_tickets(platform, user)) == 20


def test_a_tickets_words_are_in_no_audit_log(
    platform: Platform, admin: Wallet, user: Wallet
) -> None:
    _ticket(platform, user, message="Call me: 01712345678.")
    log = platform.call("list_audit_log", token=admin.token, query={"action": "create_ticket"})
    assert [one["actorId"] for one in log.data] == [str(user.user_id)]
    assert "01712345678" not in log.text


@pytest.mark.usefixtures("admin")
def test_what_nobody_answers_grows_louder_once_at_each_level(
    platform: Platform, user: Wallet
) -> None:
    _ticket(platform, user)
    expected = {
        29 * MINUTE + 59: ("LOW", 0, [], 0),
        30 * MINUTE: ("MEDIUM", 1, ["HIGH"], 1),
        2 * HOUR - 1: ("MEDIUM", 1, ["HIGH"], 1),
        2 * HOUR: ("HIGH", 2, ["HIGH"] * 2, 2),
        8 * HOUR - 1: ("HIGH", 2, ["HIGH"] * 2, 2),
        8 * HOUR: ("CRITICAL", 3, ["HIGH", "HIGH", "CRITICAL"], 3),
        50 * HOUR: ("CRITICAL", 3, ["HIGH", "HIGH", "CRITICAL"], 3),
    }
    began = clock.now_ms()
    for age_s, (severity, level, alerts, told) in expected.items():
        platform.set_clock(began + age_s * 1_000)
        _check(platform)
        # The admin's session has ended by the last; the database says the same.
        with platform.database.connect() as owner:
            row = owner.execute("select severity, level from escalations").fetchone()
        assert row == (severity, level), age_s
        assert _told(platform) == ([(one, 1) for one in alerts], told), age_s


def test_one_nobody_looked_at_for_hours_tells_its_level_once(
    platform: Platform, admin: Wallet, user: Wallet
) -> None:
    _ticket(platform, user)
    platform.advance(3 * HOUR)
    assert _check(platform) == 1
    assert _told(platform) == ([("HIGH", 1)], 1)
    (seen,) = platform.call("list_notifications", token=admin.token).data
    assert seen["type"] == "settlement_escalation"
    assert [one["severity"] for one in _open(platform, admin)] == ["HIGH"]


def test_an_answered_one_stays_quiet(platform: Platform, admin: Wallet, user: Wallet) -> None:
    escalation = _ticket(platform, user).data["id"]
    body = {"resolution": "Done."}
    platform.call("resolve_escalation", token=admin.token, body=body, escalation_id=escalation)
    platform.advance(3 * HOUR)
    assert _check(platform) == 0
    assert _told(platform) == ([], 0)


def test_concurrent_checks_raise_each_once(platform: Platform) -> None:
    call = platform.as_zone("worker")
    for number in range(250):
        escalations.ask_support(call, f"subject {number}", "Look at it.", {"n": number})
    platform.advance(31 * MINUTE)
    slots = [clock.from_ms(clock.now_ms() + n * 300_000).isoformat() for n in range(4)]
    with platform.threads(4) as pool:
        answers = list(
            pool.map(lambda slot: platform.deliver("check_escalations", {"slot": slot}), slots)
        )
    assert sum(answer.data["counts"]["raised"] for answer in answers) == 250
    alerts, _ = _told(platform)
    assert alerts == [("HIGH", 1)] * 250


def test_peoples_tickets_share_one_alert_a_level(platform: Platform, user: Wallet) -> None:
    for _ in range(4):
        _ticket(platform, user)
    platform.advance(31 * MINUTE)
    assert _check(platform) == 4
    assert _told(platform) == ([("HIGH", 4)], 0)


def test_a_markets_escalation_shows_its_facts(platform: Platform, admin: Wallet) -> None:
    market = platform.active_market(admin, admin)
    call = platform.as_zone("worker")
    for _ in range(2):
        escalations.open_for_market(call, UUID(market), "No tick.", {"symbol": "BTC/USD"})
    (seen,) = _open(platform, admin, kind="resolution")
    assert (seen["marketId"], seen["reason"]) == (market, "No tick.")
    assert json.loads(seen["data"]) == {"symbol": "BTC/USD"}
    assert (
        platform.call(
            "resolve_escalation", token=admin.token, body={"resolution": "x"}, escalation_id=999
        ).status
        == 404
    )


def test_what_was_asked_of_a_market_is_answered_by_its_move(
    platform: Platform, admin: Wallet
) -> None:
    market = platform.active_market(admin, admin)
    escalations.open_for_market(platform.as_zone("worker"), UUID(market), "No tick.", {})
    own = {"kind": "resolution", "marketId": market, "title": "Why", "reason": "Not this."}
    assert platform.call("create_escalation", token=admin.token, body=own).status == 201
    platform.advance(86_400)
    body = {"outcome": "NO", "reason": "By the newspaper."}
    moved = platform.call("resolve_market", token=admin.token, market_id=market, body=body)
    assert moved.status == 200, moved.body
    assert [one["title"] for one in _open(platform, admin)] == ["Why"]
    shown = platform.call("list_escalations", token=admin.token, query={"status": "resolved"}).data
    assert [(one["reason"], one["resolution"]) for one in shown] == [
        ("No tick.", "By the newspaper.")
    ]


def test_nothing_is_asked_of_a_market_that_is_moved_in_the_meantime(
    platform: Platform, admin: Wallet
) -> None:
    market = platform.active_market(admin, admin)
    call = platform.as_zone("worker")
    move = "update markets set state = 'CANCELLED' where id = %s"

    def ask() -> None:
        escalations.open_for_market(call, UUID(market), "No tick.", {})

    with platform.threads(1) as pool, platform.database.connect() as owner:
        with owner.transaction():
            owner.execute(move.encode(), (market,))
            asked = pool.submit(ask)
            wait([asked], timeout=0.5)  # it does not get past the move
        asked.result()
    ask()
    escalations.open_for_dispute(call, UUID(market), "Nobody voted.")
    assert _open(platform, admin) == []


def test_an_admin_brings_a_question_before_the_others(platform: Platform, admin: Wallet) -> None:
    other = platform.sign_in()
    platform.call("update_user", token=admin.token, user_id=other.user_id, body={"role": "admin"})
    market = platform.active_market(admin, admin)
    body = {"kind": "settlement", "title": " Who pays? ", "reason": "The rule is silent."}
    refused = platform.call("create_escalation", token=admin.token, body=body)
    assert (refused.status, refused.body["details"]["field"]) == (400, "marketId")
    unknown = body | {"marketId": str(admin.user_id)}
    refused = platform.call("create_escalation", token=admin.token, body=unknown)
    assert (refused.status, refused.body["details"]["field"]) == (400, "marketId")
    asked = body | {"marketId": market}
    opened = [platform.call("create_escalation", token=admin.token, body=asked) for _ in range(2)]
    assert [one.status for one in opened] == [201, 201]
    assert _open(platform, admin, kind="settlement") == [one.data for one in reversed(opened)]
    first = opened[0].data
    assert (first["title"], first["reason"], first["marketId"]) == (
        *("Who pays?", "The rule is silent."),
        market,
    )
    assert (first["userId"], first["severity"], first["status"]) == (None, "LOW", "open")
    with platform.database.connect() as owner:
        told = owner.execute(
            "select user_id, facts ->> 'escalationId' from notifications order by id"
        ).fetchall()
    assert told == [(other.user_id, str(one.data["id"])) for one in opened]
    log = platform.call("list_audit_log", token=admin.token, query={"action": "create_escalation"})
    assert len(log.data) == 2
    assert "The rule is silent." not in log.text
    # It grows louder like every other, and under its own alert.
    platform.advance(31 * MINUTE)
    assert _check(platform) == 2
    assert _told(platform)[0] == [("HIGH", 1), ("HIGH", 1)]
