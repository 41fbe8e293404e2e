"""The platform in a test's own process: handlers called with true events, on real servers."""

import base64
import functools
import hashlib
import importlib
import json
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import jwt
from eth_account import Account
from eth_account.messages import encode_defunct
from jsonschema import Draft202012Validator
from solders.keypair import Keypair

from infra.local.clock import set_clock
from infra.local.events import HttpRequest, build_event
from infra.local.template import Function
from infra.local.template import Route as GatewayRoute
from presage import clock, config
from presage.adapters import qstash, redis, solana_rpc
from presage.call import Actor, Call, Zone
from presage.db import connection
from presage.identity import sessions
from presage.ledger import service as ledger
from presage.routes import ROUTES
from tests import logwatch
from tests.conftest import Database

ROOT = Path(__file__).resolve().parent.parent
PUBLIC_BASE_URL = "http://127.0.0.1:8000/api/v1"
# Throw-away signing keys of the tests' QStash.
CURRENT_KEY = "sig_current_" + "0123456789abcdef" * 2
NEXT_KEY = "sig_next_" + "fedcba9876543210" * 2
WEBHOOK_SECRET = "webhook-secret-of-the-tests"
NOON_MS = 1_784_894_400_000

type Handler = Callable[[dict[str, Any], object], dict[str, Any]]


@dataclass(frozen=True)
class Answer:
    """What a handler answered."""

    status: int
    headers: dict[str, str]
    cookies: list[str]
    body: dict[str, Any]
    text: str = ""

    @property
    def data(self) -> Any:
        """The envelope's data; an AssertionError shows an answer that is none."""
        assert self.body.get("success"), self.body
        return self.body["data"]


@dataclass(frozen=True)
class Wallet:
    """A signed-in wallet."""

    address: str
    token: str
    user_id: uuid.UUID


