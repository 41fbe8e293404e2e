"""Every function with its own event, as it would arrive."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from presage.routes import ROUTES
from tests.harness import NOON_MS, Platform, Wallet

EVENTS = Path(__file__).resolve().parents[3] / "events"
MARKET = "00000000-0000-4000-8000-000000000001"
ORDER = "00000000-0000-4000-8000-000000000002"
TRANSFER = "00000000-0000-4000-8000-000000000003"
SIGNER = "0x" + "b2" * 32
# execute_crypto and the groups call other services: their own tests start those.
CALL_OUT = {"execute_crypto", "group_fast", "group_hourly", "group_daily"}


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
        TRANSFER: _to_decide(platform, user, stem),
        "SESSION_TOKEN": caller.token,
        **_signed(platform, stem),
    }.items():
        text = text.replace(name, value)
    if ROUTES[stem].auth == "qstash":
        platform.set_clock(NOON_MS)
    answer = platform.invoke(stem, json.loads(text))
    assert answer.status == ROUTES[stem].status, answer.body
    assert answer.body["success"] is True
    assert answer.body["requestId"] == f"event-{stem.replace('_', '-')}"


def _world(platform: Platform, admin: Wallet, user: Wallet, stem: str) -> tuple[str, str]:
    """A market in the state that the route needs, and an open order in a market that trades."""
    trading = platform.active_market(admin, user)
    order = platform.order(user, trading, side="BUY", price=0.4, size=5).data["id"]
    match stem:
        case "dispute_market" | "decide_dispute":
            other = platform.sign_in()
            platform.fund(other, 100_000_000)
            platform.order(other, trading, side="BUY", outcome="NO", price=0.6, size=5)
            platform.advance(86_400)
            outcome = {"outcome": "YES"}
            platform.call("resolve_market", token=admin.token, market_id=trading, body=outcome)
            if stem == "decide_dispute":
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
        case "approve_market" | "cancel_market":
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


def _to_decide(platform: Platform, user: Wallet, stem: str) -> str:
    """The id of a deposit or a withdrawal that waits for an admin, where the route decides one."""
    match stem:
        case "verify_deposit" | "reject_deposit":
            return str(platform.deposit(user).data["id"])
        case "complete_withdrawal" | "reject_withdrawal":
            return str(platform.withdraw(user).data["id"])
    return TRANSFER


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
