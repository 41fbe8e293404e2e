"""Behind a front: who does not carry its secret is not let in, and its word on addresses counts."""

import re

import pytest

from presage.routes import ROUTES
from tests.harness import Platform

SECRET = "the-front's-own-secret"


@pytest.fixture
def fronted(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Platform:
    monkeypatch.setenv("ORIGIN_SECRET", f"{SECRET},the-next-one")
    return platform


@pytest.mark.parametrize("shown", [{}, {"x-origin-secret": ""}, {"x-origin-secret": "wrong"}])
def test_nobody_comes_in_beside_the_front(shown: dict[str, str], fronted: Platform) -> None:
    statuses = {
        stem: fronted.call(
            stem,
            headers=shown,
            **dict.fromkeys(re.findall(r"{(\w+)}", route.path), "x"),
        ).status
        for stem, route in ROUTES.items()
    }
    assert statuses == dict.fromkeys(ROUTES, 403) | {"get_liveness": 200}


@pytest.mark.parametrize("secret", [SECRET, "the-next-one"])
def test_the_front_is_let_in(secret: str, fronted: Platform) -> None:
    shown = {"x-origin-secret": secret}
    assert fronted.call("list_markets", headers=shown).status == 200
    assert fronted.call("get_wallet", headers=shown).status == 401
    assert fronted.deliver("cleanup", **shown).status == 200


@pytest.mark.parametrize(
    ("viewer", "ip"),
    [
        ("198.51.100.10:46532", "198.51.100.10"),
        ("2001:db8::1:46532", "2001:db8::1"),
        ("2001:db8:0:0:0:0:0:1:46532", "2001:db8::1"),
        ("[2001:db8::1]:46532", "2001:db8::1"),
        ("nonsense", "127.0.0.1"),
        ("", "127.0.0.1"),
    ],
)
def test_the_fronts_word_on_the_address_counts(
    viewer: str, ip: str, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet = platform.sign_in()
    monkeypatch.setenv("ORIGIN_SECRET", SECRET)
    shown = {
        "x-origin-secret": SECRET,
        "cloudfront-viewer-address": viewer,
        "x-request-id": "the-request",
    }
    assert platform.call("logout", token=wallet.token, headers=shown).status == 200
    with platform.database.connect() as owner:
        row = owner.execute("select ip from audit_log where request_id = 'the-request'").fetchone()
    assert row == (ip,)


@pytest.mark.parametrize("shown", [{}, {"x-origin-secret": SECRET}])
def test_without_a_front_nobodys_word_counts(shown: dict[str, str], platform: Platform) -> None:
    statuses = [
        platform.call(
            "get_liveness", headers=shown | {"cloudfront-viewer-address": f"198.51.100.{n}:1"}
        ).status
        for n in range(101)
    ]
    assert statuses == [200] * 100 + [429]
