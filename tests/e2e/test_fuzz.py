"""Every documented operation with what its schema allows and what it forbids, over HTTP.

schemathesis draws the requests; whatever it sends, the answer has a status, content type and body
that openapi.json promises, and none is a 5xx. The simulated minute goes on with the requests, so
that limits do not hide what lies behind them.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from infra.local import operations
from infra.local.client import ApiClient, Wallet
from infra.local.clock import set_clock
from infra.local.stack import ANY_PORTS, PROGRAM_ID, Stack
from presage.routes import ROUTES

SCHEMA = schemathesis.openapi.from_path(Path(__file__).resolve().parents[2] / "openapi.json")
OPERATIONS = {
    one.ok().definition.raw["operationId"]: one.ok()  # type: ignore[union-attr]  # none is broken
    for one in SCHEMA.get_all_operations()
}
START_MS = 1_784_894_400_000
STEP_MS = 7_000  # under the closest limit, ten a minute
ADMIN = Wallet("fuzz admin")
CRON_SECRET = "fuzz cron secret"
EXAMPLES = 10
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def _drawn() -> Iterator[tuple[str, GenerationMode]]:
    """Every operation with good requests, and with bad ones where a request can be bad."""
    for stem, operation in OPERATIONS.items():
        yield stem, GenerationMode.POSITIVE
        if ROUTES[stem].auth != "public" or operation.body or any(operation.iter_parameters()):
            yield stem, GenerationMode.NEGATIVE


class World:
    """A stack with a market that trades, and somebody signed in who may do everything."""

    def __init__(self, stack: Stack, clock_file: Path) -> None:
        self.base_url = stack.base_url
        self.session = requests.Session()
        self.clock_file = clock_file
        self._ticks = itertools.count(START_MS, STEP_MS)
        with ApiClient(stack.base_url).sign_in(ADMIN) as admin:
            operations.deposit(stack.env, START_MS, {admin.user_id: 10**12}, "fuzz")
            market = admin.propose_market(
                {"question": "Does it hold?", "closesAt": "2026-08-25T12:00:00Z"}
            )
            admin.approve_market(market, 100, 1000)
            admin.activate_market(market)
            bank = {"method": "bank", "amount": "10"}
            announced = bank | {"senderReference": "FUZZ1"}
            taken = bank | {"destination": "1234567890"}
            key = {"name": "bot", "scopes": ["read"]}
            said = {"marketId": market, "content": "Hm."}
            order = admin.place_order(
                {
                    "marketId": market,
                    "side": "BUY",
                    "price": "0.4",
                    "size": "5",
                    "clientOrderId": "fuzz",
                }
            )
            self.known = {
                "market_id": market,
                "order_id": order.id,
                "user_id": admin.user_id,
                "key_id": self._made(admin, "/auth/api-keys", key),
                "deposit_id": self._made(admin, "/wallet/deposits", announced),
                "withdrawal_id": self._made(admin, "/wallet/withdrawals", taken),
                "comment_id": self._made(admin, "/discussions", said),
                "id": market,
                "wallet": ADMIN.address,
            }

    def _made(self, client: ApiClient, path: str, body: dict[str, Any]) -> str:
        """The id of what a POST makes."""
        headers = {"Authorization": f"Bearer {client.token}", "Idempotency-Key": "fuzz"}
        answer = self.session.post(f"{self.base_url}{path}", json=body, headers=headers)
        return str(answer.json()["data"]["id"])

    def token(self, stem: str) -> str:
        """What opens a route: a session, or the operators' secret."""
        if ROUTES[stem].zone == "worker":
            return CRON_SECRET
        self.tick()
        with ApiClient(self.base_url).sign_in(ADMIN) as client:
            return client.token

    def tick(self) -> None:
        """Move the simulated clock on."""
        set_clock(self.clock_file, next(self._ticks))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    clock_file = tmp_path_factory.mktemp("clock") / "clock"
    set_clock(clock_file, START_MS)
    with Stack(
        tmp_path_factory.mktemp("stack") / "state",
        ports=ANY_PORTS,
        clock_file=clock_file,
        durable=False,
        mail=True,
        env={
            "BOOTSTRAP_ADMIN": ADMIN.address,
            "CRON_SECRET": CRON_SECRET,
            "HELIUS_WEBHOOK_SECRET": f"Bearer {CRON_SECRET}",
            "ZMART_PROGRAM_ID": PROGRAM_ID,
            "BINANCE_URL": "http://127.0.0.1:9",
            "COINBASE_URL": "http://127.0.0.1:9",
            "BINANCE_P2P_URL": "http://127.0.0.1:9",
            "COINGECKO_URL": "http://127.0.0.1:9",
        },
        stage="test",
        keep=False,
    ) as stack:
        world = World(stack, clock_file)
        yield world
        assert operations.audit(stack.env, START_MS) == []


@pytest.mark.parametrize(("stem", "mode"), list(_drawn()))
def test_an_answer_is_what_openapi_promises(stem: str, mode: GenerationMode, world: World) -> None:
    operation = OPERATIONS[stem]
    headers = {"Authorization": f"Bearer {world.token(stem)}"}

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(mode))
    def send(case: schemathesis.Case[Any]) -> None:
        world.tick()
        drawn = case.path_parameters or {}
        # Half of the paths name what exists, or nothing behind the look-up would ever be met.
        if next(turns) % 2:
            case.path_parameters = drawn | {k: v for k, v in world.known.items() if k in drawn}
        case.call_and_validate(world.base_url, world.session, headers, checks=CHECKS)

    turns = itertools.count()
    send()
