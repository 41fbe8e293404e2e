"""Histories of markets on chain, as a programme that keeps its rules would have written them."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg

from infra.local import deliveries
from infra.local.deliveries import GENESIS_S, GENESIS_SLOT, market, wallet
from presage.chain import programme
from presage.chain.events import (
    ConfigUpdated,
    DisputeAggregated,
    DisputeInitiated,
    DisputeVoteSubmitted,
    Event,
    LiquidityWithdrawn,
    MarketActivated,
    MarketCancelled,
    MarketCreated,
    MarketFinalized,
    MarketResolved,
    ProposalAggregated,
    ProposalApproved,
    ProposalVoteSubmitted,
    ProtocolPauseStatusChanged,
    SharesBought,
    SharesSold,
    WinningsClaimed,
)

CREATOR, ADMIN = wallet("creator"), wallet("admin")
PEOPLE = [wallet(f"person {number}") for number in range(5)]
EVIDENCE = b"QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o"[:46]
# What one history must give whatever the order of its deliveries.
TABLES = {
    "chain_events": "signature, ordinal, slot, tx_index, block_time, event_type, market, wallet,"
    " data",
    "chain_addresses": "*",
    "chain_markets": "*",
    "chain_positions": "*",
    "chain_votes": "*",
    "chain_config": "*",
    "chain_trades": "*",
    "dispute_weights": "*",
    "outcomes": "*",
    "markets": "id, slug, question, venue, chain_address, chain_market_id, state, proposed_at,"
    " proposed_payout_bps, final_payout_bps, finalized_at, claims_enabled, claims_available_at,"
    " last_state_change_tx, dispute_window_s, closes_at, created_at",
}
REBUILT = ("chain_markets", "chain_positions", "chain_votes", "chain_config", "dispute_weights")


def tables(owner: psycopg.Connection) -> dict[str, list[tuple[Any, ...]]]:
    """What every table says, in the order of its text."""
    return {
        name: owner.execute(
            f"select row(t.*)::text from (select {columns} from {name}) as t order by 1".encode()  # noqa: S608
        ).fetchall()
        for name, columns in TABLES.items()
    }


def forget(owner: psycopg.Connection) -> None:
    """Empty what an indexer writes."""
    owner.execute(
        "truncate chain_events, chain_addresses, chain_markets, chain_positions, chain_votes,"
        " chain_config, chain_incomplete, chain_cursors, discrepancies, dead_letters,"
        " market_state_changes, outbox, market_listings, dispute_weights, outcomes, markets cascade"
    )


@dataclass
class History:
    """One chain: its transactions, in order."""

    random: random.Random
    transactions: list[deliveries.Raw] = field(default_factory=list)
    _slot: int = GENESIS_SLOT
    _index: int = 0

    def add(self, *events: Event) -> None:
        """A transaction with these events, in this block or a later one."""
        if self.random.random() < 0.6:
            self._slot += self.random.randint(1, 3)
            self._index = 0
        self._index += self.random.randint(1, 3)
        name = f"tx {len(self.transactions)}"
        made = deliveries.of_events(*events, name=name, slot=self._slot, index=self._index)
        self.transactions.append(made)

    @property
    def now_s(self) -> int:
        """The chain's time."""
        return GENESIS_S + (self._slot - GENESIS_SLOT) * 2 // 5


def history(seed: int, markets: int = 3) -> History:
    """Some markets' lives at once: everything that can happen to one happens to some."""
    chain = History(random.Random(seed))  # noqa: S311 - a history that comes again
    lives = [_life(chain, number) for number in range(markets)]
    lives.append(_administration(chain))
    while lives:
        life = chain.random.choice(lives)
        # A wallet may do several things in one transaction.
        events = [
            one for _ in range(chain.random.choice((1, 1, 1, 2))) if (one := next(life, None))
        ]
        if events:
            chain.add(*events)
        else:
            lives.remove(life)
    return chain


def _administration(chain: History) -> Iterator[Event]:
    yield ConfigUpdated(300, 200, 500, 7000, 6000, 86_400, 259_200, chain.now_s)
    yield ProtocolPauseStatusChanged(is_paused=True, paused_by=ADMIN, timestamp=chain.now_s)
    yield ProtocolPauseStatusChanged(is_paused=False, paused_by=ADMIN, timestamp=chain.now_s)
    yield ConfigUpdated(100, 200, 500, 7000, 6000, 86_400, 432_000, chain.now_s)


def _life(chain: History, number: int) -> Iterator[Event]:
    draw = chain.random
    # Some began here, and have the id of a row; some elsewhere.
    this = market(str(number)) if number % 2 else market(str(number))[:16] + bytes(16)
    b = draw.choice((10**11, 10**12 + 7))
    yield MarketCreated(this, CREATOR, b, 0, chain.now_s)
    for person in draw.sample(PEOPLE, 3):
        yield ProposalVoteSubmitted(this, person, draw.random() < 0.7, chain.now_s)
    yield ProposalAggregated(this, 7, 3, 70, approved=True, timestamp=chain.now_s)
    if draw.random() < 0.1:
        yield MarketCancelled(this, ADMIN, chain.now_s)
        return
    yield ProposalApproved(this, ADMIN, chain.now_s)
    yield MarketActivated(this, CREATOR, 10**10, chain.now_s)
    yield from _trades(chain, this)
    outcome: bool | None = draw.random() < 0.5
    yield MarketResolved(this, draw.choice(PEOPLE), bool(outcome), EVIDENCE, chain.now_s)
    disputed = draw.random() < 0.7
    if disputed:
        yield DisputeInitiated(this, draw.choice(PEOPLE), outcome, chain.now_s)
        for person in draw.sample(PEOPLE, 3):
            yield DisputeVoteSubmitted(this, person, draw.random() < 0.5, chain.now_s)
        if draw.random() < 0.5:
            succeeded = draw.random() < 0.5
            yield DisputeAggregated(this, 6, 4, 60 if succeeded else 40, succeeded, chain.now_s)
            if not succeeded:
                return
    outcome = draw.choice((outcome, not outcome, None))
    yield MarketFinalized(this, outcome, disputed, chain.now_s)
    address = bytes(programme.market_address(this))
    for person in draw.sample(PEOPLE, 3):
        yield WinningsClaimed(address, person, outcome, draw.randint(1, 10**12), chain.now_s)
    yield LiquidityWithdrawn(this, CREATOR, 10**9, chain.now_s)


def _trades(chain: History, this: bytes) -> Iterator[Event]:
    draw = chain.random
    held: dict[tuple[bytes, bool], int] = {}
    for _ in range(draw.randint(4, 12)):
        person, side = draw.choice(PEOPLE), draw.random() < 0.5
        shares, price = draw.randint(1, 2**62), draw.randint(1, 10**9)
        if held.get((person, side), 0) and draw.random() < 0.3:
            shares = held.pop((person, side))
            yield SharesSold(this, person, side, shares, shares // 2, price, chain.now_s)
        else:
            held[person, side] = held.get((person, side), 0) + shares
            yield SharesBought(this, person, side, shares, shares // 2, price, chain.now_s)
