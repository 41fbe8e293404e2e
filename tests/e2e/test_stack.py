"""The platform as its users meet it: over HTTP, through the gateway, on servers of its own."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import httpx
import psycopg
import pytest

from infra import schedules
from infra.local import operations
from infra.local.client import ApiClient, ApiError, OrderRefusedError, Wallet
from infra.local.clock import set_clock
from infra.local.stack import ANY_PORTS, Dispatch, Stack

START_MS = 1_784_894_400_000
ADMIN = Wallet("e2e admin")


@pytest.fixture(scope="module", params=["inprocess", "runtime"])
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A stack of each kind: handlers in the gateway's process, and under AWS's runtime client."""
    dispatch: Dispatch = request.param
    clock_file = tmp_path_factory.mktemp("clock") / "clock"
    set_clock(clock_file, START_MS)
    with Stack(
        tmp_path_factory.mktemp("stack") / "state",
        ports=ANY_PORTS,
        dispatch=dispatch,
        clock_file=clock_file,
        durable=False,
        # Nobody sells prices on the discard port: execute_crypto records that and goes on.
        env={
            "BOOTSTRAP_ADMIN": ADMIN.address,
            "BINANCE_URL": "http://127.0.0.1:9",
            "COINBASE_URL": "http://127.0.0.1:9",
            "BINANCE_P2P_URL": "http://127.0.0.1:9",
            "COINGECKO_URL": "http://127.0.0.1:9",
        },
        stage="test",
        keep=False,
        mail=True,
        ipfs=True,
    ) as started:
        yield started


def _funded(stack: Stack, name: str) -> ApiClient:
    client = ApiClient(stack.base_url).sign_in(Wallet(f"{stack.base_url} {name}"))
    operations.deposit(stack.env, START_MS, {client.user_id: 1_000_000_000}, "e2e")
    return client


def _open_market(stack: Stack, creator: ApiClient) -> str:
    with ApiClient(stack.base_url).sign_in(ADMIN) as admin:
        market = creator.propose_market(
            {"question": "Will it hold end to end?", "closesAt": "2026-07-25T12:00:00Z"}
        )
        admin.approve_market(market, 200, 1000)
    creator.activate_market(market)
    return market


def test_a_trade_end_to_end(stack: Stack) -> None:
    with _funded(stack, "alice") as alice, _funded(stack, "bob") as bob:
        market = _open_market(stack, alice)
        order = {"marketId": market, "side": "BUY", "price": "0.45", "size": "10"}
        alice.place_order(order | {"clientOrderId": "a1"})
        taken = bob.place_order(
            order | {"outcome": "NO", "price": "0.55", "size": "4", "clientOrderId": "b1"}
        )
        assert taken.status == "filled"
        assert alice.book(market).bids == ((Decimal("0.45"), Decimal(6)),)
        with pytest.raises(OrderRefusedError) as refused:
            bob.place_order(order | {"size": "100000", "clientOrderId": "b2"})
        assert refused.value.code == "INSUFFICIENT_FUNDS"
        with pytest.raises(ApiError) as bad:
            bob.place_order(order | {"price": "0.455", "clientOrderId": "b3"})
        assert bad.value.code == "VALIDATION_FAILED"
    assert operations.audit(stack.env, START_MS) == []


@pytest.mark.parametrize("prefix", ["", "/api", "/api/v1"])
def test_every_prefix_is_served(prefix: str, stack: Stack) -> None:
    assert httpx.get(f"{stack.gateway_url}{prefix}/health/live").json()["success"] is True


def test_what_no_route_serves_is_not_found(stack: Stack) -> None:
    answer = httpx.get(f"{stack.base_url}/nothing/here")
    assert (answer.status_code, answer.json()) == (404, {"message": "Not Found"})


def test_security_headers_are_on_every_answer_of_ours(stack: Stack) -> None:
    for path in ("/health/live", "/markets/none", "/wallet"):
        headers = httpx.get(f"{stack.base_url}{path}").headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in headers["content-security-policy"]


def test_an_oversized_body_is_refused(stack: Stack) -> None:
    body = json.dumps({"address": "x" * 1_100_000})
    answer = httpx.post(f"{stack.base_url}/auth/nonce", content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "BAD_REQUEST")


