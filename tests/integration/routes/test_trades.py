"""Trading on chain: quotes that the chain keeps to, transactions to sign, and what is relayed."""

import base64
import json
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from solders.instruction import CompiledInstruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from infra.local.feed import FeedServer
from infra.local.ipfs import IpfsNode
from presage import clock
from presage.adapters import breaker, redis, solana_rpc
from presage.chain import compiling, programme
from presage.chain.accounts import MarketAccount, UserPosition
from presage.chain.events import SharesBought, SharesSold
from presage.routes import ROUTES
from tests.cluster import AUTHORITY, SOL, B, Cluster
from tests.harness import Answer, Platform, Wallet
from tests.integration.routes.test_events import EVENTS, MARKET


@dataclass
class Desk:
    """The platform over a cluster, and one wallet that trades."""

    platform: Platform
    cluster: Cluster
    node: IpfsNode
    key: Keypair
    wallet: Wallet

    def ask(self, stem: str, _wallet: Wallet | None = None, **body: Any) -> Answer:
        """Call a route as the wallet, or as another."""
        return self.platform.call(stem, token=(_wallet or self.wallet).token, body=body)

    def sign(self, unsigned: dict[str, Any], key: Keypair | None = None) -> str:
        """The transaction with the wallet's signature, as a wallet makes it."""
        empty = VersionedTransaction.from_bytes(base64.b64decode(unsigned["transaction"]))
        assert len(bytes(empty)) <= compiling.MAX_TRANSACTION_BYTES
        signed = VersionedTransaction(empty.message, [key or self.key])
        return base64.b64encode(bytes(signed)).decode()

    def send(self, unsigned: dict[str, Any], key: Keypair | None = None) -> str:
        """Sign and submit; the signature."""
        self.platform.advance(1)
        done = self.ask("submit_trade", transaction=self.sign(unsigned, key))
        assert done.status == 200, done.body
        return str(done.data["signature"])

    def create(self, **fields: Any) -> str:
        """A market that the wallet has created on chain."""
        proposed = self.propose(**fields)
        assert proposed.status == 201, proposed.body
        self.send(proposed.data["unsigned"])
        return str(proposed.data["id"])

    def propose(self, **fields: Any) -> Answer:
        """Propose a market of the venue solana."""
        body: dict[str, Any] = {
            "question": "Will it rain on chain?",
            "closesAt": clock.from_ms(clock.now_ms() + 86_400_000).isoformat(),
            "venue": "solana",
            "bParameter": B,
            "initialLiquidity": SOL,
        } | fields
        return self.ask("propose_market", **body)

    def active(self) -> str:
        """A market that trades."""
        market = self.create()
        address = self.address(market)
        self.cluster.aggregate(address, 7, 3)
        admin = {"admin": AUTHORITY.pubkey(), "market": address}
        self.cluster.run("approve_proposal", AUTHORITY, admin)
        self.send(self.ask("activate_on_chain", marketId=market).data)
        return market

    def address(self, market: str) -> Pubkey:
        """Where a market's account is."""
        return programme.market_address(programme.chain_market_id(uuid.UUID(market)))

    def account(self, market: str) -> MarketAccount:
        """A market as the chain has it."""
        return self.cluster.account(MarketAccount, self.address(market))


