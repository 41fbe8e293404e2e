"""Markets on Solana from the first signature to the last claim, over HTTP and emulators."""

import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from infra.local.client import ApiClient, ApiError
from infra.local.clock import set_clock
from infra.local.solana_wallet import ChainTrader, SolanaWallet
from infra.local.stack import ANY_PORTS, PROGRAM_ID, Stack
from presage import clock
from presage.adapters.qstash import connected
from presage.chain import programme
from presage.chain.accounts import MarketAccount, UserPosition
from presage.routes import ROUTES
from tests.cluster import SOL, Cluster

START_MS = 1_784_894_400_000
DAY = 86_400
HOUR = 3_600
# The programme's own b / 1000 shares of each side must be worth more than the resolver's reward:
# that is paid out of what the winners share, and the last of them would find it missing.
B = 5_000 * SOL


@dataclass
class Scene:
    """A stack with a chain whose clock the story moves, and what the chain itself says."""

    stack: Stack
    chain: Cluster
    public: ApiClient
    kept: ExitStack
    now_ms: int = START_MS
    wallets: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    def wait(self, seconds: float) -> None:
        """Let time pass; QStash and Helius deliver what they have."""
        self.now_ms += round(seconds * 1_000)
        self.counts += Counter(self.stack.advance(self.now_ms))
        self.counts += Counter(self.stack.deliver_webhooks())

    def people(self, count: int) -> list[ChainTrader]:
        """Wallets with money on chain, signed in."""
        self.wait(61)  # ten sign-ins a minute and address
        found = []
        for _ in range(count):
            self.wallets += 1
            wallet = SolanaWallet(f"wallet {self.wallets}")
            self.chain.rpc("requestAirdrop", wallet.address, 100 * SOL)
            trader = ChainTrader(self.stack.base_url, wallet)
            self.kept.callback(trader.close)
            found.append(trader)
        return found

    def run(self, stem: str) -> dict[str, int]:
        """Have QStash deliver a workflow in its next slot, and the chain's answer; the counts."""
        self.wait(ROUTES[stem].slot_s)
        url = self.stack.base_url + ROUTES[stem].path
        with connected(self.stack.qstash_url, self.stack.env["QSTASH_TOKEN"]) as qstash:
            qstash.message.publish(url=url, method="POST", retries=0)
        self.wait(0)
        [(counts,)] = self.select(
            "select counts from workflow_runs where name = %s order by slot desc limit 1", stem
        )
        found: dict[str, int] = counts
        return found

    def confirm(self) -> None:
        """Let what was sent become final, and the platform see it."""
        assert self.run("chain_confirm")["live"] == 0

    def market(self, market_id: str) -> dict[str, Any]:
        """A market as the API shows it."""
        self.wait(6)  # past what is kept of the last answer
        return self.public.market(market_id)

    def state(self, market_id: str) -> str:
        """A market's state in the API."""
        return str(self.market(market_id)["state"])

    def account(self, market_id: str) -> MarketAccount:
        """A market's account on chain."""
        return self.chain.account(MarketAccount, address(market_id))

    def history(self, market_id: str) -> list[tuple[str, str]]:
        """The signature and type of each event on chain, newest first."""
        landed = str(address(market_id)), {"commitment": "confirmed"}
        found = self.chain.rpc("getSignaturesForAddress", *landed)
        return [
            (one["signature"], type(event).__name__)
            for one in found
            for event in reversed(self.chain.events(one["signature"]))
        ]

    def sent(self, market_id: str) -> list[str]:
        """What the platform has signed for a market, oldest first."""
        rows = self.select(
            "select purpose from chain_transactions where market_id = %s order by created_at",
            market_id,
        )
        return [purpose for (purpose,) in rows]

    def select(self, statement: str, *params: object) -> list[tuple[Any, ...]]:
        """Rows as the owner sees them."""
        with psycopg.connect(self.stack.database_urls["owner"], autocommit=True) as owner:
            return owner.execute(statement.encode(), params).fetchall()

    # A market's life

    def proposed(self, creator: ChainTrader) -> str:
        """A market that its wallet has created on chain."""
        closes = clock.from_ms(self.now_ms + 30 * DAY * 1_000).isoformat()
        market = creator.propose(
            {
                "question": "Will it hold on chain?",
                "closesAt": closes,
                "bParameter": B,
                "initialLiquidity": SOL,
            }
        )
        self.wait(1)
        return market

    def vote(self, market: str, voters: list[ChainTrader], likes: int) -> None:
        """The first so many like it, the others do not."""
        for number, voter in enumerate(voters):
            vote = "like" if number < likes else "dislike"
            voter.api.post("/votes/proposal", {"marketId": market, "vote": vote})

    def active(self, people: list[ChainTrader]) -> str:
        """A market of the first of ten, approved by all of them, that trades."""
        market = self.proposed(people[0])
        self.vote(market, people, 10)
        for _ in range(2):  # the tally, then the approval
            self.run("vote_aggregation")
            self.confirm()
        people[0].act("activate", market)
        self.wait(1)
        return market