def test_two_users_interleaved_never_meet(stack: Stack) -> None:
    with _funded(stack, "carol") as carol, _funded(stack, "dave") as dave:

        def look(client: ApiClient) -> str:
            return str(client.get("/auth/session")["user"]["address"])

        with ThreadPoolExecutor(2) as pool:
            for _ in range(20):
                assert list(pool.map(look, (carol, dave))) == [carol.address, dave.address]


def test_a_mailed_link_confirms_an_email(stack: Stack) -> None:
    """Through SES's own protocol to a log that a developer reads, and back by the link in it."""
    wallet = Wallet(f"{stack.base_url} reader")
    with ApiClient(stack.base_url).sign_in(wallet) as reader:
        asked = {"email": "reader@example.com", "language": "bn"}
        assert reader.put("/settings/profile", asked)["emailPending"] == "reader@example.com"
        log = (stack.log_dir / "ses.log").read_text(encoding="utf-8")
        assert "mail to reader@example.com: আপনার ইমেইল" in log
        link = re.findall(r"^http\S+", log, re.MULTILINE)[-1]
        assert httpx.get(link).json()["data"] == {"confirmed": True}
        assert reader.get("/settings/profile")["email"] == "reader@example.com"


def test_what_was_said_is_pinned_and_read_back(stack: Stack) -> None:
    """Through the node's own protocol, by an operator's call, and out of its gateway."""
    with _funded(stack, "grace") as grace:
        market = _open_market(stack, grace)
        said = grace.post("/discussions", {"marketId": market, "content": "It will."})
        grace.post("/discussions", {"marketId": market, "content": "So?", "parentId": said["id"]})
        (thread,) = grace.get(f"/discussions/{market}")
        assert [one["content"] for one in thread["replies"]] == ["So?"]
    operator = {"Authorization": f"Bearer {stack.env['CRON_SECRET']}"}
    url = f"{stack.base_url}/workflows/discussion-snapshot"
    ran = httpx.post(url, json={"slot": "2026-07-25T00:00:00Z"}, headers=operator).json()["data"]
    assert ran["counts"] == {"pinned": 1, "documents": 1}
    listed = httpx.get(f"{stack.base_url}/discussions/{market}/anchors").json()["data"]
    document = httpx.get(f"{stack.base_url}/ipfs/{listed[0]['cid']}")
    assert [one["content"] for one in document.json()["discussions"]] == ["It will.", "So?"]
    assert document.headers["content-type"] == "application/json; charset=utf-8"


def test_schedules_run_what_they_should(stack: Stack) -> None:
    """QStash signs and delivers; a group fans out and its tasks complete, each once."""
    schedules.sync_stage(stack.env)
    stack.deliver_due()
    for minute in range(1, 6):
        counts = stack.advance(START_MS + minute * 60_000)
        assert (counts["failed"], counts["deadLettered"]) == (0, 0)
    with psycopg.connect(stack.database_urls["owner"]) as owner:
        rows = owner.execute(
            "select name, count(*) from workflow_runs where status = 'completed' group by name"
        ).fetchall()
    runs: dict[str, int] = dict(rows)
    # Five minutes: the minute's workflows five times, the group and its tasks once.
    assert (runs["market_monitor"], runs["settle_market"]) == (5, 5)
    assert (runs["group_fast"], runs["market_close_check"], runs["price_snapshot"]) == (1, 1, 1)


def test_no_log_of_the_stack_holds_a_credential(stack: Stack) -> None:
    """Gateway, handlers, emulators and servers, after good calls, refused ones and broken ones."""
    wallet = Wallet(f"{stack.base_url} erin")
    with ApiClient(stack.base_url).sign_in(wallet) as erin:
        token = erin.token
        shown = {"Authorization": f"Bearer {token}", "Cookie": f"session-token={token}"}
        for body in ("{", '{"phone": "01712345678"}'):
            httpx.post(f"{stack.base_url}/orders?phone=01712345678", content=body, headers=shown)
        erin.get("/wallet")
    message = "a message"
    signature = wallet.sign(message)
    refused = httpx.post(
        f"{stack.base_url}/auth/connect-wallet",
        json={"address": wallet.address, "message": message, "signature": signature},
    )
    assert refused.status_code == 401
    logs = [path for path in stack.log_dir.rglob("*") if path.is_file()]
    assert {path.stem for path in logs} >= {"gateway", "postgres", "upstash", "qstash"}
    text = "\n".join(path.read_text(errors="replace") for path in logs)
    secrets = (token, signature, signature.removeprefix("0x"), "01712345678")
    assert [secret for secret in secrets if secret in text] == []
