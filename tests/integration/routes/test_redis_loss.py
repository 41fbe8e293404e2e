"""Redis stopped, hung, cut off and wiped: nothing but speed may depend on it."""

from collections.abc import Callable, Iterator

import pytest

from presage.adapters import redis
from presage.edge.auth import COPY_TTL_S
from presage.identity import sessions
from tests.harness import Answer, Platform, Wallet
from tests.redis_server import RedisServer

type Fault = Callable[[RedisServer], None]
FAULTS: list[Fault] = [RedisServer.stop, RedisServer.hang, RedisServer.cut]
FUNDS_MICROS = 100_000_000


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis of this module's own, which its tests may break."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_url(servers: RedisServer) -> str:
    """Where the platform looks for Redis."""
    return servers.url


@pytest.fixture
def server(servers: RedisServer, platform: Platform) -> Iterator[RedisServer]:
    """The platform's Redis, whole again after the test."""
    yield servers
    servers.restore()
    platform.close()


def _funded(platform: Platform) -> Wallet:
    wallet = platform.sign_in()
    platform.fund(wallet, FUNDS_MICROS)
    return wallet


def _trade(platform: Platform, buyer: Wallet, seller: Wallet, market: str) -> list[Answer]:
    """Ten shares change hands at 0.40: the buyer's YES against the other's NO."""
    return [
        platform.order(buyer, market, side="BUY", price=0.4, size=10),
        platform.order(seller, market, side="BUY", outcome="NO", price=0.6, size=10),
    ]


def _available(platform: Platform, wallet: Wallet) -> object:
    return platform.call("get_wallet", token=wallet.token).data["available"]


@pytest.mark.parametrize("lose", FAULTS, ids=lambda lose: lose.__name__)
def test_signing_in_trading_and_reading_go_on(
    lose: Fault, platform: Platform, server: RedisServer, market: str
) -> None:
    old = _funded(platform)
    assert _available(platform, old) == 100.0
    # The outage comes between two requests: the platform finds out by itself.
    lose(server)
    new = _funded(platform)
    assert [order.status for order in _trade(platform, old, new, market)] == [201, 201]
    resting = platform.order(old, market, side="BUY", price=0.1, size=10).data["id"]
    assert platform.call("cancel_order", token=old.token, order_id=resting).status == 200
    assert (_available(platform, old), _available(platform, new)) == (96.0, 94.0)
    reads = [
        platform.call("get_session", token=new.token),
        platform.call("get_profile", token=new.token),
        platform.call("list_orders", token=new.token),
        platform.call("list_positions", token=new.token),
        platform.call("list_markets"),
        platform.call("get_market", market_id=market),
        platform.call("get_book", market_id=market),
        platform.call("list_market_trades", market_id=market),
    ]
    assert [read.status for read in reads] == [200] * len(reads)
    assert len(reads[-1].data) == 1
    assert platform.call("get_health").data["status"] == "degraded"
    assert platform.call("logout", token=new.token).status == 200
    assert platform.call("get_wallet", token=new.token).status == 401
    assert platform.audit() == []
    server.restore()
    redis.close()
    assert platform.call("get_wallet", token=new.token).status == 401
    assert _available(platform, old) == 96.0
    assert platform.call("get_health").data["status"] == "healthy"


@pytest.mark.parametrize("lose", [RedisServer.wipe, RedisServer.stop], ids=["wiped", "restarted"])
def test_a_wiped_redis_serves_nothing_wrong(
    lose: Fault, platform: Platform, server: RedisServer, market: str
) -> None:
    buyer, seller, gone = _funded(platform), _funded(platform), platform.sign_in()
    platform.advance(2)  # what changed just now is not kept
    before = platform.call("get_market", market_id=market)
    assert before.status == 200
    assert platform.call("get_wallet", token=gone.token).status == 200
    assert platform.call("logout", token=gone.token).status == 200
    body = {"marketId": market, "side": "BUY", "price": 0.4, "size": 10, "clientOrderId": "once"}
    placed = platform.call("place_order", token=buyer.token, body=body)
    platform.order(seller, market, side="BUY", outcome="NO", price=0.6, size=10)
    lose(server)
    server.restore()
    redis.close()
    assert platform.call("get_wallet", token=gone.token).status == 401
    repeat = platform.call("place_order", token=buyer.token, body=body)
    assert repeat.headers["idempotent-replayed"] == "true"
    assert repeat.data["id"] == placed.data["id"]
    assert (_available(platform, buyer), _available(platform, seller)) == (96.0, 94.0)
    after = platform.call("get_market", market_id=market)
    trades = platform.call("list_market_trades", market_id=market).data
    assert (len(trades), trades[0]["price"]) == (1, 0.4)
    assert before.headers["etag"] != after.headers["etag"]
    assert platform.audit() == []


def test_a_logout_that_redis_never_heard_of_holds_within_a_minute(
    platform: Platform, server: RedisServer
) -> None:
    wallet = platform.sign_in()
    assert platform.call("get_wallet", token=wallet.token).status == 200
    copy = sessions.redis_key(sessions.hash_token(wallet.token))
    server.cut()
    assert platform.call("logout", token=wallet.token).status == 200
    # Cut off it decides nothing: Postgres is asked.
    assert platform.call("get_wallet", token=wallet.token).status == 401
    server.restore()
    redis.close()
    first_ms = server.command("PTTL", copy)
    assert 0 < first_ms <= COPY_TTL_S * 1000
    # While the copy lives, what it opens does not prolong it, and who asks Postgres is refused.
    assert platform.call("get_wallet", token=wallet.token).status == 200
    assert platform.call("get_session", token=wallet.token).status == 401
    assert server.command("PTTL", copy) < first_ms
    # Its minute is over, now and not in a minute.
    server.command("PEXPIRE", copy, 0)
    for _ in range(2):
        assert platform.call("get_wallet", token=wallet.token).status == 401
    assert server.command("EXISTS", copy) == 0


def test_a_session_that_ended_in_postgres_leaves_no_copy(
    platform: Platform, server: RedisServer
) -> None:
    wallet = platform.sign_in()
    with platform.database.connect() as owner:
        owner.execute("update sessions set revoked_at = now()")
    copy = sessions.redis_key(sessions.hash_token(wallet.token))
    assert platform.call("get_wallet", token=wallet.token).status == 401
    assert server.command("EXISTS", copy) == 0


def test_the_login_limit_is_kept_while_redis_is_away(
    platform: Platform, server: RedisServer
) -> None:
    body = {"address": "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23"}
    server.stop()
    statuses = [platform.call("create_nonce", body=body).status for _ in range(31)]
    assert statuses == [200] * 30 + [429]
    # The others fail open: being slow to refuse beats refusing everybody.
    assert {platform.call("list_markets").status for _ in range(70)} == {200}