def address(market_id: str) -> Pubkey:
    """Where a market's account is."""
    return programme.market_address(programme.chain_market_id(uuid.UUID(market_id)))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    clock_file = tmp_path_factory.mktemp("clock") / "clock"
    set_clock(clock_file, START_MS)
    with (
        pytest.MonkeyPatch.context() as patch,
        Stack(
            tmp_path_factory.mktemp("stack") / "state",
            ports=ANY_PORTS,
            clock_file=clock_file,
            durable=False,
            stage="test",
            access_log=False,
            keep=False,
            chain=True,
            ipfs=True,
        ) as stack,
        ApiClient(stack.base_url) as public,
        ExitStack() as kept,
    ):
        patch.setenv("ZMART_PROGRAM_ID", PROGRAM_ID)
        patch.setenv("PRESAGE_CLOCK_FILE", str(clock_file))
        chain = Cluster(url=stack.solana_url)
        kept.callback(chain.http.close)
        yield Scene(stack, chain, public, kept)


def test_a_life_on_chain(scene: Scene) -> None:
    people = scene.people(10)
    creator, buyer, other = people[:3]
    market = scene.proposed(creator)
    assert scene.market(market)["chainAddress"] == str(address(market))

    # Ten vote, seven like it: the tally goes to the chain, and from there the approval follows.
    scene.vote(market, people, 7)
    assert scene.run("vote_aggregation")["sent"] == 1
    scene.confirm()
    account = scene.account(market)
    assert (account.proposal_likes, account.proposal_dislikes) == (7, 3)
    assert scene.state(market) == "PROPOSED"
    assert scene.run("vote_aggregation")["sent"] == 1
    assert scene.state(market) == "APPROVED"
    scene.confirm()
    assert scene.sent(market) == ["aggregate_proposal_votes", "approve_proposal"]

    creator.act("activate", market)
    scene.wait(1)
    assert scene.state(market) == "ACTIVE"
    trade(scene, market, people[1:5])
    scene.chain.control("deliveries")

    resolver = people[9]
    resolver.act("resolve", market, outcome="NO", evidence="https://news.example/it-held")
    scene.wait(HOUR)
    assert (scene.state(market), scene.market(market)["proposedOutcome"]) == ("RESOLVING", "NO")
    buyer.act("dispute", market)
    scene.wait(1)
    assert scene.state(market) == "DISPUTED"
    weigh(scene, market, buyer, other)

    scene.run("sweep_outbox")
    told = [one["type"] for one in buyer.api.get("/notifications") if one["marketId"] == market]
    assert told == ["market_resolved"]
    claim(scene, market, people[1:5])
    agree(scene, market)


def test_markets_that_nobody_votes_on(scene: Scene) -> None:
    """Undisputed, a market is final after 48 hours; disputed and unvoted, it waits for a human."""
    config = {"admin": authority(scene).pubkey()}
    scene.chain.run(
        "update_global_config",
        authority(scene),
        config,
        protocol_fee_bps=300,
        resolver_reward_bps=200,
        liquidity_provider_fee_bps=500,
        proposal_approval_threshold=7_000,
        dispute_success_threshold=6_000,
        min_resolution_delay=None,
        dispute_period=2 * DAY,
    )
    people = scene.people(10)
    holder = people[1]
    quiet, disputed = (scene.active(people) for _ in range(2))
    for market in (quiet, disputed):
        holder.buy(market, "YES", 5 * SOL)
        people[2].act("resolve", market, outcome="NO", evidence="Seen.")
    people[3].act("dispute", disputed)
    scene.wait(1)
    assert (scene.state(quiet), scene.state(disputed)) == ("RESOLVING", "DISPUTED")
    before = scene.sent(quiet)

    scene.wait(2 * DAY - 10 * 60)
    assert scene.run("market_monitor")["sent"] == 0
    scene.wait(11 * 60)
    assert scene.run("market_monitor")["sent"] == 1
    shown = scene.market(quiet)
    assert (shown["state"], shown["finalOutcome"]) == ("FINALIZED", "NO")
    scene.confirm()

    scene.wait(DAY)
    for _ in range(2):
        assert scene.run("market_monitor")["sent"] == 0
    assert scene.state(disputed) == "DISPUTED"
    assert (scene.sent(quiet), scene.sent(disputed)) == ([*before, "finalize_market"], before)
    asked = scene.select("select kind, status from escalations where market_id = %s", disputed)
    assert asked == [("resolution", "open")]


def authority(scene: Scene) -> Keypair:
    """The programme's admin."""
    return Keypair.from_base58_string(scene.stack.env["SOLANA_AUTHORITY_KEY"])


