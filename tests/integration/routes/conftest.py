"""A platform for tests of routes: real Postgres, real Valkey behind the REST bridge."""

import base64
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from eth_account import Account
from solders.keypair import Keypair

from infra.local.clock import set_clock
from infra.local.deliveries import PROGRAMME
from infra.local.feed import FeedServer
from infra.local.ipfs import IpfsNode
from presage import clock
from presage.chain import programme
from tests.cluster import Cluster
from tests.conftest import Database
from tests.harness import (
    CURRENT_KEY,
    NEXT_KEY,
    NOON_MS,
    PUBLIC_BASE_URL,
    WEBHOOK_SECRET,
    Platform,
    Wallet,
)
from tests.integration.local.receiver import Receiver
from tests.integration.routes.chain_poll import Poll
from tests.integration.routes.chain_sender import Sender
from tests.integration.routes.pinning import Network
from tests.redis_server import TOKEN as REDIS_TOKEN
from tests.redis_server import RedisServer

CREDENTIAL_KEYS = "first:" + base64.b64encode(bytes(range(32))).decode()
ADMIN_KEY = "0x" + "a1" * 32


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the Upstash REST bridge over a throw-away Valkey."""
    with RedisServer(tmp_path_factory.mktemp("bridge")) as server:
        yield server.url


def _empty(redis_url: str) -> None:
    """Forget all that Redis holds; not by the platform's client, which may take it for down."""
    authorized = {"Authorization": f"Bearer {REDIS_TOKEN}"}
    httpx.post(redis_url, json=["FLUSHALL"], headers=authorized).raise_for_status()


def _serve(
    database: Database, redis_url: str, folder: Path, patch: pytest.MonkeyPatch
) -> Iterator[Platform]:
    clock_file = folder / "clock"
    set_clock(clock_file, NOON_MS)
    for name, value in (
        database.urls
        | {
            "STAGE": "test",
            "UPSTASH_REDIS_REST_URL": redis_url,
            "UPSTASH_REDIS_REST_TOKEN": REDIS_TOKEN,
            "QSTASH_TOKEN": "unused",
            # Nobody listens there: a test that publishes brings its own.
            "QSTASH_URL": "http://127.0.0.1:9",
            "QSTASH_CURRENT_SIGNING_KEY": CURRENT_KEY,
            "QSTASH_NEXT_SIGNING_KEY": NEXT_KEY,
            "PUBLIC_BASE_URL": PUBLIC_BASE_URL,
            "ALLOWED_ORIGINS": "https://app.example.com",
            "SIWE_DOMAIN": "app.example.com",
            "EMAIL_LINK_KEY": "email-link-key",
            "CREDENTIAL_KEYS": CREDENTIAL_KEYS,
            "ZMART_PROGRAM_ID": PROGRAMME,
            "HELIUS_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "BOOTSTRAP_ADMIN": Account.from_key(ADMIN_KEY).address,
            "PRESAGE_CLOCK_FILE": str(clock_file),
        }
    ).items():
        patch.setenv(name, value)
    with database.connect() as owner:
        owner.execute(f"alter database {database.name} set presage.clock = 'replay'".encode())
    _empty(redis_url)
    served = Platform(database, clock_file)
    yield served
    served.close()


