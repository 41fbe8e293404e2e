"""Every function with its own event, as it would arrive."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from presage import clock
from presage.identity import email_links
from presage.ops import alerts
from presage.routes import ROUTES
from tests.harness import NOON_MS, WEBHOOK_SECRET, Platform, Wallet

EVENTS = Path(__file__).resolve().parents[3] / "events"
MARKET = "00000000-0000-4000-8000-000000000001"
ORDER = "00000000-0000-4000-8000-000000000002"
THING = "00000000-0000-4000-8000-000000000003"
WALLET = "0x000000000000000000000000000000000000dEaD"
SIGNER = "0x" + "b2" * 32
# These call other services: their own tests start those.
CALL_OUT = {
    *("execute_crypto", "update_exchange_rate", "schedule_watchdog"),
    *("group_fast", "group_hourly", "group_daily", "get_ipfs"),
    *(stem for stem, route in ROUTES.items() if route.domain == "chain"),
}

# What changes something and leaves no row in the audit log.
SILENT = {
    "create_nonce": "nobody is signed in; the challenge is its own record",
    "place_order": "orders are their own audit",
    "place_orders": "orders are their own audit",
    "amend_order": "orders are their own audit",
    "cancel_order": "orders are their own audit",
    "cancel_orders": "orders are their own audit",
}


@pytest.mark.parametrize("stem", [stem for stem in ROUTES if stem not in CALL_OUT])
def test_the_event_is_served(stem: str, platform: Platform, admin: Wallet) -> None:
    user = platform.sign_in()
    platform.fund(user, 1_000_000_000)
    market, order = _world(platform, admin, user, stem)
    caller = admin if ROUTES[stem].auth == "admin" else user
    text = (EVENTS / f"{stem}.json").read_text(encoding="utf-8")
    for name, value in {
        MARKET: market,
        ORDER: order,
        THING: _thing(platform, user, stem, market),
        WALLET: user.address,
        "SESSION_TOKEN": caller.token,
        "WEBHOOK_SECRET": WEBHOOK_SECRET,
        **_signed(platform, stem),
        **_settings(platform, stem, user),
    }.items():
        text = text.replace(name, value)
    if ROUTES[stem].auth == "qstash":
        platform.set_clock(NOON_MS)
    answer = platform.invoke(stem, json.loads(text))
    assert answer.status == ROUTES[stem].status, answer.body
    request_id = f"event-{stem.replace('_', '-')}"
    assert answer.headers["x-request-id"] == request_id
    if answer.headers["content-type"] == "application/json":
        assert answer.body["success"] is True
        assert answer.body["requestId"] == request_id
    is_change = ROUTES[stem].idempotency != "safe" and ROUTES[stem].zone != "worker"
    logged = 1 if is_change and stem not in SILENT else 0
    assert _logged(platform, request_id) == logged


def _logged(platform: Platform, request_id: str) -> int:
    """How many rows of the audit log a request left, which its own transaction wrote."""
    with platform.database.connect() as owner:
        row = owner.execute(
            "select count(*) from audit_log where request_id = %s", (request_id,)
        ).fetchone()
    assert row is not None
    return int(row[0])


def _world(platform: Platform, admin: Wallet, user: Wallet, stem: str) -> tuple[str, str]:
    """A market in the state that the route needs, and an open order in a market that trades."""
    trading = platform.active_market(admin, user)
    order = platform.order(user, trading, side="BUY", price=0.4, size=5).data["id"]
    match stem:
        case "dispute_market" | "decide_dispute" | "vote_on_dispute":
            other = platform.sign_in()
            platform.fund(other, 100_000_000)
            platform.order(other, trading, side="BUY", outcome="NO", price=0.6, size=5)
            platform.advance(86_400)
            outcome = {"outcome": "YES"}
            platform.call("resolve_market", token=admin.token, market_id=trading, body=outcome)
            if stem != "dispute_market":
                platform.dispute(user, trading)
        case "create_outcomes":
            return platform.proposed_market(user), order
        case "merge_position":
            key = {"idempotency-key": "before"}
            body = {"marketId": trading, "size": 5}
            platform.call("split_position", token=user.token, body=body, headers=key)
        case "convert_position":
            market = platform.cities(admin, user)
            body = {"marketId": market, "outcome": "Dhaka", "size": 5}
            key = {"idempotency-key": "before"}
            platform.call("split_position", token=user.token, body=body, headers=key)
            return market, order
        case "approve_market" | "cancel_market" | "vote_on_proposal":
            return platform.proposed_market(user), order
        case "activate_market":
            market = platform.proposed_market(user)
            platform.call("approve_market", token=admin.token, market_id=market)
            return market, order
        case "resolve_market":
            platform.advance(86_400)
        case "finalize_market":
            platform.advance(86_400)
            outcome = {"outcome": "NO"}
            platform.call("resolve_market", token=admin.token, market_id=trading, body=outcome)
            platform.advance(172_800)
    return trading, order


def _thing(platform: Platform, user: Wallet, stem: str, market: str) -> str:  # noqa: PLR0911 - one a kind of thing
    """What a route's path names beside a market and an order."""
    match stem:
        case "get_report":
            with platform.database.connect() as owner:
                owner.execute("update users set created_at = created_at - interval '1 day'")
            platform.deliver("daily_report")
        case "revoke_api_key":
            body = {"name": "bot", "scopes": ["read"]}
            made = platform.call("create_api_key", token=user.token, body=body)
            return str(made.data["id"])
        case "get_user" | "update_user":
            return str(user.user_id)
        case "verify_deposit" | "reject_deposit":
            return str(platform.deposit(user).data["id"])
        case "complete_withdrawal" | "reject_withdrawal":
            return str(platform.withdraw(user).data["id"])
        case "acknowledge_alert":
            alerts.raise_alert(platform.as_zone("worker"), "workflow_failed", {}, "cleanup")
            return "1"
        case "resolve_escalation":
            ticket = {"title": "My deposit", "message": "It is not there."}
            return str(platform.call("create_ticket", token=user.token, body=ticket).data["id"])
        case "delete_comment" | "like_comment":
            return str(platform.comment(user, market).data["id"])
        case "retry_dead_letter" | "discard_dead_letter":
            return str(platform.dead_letter("cleanup", "clean_outbox"))
    return THING


def _signed(platform: Platform, stem: str) -> dict[str, str]:
    if stem != "connect_wallet":
        return {}
    account = Account.from_key(SIGNER)
    message = platform.call("create_nonce", body={"address": account.address}).data["message"]
    signature = account.sign_message(encode_defunct(text=message)).signature.hex()
    escaped: Callable[[str], str] = lambda text: json.dumps(json.dumps(text)[1:-1])[1:-1]  # noqa: E731
    return {
        "WALLET_ADDRESS": account.address,
        "SIGNED_MESSAGE": escaped(message),
        "SIGNATURE": signature,
    }


def _settings(platform: Platform, stem: str, user: Wallet) -> dict[str, str]:
    """What the routes of settings need: a linked account, a link in a mail."""
    if stem == "unlink_polymarket":
        body = {"apiKey": "a", "apiSecret": "b", "passphrase": "c"}
        platform.call("link_polymarket", token=user.token, body=body)
    if stem != "confirm_email":
        return {}
    address = "rahim@example.com"
    with platform.database.connect() as owner:
        owner.execute("update users set email_pending = %s where id = %s", (address, user.user_id))
    return {"EMAIL_TOKEN": email_links.make_token(user.user_id, address, clock.now())}
