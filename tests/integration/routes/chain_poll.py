"""A market on chain that is voted on here, and everything that is told of it."""

import uuid
from dataclasses import dataclass
from typing import Any

from solders.keypair import Keypair
from solders.pubkey import Pubkey

from presage import clock
from presage.chain.accounts import MarketAccount
from tests.cluster import SOL, Cluster
from tests.harness import Platform
from tests.integration.local.receiver import Receiver

DAY = 86_400
SLOT = 300
# How long votes that were cast in time may come late.
LATE = 300
TALLY, APPROVAL, FINAL = "aggregate_proposal_votes", "approve_proposal", "finalize_market"


@dataclass
class Poll:
    """A market on chain that is voted on here, and everything that is told of it."""

    platform: Platform
    cluster: Cluster
    receiver: Receiver
    creator: Keypair
    market_id: uuid.UUID
    market: Pubkey

    def hear(self) -> None:
        """Have the platform index what Helius delivers."""
        self.cluster.control("flush")
        arrivals, self.receiver.arrivals = self.receiver.arrivals, []
        for arrival in arrivals:
            told = {"authorization": arrival.headers["authorization"]}
            assert self.platform.index_raw(arrival.body, **told).status == 200

    def cast(self, likes: int, dislikes: int) -> None:
        """Votes of new wallets that exist in the database only."""
        with self.platform.database.connect() as owner:
            owner.execute(
                "with wallets as ("
                "  insert into users (id, address, chain, created_at)"
                "  select gen_random_uuid(), gen_random_uuid()::text, 'solana', %(now)s"
                "  from generate_series(1, %(all)s) returning id, address)"
                " insert into votes (id, market_id, user_id, wallet, kind, vote, created_at)"
                " select gen_random_uuid(), %(market)s, w.id, w.address, 'proposal',"
                "   row_number() over () <= %(likes)s, %(now)s from wallets as w",
                {
                    "market": self.market_id,
                    "all": likes + dislikes,
                    "likes": likes,
                    "now": clock.now(),
                },
            )

    def count(self, *, after_s: int = SLOT) -> None:
        """One run of vote_aggregation in a slot of its own."""
        self.platform.advance(after_s)
        assert self.platform.deliver("vote_aggregation").status == 200

    def monitor(self, *, after_s: int = 60) -> None:
        """One run of market_monitor in a slot of its own."""
        self.platform.advance(after_s)
        assert self.platform.deliver("market_monitor").status == 200

    def land(self) -> None:
        """What was sent becomes final, and the platform hears of it."""
        self.cluster.advance_slots(32)
        self.platform.advance(60)
        assert self.platform.deliver("chain_confirm").status == 200
        self.hear()

    def sent(self) -> list[tuple[str, str]]:
        """What was signed for the market, oldest first: purpose and status."""
        return self.select(
            "select purpose, status from chain_transactions where market_id = %s"
            " order by created_at, id",
        )

    def results(self) -> list[tuple[Any, ...]]:
        """What runs have counted, oldest first; whether a transaction went with it."""
        return self.select(
            "select yes, no, percentage_bps, passed, purpose, signature is not null"
            " from aggregation_results where market_id = %s order by id"
        )

    def account(self) -> MarketAccount:
        """The market as the chain has it."""
        return self.cluster.account(MarketAccount, self.market)

    def state(self) -> str:
        """The market's state here."""
        [(state,)] = self.select("select state from markets where id = %s")
        return str(state)

    def select(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows of the market as the owner sees them."""
        return self.platform.rows(statement, self.market_id)

    def execute(self, statement: str, *params: object) -> None:
        """A statement of the owner's."""
        with self.platform.database.connect() as owner:
            owner.execute(statement.encode(), params)


def unvoted(poll: Poll) -> list[Keypair]:
    """Trade, resolve to NO and dispute; who holds YES, and who holds NO."""
    poll.cast(10, 0)
    for _ in range(2):
        poll.count()
        poll.land()
    active = {"authority": poll.creator.pubkey(), "market": poll.market}
    poll.cluster.run("activate_market", poll.creator, active)
    holders = [poll.cluster.wallet(50) for _ in range(2)]
    for holder, outcome in zip(holders, (True, False), strict=True):
        poll.cluster.buy(holder, poll.market, 10 * SOL, outcome=outcome)
    poll.cluster.resolve(poll.creator, poll.market, outcome=False)
    poll.cluster.dispute(holders[0], poll.market)
    poll.hear()
    held = poll.select("select weight from dispute_weights where market_id = %s")
    assert len(held) == 2
    assert all(weight > 2**32 for (weight,) in held)
    return holders


def disputed(poll: Poll, weights: tuple[int, int]) -> list[Keypair]:
    """As `unvoted`; then the two, of these weights, vote for and against."""
    holders = unvoted(poll)
    for holder, weight, vote in zip(holders, weights, ("support", "reject"), strict=True):
        wallet = poll.platform.sign_in_with_solana(holder)
        poll.execute(
            "update dispute_weights set weight = %s where market_id = %s and wallet = %s",
            weight,
            poll.market_id,
            wallet.address,
        )
        body = {"marketId": str(poll.market_id), "vote": vote}
        cast = poll.platform.call("vote_on_dispute", token=wallet.token, body=body)
        assert cast.status == 200, cast.body
    return holders


def days_are_over(poll: Poll) -> None:
    """Set the clock to five minutes after the end of the dispute's three days."""
    poll.platform.set_clock((poll.account().dispute_initiated_at + 3 * DAY + LATE) * 1_000)