@pytest.fixture
def platform(
    database: Database, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Platform]:
    """The platform on a database of its own, an empty Redis, and a clock that the test moves."""
    yield from _serve(database, redis_url, tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def module_platform(
    module_database: Database, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """One platform for a module of many small cases; none of them may lean on another's."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("platform")
        yield from _serve(module_database, redis_url, folder, patch)


@pytest.fixture
def admin(platform: Platform) -> Wallet:
    """The bootstrap admin, signed in."""
    return platform.sign_in(ADMIN_KEY)


@pytest.fixture
def market(platform: Platform, admin: Wallet) -> str:
    """An active market of the admin's."""
    return platform.active_market(admin, admin)


@pytest.fixture
def network(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    """The IPFS network that the platform asks."""
    assert platform
    node = IpfsNode()
    first, second = (IpfsNode(blocks=node.blocks) for _ in range(2))
    with FeedServer(node) as api, FeedServer(first) as one, FeedServer(second) as other:
        monkeypatch.setenv("IPFS_API_URL", f"{api.url}/")
        monkeypatch.setenv("IPFS_GATEWAYS", f"{one.url}/, {other.url}")
        yield Network(node, first, second)


@pytest.fixture
def now_ms(platform: Platform) -> int:  # noqa: ARG001 - the platform sets the clock
    """The simulated time."""
    return clock.now_ms()


@pytest.fixture(scope="module")
def chain(module_platform: Platform) -> Iterator[Cluster]:
    """One chain for a module; each test has a market of its own."""
    with pytest.MonkeyPatch.context() as patch, Cluster(module_platform.clock_file) as cluster:
        for name, value in cluster.environment.items():
            patch.setenv(name, value)
        yield cluster


@pytest.fixture
def sender(module_platform: Platform, chain: Cluster, redis_url: str) -> Iterator[Sender]:
    """A proposed market here and on chain, nothing under way, a node that is well."""
    market_id = uuid.UUID(module_platform.proposed_market(module_platform.sign_in()))
    market = chain.create_market(chain.wallet(), market_id=programme.chain_market_id(market_id))
    sender = Sender(module_platform, chain, market_id, market, redis_url)
    yield sender
    chain.control("faults")
    _empty(redis_url)
    with module_platform.database.connect() as owner:
        owner.execute("truncate chain_transactions, ops_alerts")


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster for the module: each test makes markets of its own."""
    clock_file = tmp_path_factory.mktemp("solana") / "clock"
    set_clock(clock_file, NOON_MS)
    with Cluster(clock_file) as cluster:
        yield cluster


@pytest.fixture
def cluster(emulated: Cluster, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """The cluster that the platform asks."""
    for name, value in emulated.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HELIUS_WEBHOOK_SECRET", WEBHOOK_SECRET)
    emulated.control("faults")
    # As if everything before this test had been fetched.
    emulated.advance_slots(40)
    programme = emulated.environment["ZMART_PROGRAM_ID"]
    for last in emulated.rpc("getSignaturesForAddress", programme, {"limit": 1}):
        with platform.database.connect() as owner:
            owner.execute(
                "insert into chain_cursors values (%s, %s, %s, now())",
                (programme, last["slot"], last["signature"]),
            )
    return emulated


@pytest.fixture
def alice(cluster: Cluster) -> Keypair:
    """A wallet with money there."""
    return cluster.wallet(100)


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """Where a chain delivers what happens on it."""
    with Receiver() as server:
        yield server


@pytest.fixture(scope="module")
def heard_cluster(module_platform: Platform, receiver: Receiver) -> Iterator[Cluster]:
    """One chain for the module, whose webhook is heard."""
    with (
        pytest.MonkeyPatch.context() as patch,
        Cluster(module_platform.clock_file, webhook=receiver.url) as cluster,
    ):
        for name, value in cluster.environment.items():
            patch.setenv(name, value)
        yield cluster


@pytest.fixture
def poll(
    module_platform: Platform, heard_cluster: Cluster, receiver: Receiver, redis_url: str
) -> Iterator[Poll]:
    """A proposed market on chain, known here; nothing else is open, and the node is well."""
    cluster = heard_cluster
    market_id, creator = uuid.uuid4(), cluster.wallet(1_000)
    market = cluster.create_market(creator, market_id=programme.chain_market_id(market_id))
    poll = Poll(module_platform, cluster, receiver, creator, market_id, market)
    poll.hear()
    yield poll
    cluster.control("faults")
    _empty(redis_url)
    poll.execute("truncate chain_transactions, ops_alerts, dead_letters, vote_tallies")
    poll.execute("update markets set state = 'CANCELLED'")
