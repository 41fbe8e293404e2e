"""Rate limits: the vendor's limiter is the oracle; refusals say when to come back."""

import random

import pytest
from upstash_ratelimit import SlidingWindow
from upstash_redis import Redis

from presage import clock
from presage.adapters import redis
from presage.edge.limits import WINDOW_MS, Limit
from presage.identity.sessions import hash_token
from tests.harness import Platform, Wallet


def test_a_route_has_a_limit_of_its_own(platform: Platform) -> None:
    body = {"address": "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23"}
    answers = [platform.call("create_nonce", body=body) for _ in range(31)]
    assert [answer.status for answer in answers] == [200] * 30 + [429]
    refused = answers[-1]
    assert refused.body["code"] == "RATE_LIMITED"
    assert refused.body["retryable"] is True
    assert refused.headers["retry-after"] == "60"
    assert answers[0].headers["ratelimit-limit"] == "30"
    assert answers[0].headers["ratelimit-remaining"] == "29"
    # Another address is another caller.
    assert platform.call("create_nonce", body=body, ip="203.0.113.9").status == 200
    platform.advance(120)
    assert platform.call("create_nonce", body=body).status == 200


def test_guessing_tokens_costs_the_guessers_address(platform: Platform) -> None:
    statuses = [
        platform.call("get_wallet", headers={"authorization": f"Bearer guess-{n}"}).status
        for n in range(101)
    ]
    assert statuses == [401] * 100 + [429]


def test_a_credential_is_not_its_address(platform: Platform) -> None:
    wallet = platform.sign_in()
    for _ in range(120):
        assert platform.call("get_wallet", token=wallet.token).status == 200


@pytest.mark.parametrize("header", ["x-forwarded-for", "x-real-ip", "forwarded"])
def test_no_header_moves_a_caller(header: str, platform: Platform) -> None:
    statuses = [
        platform.call("get_liveness", headers={header: f"198.51.100.{n}"}).status
        for n in range(101)
    ]
    assert statuses == [200] * 100 + [429]


def test_an_api_key_has_a_limit_of_its_own(platform: Platform) -> None:
    wallet = platform.sign_in()
    key = platform.api_key(wallet, "read")
    left = [
        platform.call("get_wallet", token=shown).headers["ratelimit-remaining"]
        for shown in (key, key, key, wallet.token)
    ]
    # The first call finds no copy of the key in Redis to be counted by; the session's made the key.
    assert left == ["1000", "999", "998", "999"]


@pytest.mark.parametrize(
    ("scope", "header", "name", "per_min"),
    [("read", "authorization", "caller", 1_000), ("service", "x-service-key", "service", 10_000)],
)
def test_a_keys_limit_is_its_kinds(
    scope: str, header: str, name: str, per_min: int, platform: Platform, admin: Wallet
) -> None:
    key = platform.api_key(admin, scope)
    shown = {header: f"Bearer {key}" if header == "authorization" else key}
    assert platform.call("get_wallet", headers=shown).status == 200
    spent = Limit(name=name, subject=hash_token(key).hex(), per_min=per_min)
    redis.flush([spent.command(clock.now_ms(), per_min - 1)])
    assert platform.call("get_wallet", headers=shown).status == 200
    refused = platform.call("get_wallet", headers=shown)
    assert (refused.status, refused.body["details"]) == (429, {"limit": per_min})
    assert platform.call("get_wallet", token=admin.token).status == 200


@pytest.mark.parametrize("in_place_of_a_service_key", [True, False])
def test_a_misused_key_does_not_borrow_its_limit(
    in_place_of_a_service_key: bool,
    platform: Platform,
) -> None:
    wallet = platform.sign_in()
    key = platform.api_key(wallet, "read", ipAllowList=["127.0.0.1"])
    bearer = {"authorization": f"Bearer {key}"}
    assert platform.call("get_wallet", headers=bearer).status == 200
    shown = {"x-service-key": key} if in_place_of_a_service_key else bearer
    statuses = [
        platform.call("get_liveness", headers=shown, ip="203.0.113.7").status for _ in range(101)
    ]
    assert statuses == [200] * 100 + [429]


def test_a_slip_costs_its_length(platform: Platform) -> None:
    wallet = platform.sign_in()
    assert platform.call("get_wallet", token=wallet.token).status == 200
    order = {"marketId": str(wallet.user_id), "side": "BUY", "price": 0.5, "size": 1}
    headers = {"idempotency-key": "slip"}
    body = {"orders": [order] * 7}
    slip = platform.call("place_orders", token=wallet.token, body=body, headers=headers)
    assert slip.headers["ratelimit-remaining"] == "993"


def test_without_redis_limits_fail_open_and_say_so(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UPSTASH_REDIS_REST_URL", "http://127.0.0.1:9")
    redis.close()
    try:
        statuses = {platform.call("get_liveness").status for _ in range(110)}
    finally:
        redis.close()
    assert statuses == {200}
    assert '"RedisUnavailable":[1.0]' in capsys.readouterr().out


def test_a_workflow_has_no_limit(platform: Platform) -> None:
    assert {platform.deliver("cleanup").status for _ in range(5)} == {200}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.usefixtures("platform")
def test_the_window_is_the_vendors(seed: int, redis_url: str) -> None:
    """The vendor's script and ours, told the same times, answer the same every time."""
    chance = random.Random(seed)  # noqa: S311 - a repeatable test
    now_ms = clock.now_ms()
    ours = Limit(name="window", subject=str(seed), per_min=10)
    with Redis(url=redis_url, token="test-token", allow_telemetry=False) as vendor:
        for _ in range(150):
            now_ms += chance.randrange(12_000)
            window = now_ms // WINDOW_MS
            keys = [f"vendor:{seed}:{window}", f"vendor:{seed}:{window - 1}"]
            expected = vendor.eval(
                SlidingWindow.SCRIPT, keys, [str(n) for n in (10, now_ms, WINDOW_MS, 1)]
            )
            assert redis.flush([ours.command(now_ms)]) == [expected]


@pytest.mark.usefixtures("platform")
def test_a_batch_costs_its_size_and_a_refusal_nothing() -> None:
    limit = Limit(name="batch", subject="x", per_min=10)
    now_ms = clock.now_ms()
    left = redis.flush([limit.command(now_ms, cost) for cost in (8, 3, 2, 1)])
    assert left == [2, -1, 0, -1]