@pytest.fixture
def desk(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    node = IpfsNode()
    with Cluster(platform.clock_file) as cluster, FeedServer(node) as ipfs:
        for name, value in cluster.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("IPFS_API_URL", ipfs.url)
        key = cluster.wallet(1_000)
        yield Desk(platform, cluster, node, key, platform.sign_in_with_solana(key))
        solana_rpc.close()


def test_a_market_is_created_by_its_wallet(desk: Desk) -> None:
    proposed = desk.propose(description="On chain.").data
    market = proposed["id"]
    shown = desk.platform.call("get_market", market_id=market).data
    assert (shown["venue"], shown["chainAddress"]) == ("solana", str(desk.address(market)))
    desk.send(proposed["unsigned"])
    account = desk.account(market)
    assert (account.creator, account.b_parameter, account.initial_liquidity) == (
        bytes(desk.key.pubkey()),
        B,
        SOL,
    )
    assert programme.platform_market_id(account.market_id) == uuid.UUID(market)
    [pinned] = desk.node.pinned
    assert pinned.startswith("Qm")
    assert b"Will it rain on chain?" in desk.node.blocks[pinned]


def test_a_quote_is_what_the_chain_does(desk: Desk) -> None:
    market = desk.active()
    held = {"YES": 0, "NO": 0}
    dice = random.Random(7)  # noqa: S311 - which trades does not matter
    for _ in range(12):
        outcome = dice.choice(("YES", "NO"))
        if held[outcome] > SOL and dice.random() < 0.5:
            shares = dice.randint(SOL // 2, held[outcome])
            answer = desk.ask(
                "sell_shares", marketId=market, outcome=outcome, shares=shares, minProceeds=1
            )
            quote = answer.data["quote"]
            [event] = desk.cluster.events(desk.send(answer.data["unsigned"]))
            assert isinstance(event, SharesSold)
            assert (event.shares, event.proceeds) == (quote["shares"], quote["total"])
            held[outcome] -= shares
        else:
            target = dice.randint(SOL // 10, 20 * SOL)
            answer = desk.ask("buy_shares", marketId=market, outcome=outcome, targetCost=target)
            quote = answer.data["quote"]
            [event] = desk.cluster.events(desk.send(answer.data["unsigned"]))
            assert isinstance(event, SharesBought)
            assert (event.shares, event.cost) == (quote["shares"], quote["total"])
            assert quote["total"] <= target
            held[outcome] += event.shares
        yes = quote["priceAfter"] if outcome == "YES" else 1_000_000_000 - quote["priceAfter"]
        assert event.new_price_yes == yes
        fees = quote["fees"]
        assert fees["total"] == fees["protocol"] + fees["resolver"] + fees["provider"]
    place = programme.position_address(desk.address(market), desk.key.pubkey())
    position = desk.cluster.account(UserPosition, place)
    assert (position.shares_yes, position.shares_no) == (held["YES"], held["NO"])


def test_a_life_on_chain_by_transactions_of_ours(desk: Desk) -> None:
    market = desk.active()
    bought = desk.ask("buy_shares", marketId=market, outcome="YES", targetCost=5 * SOL).data
    desk.send(bought["unsigned"])
    evidence = "https://news.example/it-rained"
    resolved = desk.ask("resolve_on_chain", marketId=market, outcome="YES", evidence=evidence)
    desk.send(resolved.data)
    cid = desk.account(market).ipfs_evidence_hash.decode()
    assert (
        desk.node.blocks[cid].endswith(evidence.encode())
        or evidence.encode() in (desk.node.blocks[cid])
    )
    desk.send(desk.ask("dispute_on_chain", marketId=market).data)
    assert desk.account(market).state == programme.MarketState.DISPUTED
    desk.platform.advance(3 * 86_400)
    desk.cluster.finalize(desk.address(market), 4_000, 6_000)
    before = desk.cluster.balance(desk.key.pubkey())
    desk.send(desk.ask("claim_winnings", marketId=market).data)
    assert desk.cluster.balance(desk.key.pubkey()) > before
    desk.send(desk.ask("withdraw_liquidity", marketId=market).data)
    assert desk.account(market).current_liquidity == 0


def test_only_what_was_made_here_is_relayed_and_once(desk: Desk) -> None:
    market = desk.active()
    asked: dict[str, Any] = {"marketId": market, "outcome": "YES", "targetCost": SOL}
    unsigned = desk.ask("buy_shares", **asked).data["unsigned"]
    signed = desk.sign(unsigned)
    # Another wallet's words in our shape, our words under another's name, unsigned, broken.
    stranger = desk.cluster.wallet(10)
    other = desk.platform.sign_in_with_solana(stranger)
    theirs = desk.cluster.signed(stranger)
    refused = {
        "stranger's": desk.ask("submit_trade", other, transaction=signed),
        "never made": desk.ask(
            "submit_trade", other, transaction=base64.b64encode(bytes(theirs)).decode()
        ),
        "unsigned": desk.ask("submit_trade", transaction=unsigned["transaction"]),
        "broken": desk.ask("submit_trade", transaction="AAAA"),
        "no base64": desk.ask("submit_trade", transaction="*" * 40),
        "not sane": desk.ask("submit_trade", transaction=_without_accounts(signed)),
        "more than one": desk.ask("submit_trade", transaction=_with_more(signed)),
    }
    assert {name: answer.status for name, answer in refused.items()} == {
        "stranger's": 404,
        "never made": 404,
        "unsigned": 400,
        "broken": 400,
        "no base64": 400,
        "not sane": 400,
        "more than one": 400,
    }
    assert {answer.body["details"]["field"] for answer in refused.values()} == {"transaction"}
    shares = desk.account(market).shares_yes
    first = desk.ask("submit_trade", transaction=signed)
    again = desk.ask("submit_trade", transaction=signed)
    assert (first.status, again.data) == (200, first.data)
    assert desk.account(market).shares_yes > shares
    assert desk.cluster.transaction(first.data["signature"])["meta"]["err"] is None
    with desk.platform.database.connect() as owner:
        kept = owner.execute(
            "select signature from unsigned_transactions where purpose = 'buy_shares'"
        ).fetchall()
        audited = owner.execute(
            "select changes ->> 'signature' from audit_log where action = 'submit_trade'"
            " and changes ->> 'purpose' = 'buy_shares'"
        ).fetchall()
    assert kept == audited == [(first.data["signature"],)]


def _without_accounts(signed: str) -> str:
    """A transaction that names accounts which it does not have."""
    made = VersionedTransaction.from_bytes(base64.b64decode(signed))
    message = made.message
    assert isinstance(message, MessageV0)
    bare = MessageV0(
        message.header, message.account_keys[:1], message.recent_blockhash, message.instructions, []
    )
    return base64.b64encode(bytes(VersionedTransaction.populate(bare, made.signatures))).decode()


def _with_more(signed: str) -> str:
    return base64.b64encode(base64.b64decode(signed) + b"more").decode()


def test_a_transaction_that_its_own_wallet_has_changed_is_not_relayed(desk: Desk) -> None:
    market = desk.active()
    bought = desk.ask("buy_shares", marketId=market, outcome="YES", targetCost=SOL)
    raw = base64.b64decode(bought.data["unsigned"]["transaction"])
    made = VersionedTransaction.from_bytes(raw).message
    assert isinstance(made, MessageV0)
    trade = made.instructions[-1]
    data = bytes(trade.data)
    # Ten times the price in the last argument, and signed as it should be.
    dearer = data[:-8] + (10 * SOL).to_bytes(8, "little")
    changed = MessageV0(
        made.header,
        made.account_keys,
        made.recent_blockhash,
        [
            *made.instructions[:-1],
            CompiledInstruction(trade.program_id_index, dearer, bytes(trade.accounts)),
        ],
        made.address_table_lookups,
    )
    signed = VersionedTransaction(changed, [desk.key])
    volume = desk.account(market).total_volume
    refused = desk.ask("submit_trade", transaction=base64.b64encode(bytes(signed)).decode())
    assert (refused.status, refused.body["details"]["field"]) == (404, "transaction")
    assert desk.account(market).total_volume == volume


def test_an_expired_transaction_is_told_from_a_refused_one(desk: Desk) -> None:
    market = desk.active()
    asked: dict[str, Any] = {"marketId": market, "outcome": "YES", "targetCost": SOL}
    late = desk.sign(desk.ask("buy_shares", **asked).data["unsigned"])
    desk.cluster.advance_slots(200)
    expired = desk.ask("submit_trade", transaction=late)
    assert (expired.status, expired.body["code"]) == (409, "INVALID_STATE")
    assert "expired" in expired.body["error"]
    soon = desk.sign(desk.ask("buy_shares", **asked).data["unsigned"])
    desk.cluster.resolve(desk.key, desk.address(market))
    refused = desk.ask("submit_trade", transaction=soon)
    assert (refused.status, refused.body["code"]) == (422, "UNPROCESSABLE")
    assert "InvalidMarketState" in refused.body["error"]


@pytest.mark.parametrize("behind", [[], ["sendTransaction"], ["getSignatureStatuses"]])
def test_what_is_not_known_yet_is_not_called_expired(desk: Desk, behind: list[str]) -> None:
    """Whoever is told to make another would buy twice, when the first one lands after all."""
    market = desk.active()
    asked: dict[str, Any] = {"marketId": market, "outcome": "YES", "targetCost": SOL}
    signed = desk.sign(desk.ask("buy_shares", **asked).data["unsigned"])
    is_over = "getSignatureStatuses" in behind  # expired, but the node that is asked cannot know
    desk.cluster.advance_slots(200 if is_over else 0)
    desk.cluster.control("faults", lag_slots=300, lag_methods=behind)
    early = desk.ask("submit_trade", transaction=signed)
    assert (early.status, early.body["code"]) == (502, "SOLANA_ERROR")
    desk.cluster.control("faults")
    again = desk.ask("submit_trade", transaction=signed)
    assert again.status == (409 if is_over else 200), again.body


def test_what_has_landed_is_not_called_expired(desk: Desk) -> None:
    market = desk.active()
    asked: dict[str, Any] = {"marketId": market, "outcome": "YES", "targetCost": SOL}
    signed = desk.sign(desk.ask("buy_shares", **asked).data["unsigned"])
    landed = VersionedTransaction.from_bytes(base64.b64decode(signed))
    # It got there, and the answer that would have said so was lost.
    desk.cluster.submit(landed)
    volume = desk.account(market).total_volume
    desk.cluster.advance_slots(500)
    late = desk.ask("submit_trade", transaction=signed)
    assert late.status == 200, late.body
    assert late.data["signature"] == str(landed.signatures[0])
    assert desk.account(market).total_volume == volume
    with desk.platform.database.connect() as owner:
        kept = owner.execute(
            "select signature from unsigned_transactions where purpose = 'buy_shares'"
        ).fetchall()
    assert kept == [(late.data["signature"],)]


def test_what_would_fail_is_refused_before_it_is_signed(desk: Desk) -> None:
    market = desk.active()
    poor = desk.cluster.wallet(0.01)
    poor_wallet = desk.platform.sign_in_with_solana(poor)
    big: dict[str, Any] = {"marketId": market, "outcome": "YES", "targetCost": 5 * SOL}
    cases = {
        "too small": desk.ask("buy_shares", marketId=market, outcome="YES", targetCost=9_999),
        "not held": desk.ask("sell_shares", marketId=market, outcome="NO", shares=SOL),
        "no money": desk.ask("buy_shares", poor_wallet, **big),
    }
    assert {name: answer.status for name, answer in cases.items()} == dict.fromkeys(cases, 422)
    assert "TradeTooSmall" in cases["too small"].body["error"]


def test_nothing_is_pinned_for_what_is_refused(desk: Desk) -> None:
    market = desk.create(slug="taken")
    poor = desk.platform.sign_in_with_solana(desk.cluster.wallet(0.01))
    before = set(desk.node.pinned)
    resolving: dict[str, Any] = {"marketId": market, "outcome": "YES", "evidence": "hearsay"}
    cases = {
        "not active": (desk.ask("resolve_on_chain", **resolving).status, 422),
        "no such market": (
            desk.ask("resolve_on_chain", **resolving | {"marketId": str(uuid.uuid4())}).status,
            404,
        ),
        "slug taken": (desk.propose(slug="taken").status, 409),
        "no money": (desk.propose(_wallet=poor).status, 422),
    }
    assert {name: status for name, (status, _) in cases.items()} == {
        name: expected for name, (_, expected) in cases.items()
    }
    assert desk.node.pinned == before


def test_prices_out_of_range_are_refused_with_the_reason(desk: Desk) -> None:
    market = desk.create(bParameter=100 * SOL)
    address = desk.address(market)
    desk.cluster.aggregate(address, 7, 3)
    admin = {"admin": AUTHORITY.pubkey(), "market": address}
    desk.cluster.run("approve_proposal", AUTHORITY, admin)
    desk.send(desk.ask("activate_on_chain", marketId=market).data)
    refused = desk.ask("buy_shares", marketId=market, outcome="YES", targetCost=350 * SOL)
    assert refused.status == 422
    assert "three times the market's b" in refused.body["error"]


def test_who_may_not_trade_on_chain(desk: Desk) -> None:
    market = desk.active()
    asked: dict[str, Any] = {"marketId": market, "outcome": "YES", "targetCost": SOL}
    ethereum = desk.platform.sign_in()
    assert desk.ask("buy_shares", ethereum, **asked).status == 422
    native = desk.platform.proposed_market(ethereum)
    refused = desk.ask("buy_shares", **asked | {"marketId": native})
    assert (refused.status, refused.body["code"]) == (409, "INVALID_STATE")
    assert desk.ask("buy_shares", **asked | {"marketId": str(uuid.uuid4())}).status == 404
    unborn = desk.propose().data["id"]
    assert desk.ask("buy_shares", **asked | {"marketId": unborn}).status == 409
    order = desk.platform.order(ethereum, market, side="BUY", price=0.5, size=5)
    assert (order.status, order.body["code"]) == (409, "INVALID_STATE")
    assert "/trades/" in order.body["error"]


def test_a_gift_to_where_a_market_will_be_makes_no_market_of_it(desk: Desk) -> None:
    market = desk.propose().data["id"]
    to = desk.address(market)
    gift = TransferParams(from_pubkey=desk.key.pubkey(), to_pubkey=to, lamports=900_000)
    desk.cluster.send(desk.key, transfer(gift))
    asked: dict[str, Any] = {"marketId": market, "outcome": "YES", "targetCost": SOL}
    refused = desk.ask("buy_shares", **asked)
    assert (refused.status, refused.body["code"]) == (409, "INVALID_STATE")
    assert "not on chain yet" in refused.body["error"]


def test_an_account_that_may_only_close_sells_and_buys_no_more(desk: Desk) -> None:
    market = desk.active()
    buy: dict[str, Any] = {"marketId": market, "outcome": "YES", "targetCost": 5 * SOL}
    desk.send(desk.ask("buy_shares", **buy).data["unsigned"])
    made_before = desk.sign(desk.ask("buy_shares", **buy).data["unsigned"])
    with desk.platform.database.connect() as owner:
        owner.execute("update users set closed_only = true where id = %s", (desk.wallet.user_id,))
    volume = desk.account(market).total_volume
    for stem, body in (("buy_shares", buy), ("submit_trade", {"transaction": made_before})):
        refused = desk.ask(stem, **body)
        assert (refused.status, refused.body["code"]) == (403, "FORBIDDEN"), stem
    assert desk.account(market).total_volume == volume
    sale = desk.ask("sell_shares", marketId=market, outcome="YES", shares=SOL)
    desk.send(sale.data["unsigned"])
    assert desk.account(market).total_volume > volume


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"bParameter": None}, "body"),
        ({"venue": "native"}, "body"),
        ({"bParameter": B // 100_000}, "bParameter"),
        ({"initialLiquidity": 0}, "initialLiquidity"),
    ],
)
def test_a_proposal_that_does_not_hold_together(
    desk: Desk, fields: dict[str, Any], field: str
) -> None:
    refused = desk.propose(**fields)
    assert (refused.status, refused.body["details"]["field"]) == (400, field)


def test_without_a_programme_nothing_is_traded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    market = desk.create()
    monkeypatch.setenv("ZMART_PROGRAM_ID", "")
    asked: dict[str, Any] = {"marketId": market, "outcome": "YES", "targetCost": SOL}
    for refused in (desk.ask("buy_shares", **asked), desk.propose()):
        assert (refused.status, refused.body["code"]) == (503, "UNAVAILABLE")
        assert "ZMART_PROGRAM_ID" in refused.body["error"]


def test_a_silent_chain_is_a_502_and_keeps_nothing(desk: Desk) -> None:
    market = desk.active()
    desk.cluster.control("faults", status=500, times=-1)
    asked: dict[str, Any] = {"marketId": market, "outcome": "YES", "targetCost": SOL}
    refused = desk.ask("buy_shares", **asked)
    assert (refused.status, refused.body["code"]) == (502, "SOLANA_ERROR")
    desk.cluster.control("faults")


def test_what_trading_meets_does_not_stop_the_platforms_own_sending(desk: Desk) -> None:
    market = desk.active()
    desk.cluster.control("faults", status=429, times=-1)
    asked: dict[str, Any] = {"marketId": market, "outcome": "YES", "targetCost": SOL}
    for _ in range(6):
        assert desk.ask("buy_shares", **asked).status == 502
    desk.cluster.control("faults")
    assert solana_rpc.finality().slot > 0
    # Trading itself is left alone for a minute.
    assert desk.ask("buy_shares", **asked).status == 502
    redis.flush([("DEL", breaker.open_key(solana_rpc.TRADES.name))])
    assert desk.ask("buy_shares", **asked).status == 200


@pytest.mark.parametrize(
    "stem", [stem for stem, route in ROUTES.items() if route.domain == "chain"]
)
def test_the_event_is_served(desk: Desk, stem: str) -> None:
    market = desk.create() if stem == "activate_on_chain" else desk.active()
    address = desk.address(market)
    if stem == "activate_on_chain":
        desk.cluster.aggregate(address, 7, 3)
        admin = {"admin": AUTHORITY.pubkey(), "market": address}
        desk.cluster.run("approve_proposal", AUTHORITY, admin)
    signed = ""
    if stem != "activate_on_chain":
        asked = desk.ask("buy_shares", marketId=market, outcome="YES", targetCost=5 * SOL)
        bought = asked.data["unsigned"]
        signed = desk.sign(bought)
    if stem in {"sell_shares", "claim_winnings", "withdraw_liquidity"}:
        desk.send(bought)
    if stem in {"dispute_on_chain", "claim_winnings", "withdraw_liquidity"}:
        desk.cluster.resolve(desk.key, address)
    if stem in {"claim_winnings", "withdraw_liquidity"}:
        desk.platform.advance(3 * 86_400)
        desk.cluster.finalize(address)
    text = (EVENTS / f"{stem}.json").read_text(encoding="utf-8")
    for name, value in {
        MARKET: market,
        "SESSION_TOKEN": desk.wallet.token,
        "TRANSACTION": signed,
    }.items():
        text = text.replace(name, value)
    answer = desk.platform.invoke(stem, json.loads(text))
    assert answer.status == ROUTES[stem].status, answer.body
    with desk.platform.database.connect() as owner:
        logged = owner.execute(
            "select action from audit_log where request_id = %s",
            (f"event-{stem.replace('_', '-')}",),
        ).fetchall()
    # What is only handed out has changed nothing yet.
    assert logged == ([("submit_trade",)] if stem == "submit_trade" else [])