@dataclass
class Platform:
    """Calls handlers as API Gateway would."""

    database: Database
    clock_file: Path
    _handlers: dict[str, Handler] = field(default_factory=dict)

    def handler(self, stem: str) -> Handler:
        """The Lambda handler of a route."""
        if stem not in self._handlers:
            module = importlib.import_module(f"functions.{ROUTES[stem].domain}.{stem}.handler")
            self._handlers[stem] = cast("Handler", module.handler)
        return self._handlers[stem]

    def event(
        self,
        stem: str,
        *,
        body: object = None,
        raw: bytes | None = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        cookies: list[str] | None = None,
        ip: str = "127.0.0.1",
        **path: object,
    ) -> dict[str, Any]:
        """A true API Gateway event for a route."""
        route = ROUTES[stem]
        payload = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        shown = {"content-type": "application/json", "host": "127.0.0.1:8000"}
        shown |= {name.lower(): value for name, value in (headers or {}).items()}
        parameters = {name: str(value) for name, value in path.items()}
        request = HttpRequest(
            method=route.method,
            path=route.path.format(**parameters),
            query=urlencode(query or {}, doseq=True),
            headers=shown,
            cookies=cookies or [],
            body=payload,
            source_ip=ip,
            protocol="HTTP/1.1",
        )
        function = Function(stem, Path(), "handler.handler", 10, 128, {})
        described = GatewayRoute(route.method, route.path, function)
        return build_event(request, described, parameters, str(uuid.uuid4()))

    def call(
        self,
        stem: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        **rest: Any,
    ) -> Answer:
        """Invoke a handler; `token` signs the caller in."""
        shown = dict(headers or {})
        if token:
            shown["authorization"] = f"Bearer {token}"
        return self.invoke(stem, self.event(stem, headers=shown, **rest))

    def invoke(self, stem: str, event: dict[str, Any]) -> Answer:
        """Invoke a handler with an event as it stands."""
        logwatch.note_event(event)
        raw = self.handler(stem)(event, None)
        is_json = raw["headers"].get("Content-Type") == "application/json"
        answer = Answer(
            status=raw["statusCode"],
            headers={name.lower(): value for name, value in raw["headers"].items()},
            cookies=raw.get("cookies", []),
            body=json.loads(raw["body"]) if raw["body"] and is_json else {},
            text=raw["body"],
        )
        logwatch.note_answer(answer.body)
        if is_json:
            assert_documented(stem, answer)
        return answer

    def deliver(self, stem: str, body: object = None, **headers: str) -> Answer:
        """Deliver a workflow's message, signed as QStash signs it."""
        raw = b"" if body is None else json.dumps(body).encode()
        url = config.get("PUBLIC_BASE_URL") + ROUTES[stem].path
        shown = {
            "upstash-signature": sign_delivery(url, raw),
            "upstash-message-id": f"msg_{uuid.uuid4().hex}",
            "upstash-retried": "0",
        } | headers
        return self.invoke(stem, self.event(stem, raw=raw, headers=shown))

    def index(self, *transactions: object, **headers: str) -> Answer:
        """Deliver raw transactions as Helius does."""
        return self.index_raw(json.dumps(transactions).encode(), **headers)

    def index_raw(self, raw: bytes, **headers: str) -> Answer:
        """Deliver a body as Helius does."""
        shown = {"authorization": WEBHOOK_SECRET} | headers
        return self.invoke("receive_helius", self.event("receive_helius", raw=raw, headers=shown))

    def rows(self, query: str, *params: object) -> list[tuple[Any, ...]]:
        """What a query finds, asked by the owner."""
        with self.database.connect() as owner:
            return owner.execute(query.encode(), params or None).fetchall()

    def sign_in(self, key: str | None = None) -> Wallet:
        """A new wallet with a session, through the two sign-in routes."""
        account = Account.from_key(key or "0x" + secrets.token_hex(32))
        message = self.call("create_nonce", body={"address": account.address}).data["message"]
        signed = account.sign_message(encode_defunct(text=message))
        connected = self.call(
            "connect_wallet",
            body={
                "address": account.address,
                "message": message,
                "signature": signed.signature.hex(),
            },
        ).data
        user_id = uuid.UUID(connected["session"]["user"]["id"])
        return Wallet(account.address, connected["token"], user_id)

    def sign_in_with_solana(self, key: Keypair | None = None) -> Wallet:
        """As `sign_in`, with a wallet of Solana."""
        key = key or Keypair()
        address = str(key.pubkey())
        challenge = self.call("create_nonce", body={"address": address, "chain": "solana"}).data
        signature = str(key.sign_message(challenge["message"].encode()))
        body = {"address": address, "message": challenge["message"], "signature": signature}
        connected = self.call("connect_wallet", body=body).data
        return Wallet(address, connected["token"], uuid.UUID(connected["session"]["user"]["id"]))

    def api_key(self, wallet: Wallet, *scopes: str, **fields: Any) -> str:
        """A new API key of a wallet; a service key goes into x-service-key, others are tokens."""
        body = {"name": "test", "scopes": list(scopes)} | fields
        return cast("str", self.call("create_api_key", token=wallet.token, body=body).data["key"])

    def fund(self, wallet: Wallet, amount_micros: int) -> None:
        """Give a user money from outside."""
        ledger.deposit(
            self.as_zone("worker"), wallet.user_id, amount_micros, f"test:{uuid.uuid4()}"
        )

    def as_zone(self, zone: Zone, actor: Actor | None = None) -> Call:
        """A call as a service sees it, outside any handler."""
        return Call(zone=zone, now=clock.now(), request_id="test", ip="127.0.0.1", actor=actor)

    def actor(self, wallet: Wallet) -> Actor:
        """A signed-in caller, as edge would make it."""
        return Actor(
            user_id=wallet.user_id,
            address=wallet.address,
            role="user",
            session_hash=sessions.hash_token(wallet.token),
        )

    def proposed_market(self, creator: Wallet, **fields: Any) -> str:
        """The id of a market that somebody has proposed, closing in a day."""
        body = {
            "question": f"Will it happen {secrets.token_hex(4)}?",
            "closesAt": clock.from_ms(clock.now_ms() + 86_400_000).isoformat(),
        } | fields
        market = self.call("propose_market", token=creator.token, body=body).data
        return cast("str", market["id"])

    def active_market(self, admin: Wallet, creator: Wallet, **fields: Any) -> str:
        """The id of a market that trades, by the three routes that lead there."""
        fee = {"feeBps": fields.pop("feeBps", 0), "makerRebateBps": fields.pop("makerRebateBps", 0)}
        market_id = self.proposed_market(creator, **fields)
        approved = self.call("approve_market", token=admin.token, body=fee, market_id=market_id)
        assert approved.status == 200, approved.body
        activated = self.call("activate_market", token=creator.token, market_id=market_id)
        assert activated.status == 200, activated.body
        return market_id

    def comment(
        self, wallet: Wallet, market_id: str, content: str = "Hm.", **fields: Any
    ) -> Answer:
        """Say something of a market."""
        body = {"marketId": market_id, "content": content} | fields
        return self.call("create_comment", token=wallet.token, body=body)

    def dispute(self, wallet: Wallet, market_id: str, *, key: str = "dispute-1") -> Answer:
        """Dispute a proposed outcome."""
        return self.call(
            "dispute_market",
            token=wallet.token,
            market_id=market_id,
            body={"reason": "The scorecard was corrected."},
            headers={"idempotency-key": key},
        )

    def deposit(self, wallet: Wallet, *, key: str | None = None, **fields: Any) -> Answer:
        """Announce a deposit: 500 by bKash, under a reference of its own, unless told otherwise."""
        body = {"method": "bkash", "amount": 500, "senderReference": secrets.token_hex(6)}
        if fields.get("method", "bkash") not in {"bank", "usdt"}:
            body["senderNumber"] = "01712345678"
        return self.call(
            "create_deposit",
            token=wallet.token,
            body=body | fields,
            headers={"idempotency-key": key or secrets.token_hex(8)},
        )

    def withdraw(self, wallet: Wallet, *, key: str | None = None, **fields: Any) -> Answer:
        """Withdraw 100 by bKash, unless told otherwise."""
        body = {"method": "bkash", "amount": 100, "destination": "01712345678"} | fields
        return self.call(
            "create_withdrawal",
            token=wallet.token,
            body=body,
            headers={"idempotency-key": key or secrets.token_hex(8)},
        )

    def cities(self, admin: Wallet, creator: Wallet, **fields: Any) -> str:
        """The id of an exhaustive market of three outcomes that trades."""
        market_id = self.proposed_market(creator, **fields)
        labels = (("Dhaka", 0.5), ("Sylhet", 0.3), ("OTHER", 0.2))
        outcomes = [{"label": label, "probability": chance} for label, chance in labels]
        for stem, wallet, body in (
            ("create_outcomes", admin, {"exhaustive": True, "outcomes": outcomes}),
            ("approve_market", admin, {}),
            ("activate_market", creator, {}),
        ):
            done = self.call(stem, token=wallet.token, body=body, market_id=market_id)
            assert done.status < 300, done.body
        return market_id

    def order(self, wallet: Wallet, market_id: str, **fields: Any) -> Answer:
        """Place an order; a client order id is made up unless given."""
        body = {"marketId": market_id, "clientOrderId": secrets.token_hex(8)} | fields
        return self.call("place_order", token=wallet.token, body=body)

    def dead_letter(self, workflow: str, item: str, *, times: int = 1) -> int:
        """The id of a dead letter of an item that failed so often, each time when it was due."""
        with self.database.connect("presage_worker") as worker:
            for number in range(times):
                self.advance(1_200 if number else 0)
                worker.execute(
                    "select keep_dead_letters(%s, %s, false, %s)",
                    (workflow, json.dumps([{"item": item, "error": "Broke"}]), clock.now()),
                )
            row = worker.execute(
                "select id from dead_letters where workflow = %s and item = %s", (workflow, item)
            ).fetchone()
        assert row is not None
        return int(row[0])

    def audit(self) -> list[ledger.Violation]:
        """What the books say against themselves."""
        return ledger.audit(self.as_zone("worker"))

    def advance(self, seconds: float) -> None:
        """Move the simulated clock on."""
        self.set_clock(clock.now_ms() + round(seconds * 1000))

    def set_clock(self, unix_ms: int) -> None:
        """Set the simulated clock."""
        set_clock(self.clock_file, unix_ms)

    @contextmanager
    def threads(self, count: int) -> Iterator[ThreadPoolExecutor]:
        """A pool whose threads let go of their connections in the end."""
        together = threading.Barrier(count)

        def close(_: int) -> None:
            together.wait()  # so that each thread closes its own
            self.close()

        with ThreadPoolExecutor(count) as pool:
            yield pool
            list(pool.map(close, range(count)))

    def close(self) -> None:
        """Let go of this thread's connections."""
        connection.close()
        redis.close()
        qstash.close()
        solana_rpc.close()