def trade(scene: Scene, market: str, traders: list[ChainTrader]) -> None:
    """Four wallets buy and sell, told in any order and twice; all agree on what they hold."""
    scene.chain.control("deliveries", order="shuffle", duplicate=100, batch=3, seed=5)
    one, two, three, four = traders
    one.buy(market, "YES", 30 * SOL)
    quote = two.buy(market, "NO", 10 * SOL)
    three.buy(market, "YES", 5 * SOL)
    four.buy(market, "YES", 5 * SOL)
    four.buy(market, "NO", 3 * SOL)
    two.sell(market, "NO", quote["shares"] // 2)
    scene.wait(1)
    positions_agree(scene, market)


def weigh(scene: Scene, market: str, buyer: ChainTrader, other: ChainTrader) -> None:
    """Three days of votes by weight; not before they are over is anything sent."""
    ballot = {"marketId": market, "vote": "support"}
    told = buyer.api.post("/votes/dispute", ballot)["voteCount"]
    other.api.post("/votes/dispute", ballot | {"vote": "reject"})
    place = programme.position_address(address(market), Pubkey.from_string(buyer.address))
    held = scene.chain.account(UserPosition, place)
    assert told == {"support": str(held.shares_yes - held.shares_no), "reject": "0"}
    [stranger] = scene.people(1)
    with pytest.raises(ApiError) as refused:
        stranger.api.post("/votes/dispute", ballot)
    assert refused.value.status == 403
    before = scene.sent(market)
    began_ms = scene.account(market).dispute_initiated_at * 1_000
    for days in (0.5, 1, 2, 2.99):
        scene.wait((began_ms + days * DAY * 1_000 - scene.now_ms) / 1_000)
        scene.run("vote_aggregation")
        scene.run("market_monitor")
    assert (scene.sent(market), scene.state(market)) == (before, "DISPUTED")
    scene.wait((began_ms + (3 * DAY + 5 * 60) * 1_000 - scene.now_ms) / 1_000)
    assert scene.run("market_monitor")["sent"] == 1
    account = scene.account(market)
    assert account.final_outcome is True
    assert account.dispute_agree + account.dispute_disagree == 10_000
    shown = scene.market(market)
    assert (shown["state"], shown["finalOutcome"], shown["claimsEnabled"]) == (
        "FINALIZED",
        "YES",
        True,
    )
    scene.confirm()
    assert scene.run("market_monitor")["sent"] == 0
    assert scene.sent(market) == [*before, "finalize_market"]


def claim(scene: Scene, market: str, traders: list[ChainTrader]) -> None:
    """Winners are paid once, and whoever holds nothing that won is not."""
    one, two, three, four = traders
    for winner in (one, three, four):
        key = Pubkey.from_string(winner.address)
        before = scene.chain.balance(key)
        winner.act("claim", market)
        assert scene.chain.balance(key) > before
        scene.wait(1)
    for nobody in (one, two):
        with pytest.raises(ApiError) as refused:
            nobody.act("claim", market)
        assert refused.value.status == 422
    scene.wait(1)


def agree(scene: Scene, market: str) -> None:
    """What the API and the database say is what the chain's accounts and history say."""
    scene.run("event_reconciliation")
    account = scene.account(market)
    [row] = scene.select(
        "select state, creator, b_parameter, initial_liquidity, shares_yes, shares_no, likes,"
        " dislikes, resolver, proposed_outcome, final_outcome, dispute_initiator, was_disputed"
        " from chain_markets where address = %s",
        str(address(market)),
    )
    assert row == (
        "FINALIZED",
        str(Pubkey(account.creator)),
        account.b_parameter,
        account.initial_liquidity,
        account.shares_yes,
        account.shares_no,
        account.proposal_likes,
        account.proposal_dislikes,
        str(Pubkey(account.resolver)),
        account.proposed_outcome,
        account.final_outcome,
        str(Pubkey(account.dispute_initiator)),
        account.was_disputed,
    )
    positions_agree(scene, market)
    shown = scene.public.get(f"/events/{market}", {"limit": 100})
    listed = [(event["signature"], event["eventType"]) for event in shown["events"]]
    assert listed == scene.history(market)
    assert shown["totalCount"] == len(listed)
    assert scene.select("select * from discrepancies") == []
    assert scene.select("select item, error from dead_letters") == []
    assert scene.select("select type, data from ops_alerts") == []
    assert (scene.counts["failed"], scene.counts["dropped"]) == (0, 0)


def positions_agree(scene: Scene, market: str) -> None:
    """Every position here is its account's on chain."""
    rows = scene.select(
        "select p.wallet, p.shares_yes, p.shares_no, p.trades, p.has_claimed, p.claimed"
        " from chain_positions as p join chain_markets as m using (market)"
        " where m.address = %s order by p.wallet",
        str(address(market)),
    )
    assert len(rows) == 4
    for wallet, *told in rows:
        place = programme.position_address(address(market), Pubkey.from_string(wallet))
        held = scene.chain.account(UserPosition, place)
        [shown] = scene.public.get(f"/users/{wallet}/positions")
        shares = [int(Decimal(shown[f"shares{side}"]) * SOL) for side in ("Yes", "No")]
        assert (shown["marketId"], shares) == (market, [held.shares_yes, held.shares_no])
        assert told == [
            held.shares_yes,
            held.shares_no,
            held.trades_count,
            held.has_claimed,
            held.claimed_amount,
        ]