@functools.cache
def _document() -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads((ROOT / "openapi.json").read_text(encoding="utf-8")))


@functools.cache
def _validator(stem: str, status: int) -> Draft202012Validator:
    """What openapi.json says of this answer of this route; an undocumented one is a KeyError."""
    route = ROUTES[stem]
    responses = _document()["paths"][route.path][route.method.lower()]["responses"]
    response = responses[str(status)]
    if "$ref" in response:
        response = _document()["components"]["responses"]["Error"]
    schema = response["content"]["application/json"]["schema"]
    return Draft202012Validator(schema | {"components": _document()["components"]})


def assert_documented(stem: str, answer: Answer) -> None:
    """Every answer that any test sees is one that openapi.json promises."""
    if answer.status != 304:
        _validator(stem, answer.status).validate(answer.body)


def sign_delivery(url: str, body: bytes, *, key: str = CURRENT_KEY, **claims: Any) -> str:
    """An Upstash-Signature by the vendor's rules (HS256 JWT); `claims` replaces some."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode()
    now = clock.now_ms() // 1000
    payload = {
        "iss": "Upstash",
        "sub": url,
        "iat": now,
        "nbf": now,
        "exp": now + 300,
        "jti": f"jwt_{time.monotonic_ns()}",
        "body": digest,
    } | claims
    return jwt.encode(payload, key, algorithm="HS256")
