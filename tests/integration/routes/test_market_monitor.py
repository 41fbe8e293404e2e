"""The market monitor among a hundred thousand markets, and through a week with faults."""

import random
import time
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import pytest

from infra.bench.due_markets import add_markets
from presage import clock
from tests.harness import NOON_MS, Platform
from tests.plans import nodes, plan, scanned
from tests.proxy import FlushCounter

MARKETS, DUE = 100_000, 100
GOAL_S = 5
# Whose query, and by which index it finds markets.
FOUND_BY = {
    "list_due_markets": ("markets", "markets_due"),
    "list_due_disputes": ("markets", "markets_due"),
    "list_waiting_markets": ("markets", "markets_due"),
    "list_unsigned_proposals": ("markets", "markets_not_begun"),
    "list_due_on_chain": ("chain", "markets_due"),
}
ASKED = {"limit": 200, "overdue_s": 600, "stuck_s": 2_592_000}
# Blocks of the hundred due markets and of the index; the table has thousands.
MOST_BLOCKS = 1_000


def _fill(platform: Platform, markets: int) -> None:
    with platform.database.connect() as owner:
        add_markets(owner, markets, DUE, clock.now())


def _is_found_by_index(platform: Platform) -> None:
    """None of the monitor's lists scans the markets; what is due is found by when it is."""
    with platform.database.connect("presage_worker") as worker:
        for name, (domain, index) in FOUND_BY.items():
            root = plan(worker, domain, name, ASKED | {"now": clock.now()})
            assert "markets" not in scanned(root), name
            assert index in {node.get("Index Name") for node in nodes(root)}, name
            assert root["Shared Hit Blocks"] + root["Shared Read Blocks"] < MOST_BLOCKS, name


def _one_run_moves_them(platform: Platform, markets: int) -> None:
    _fill(platform, markets)
    _is_found_by_index(platform)
    platform.deliver("sweep_outbox")  # so that no connection is opened while time is taken
    began = time.perf_counter()
    done = platform.deliver("market_monitor").data
    spent_s = time.perf_counter() - began
    assert (done["status"], done["counts"]["finalized"]) == ("completed", DUE)
    assert spent_s < GOAL_S
    with platform.database.connect() as owner:
        moved = owner.execute(
            "select count(*), count(*) filter (where m.slug like 'due-%%')"
            " from market_state_changes as c join markets as m on m.id = c.market_id"
            " where c.to_state = 'FINALIZED'"
        ).fetchone()
    assert moved == (DUE, DUE)


def test_a_hundred_due_of_a_hundred_thousand_move_in_one_run(platform: Platform) -> None:
    _one_run_moves_them(platform, MARKETS)


@pytest.mark.soak
def test_a_hundred_due_of_a_million_move_in_one_run(platform: Platform) -> None:
    _one_run_moves_them(platform, 10 * MARKETS)


START = clock.from_ms(NOON_MS)
WEEK_MIN = 7 * 1_440
WITHIN = timedelta(minutes=2)
BOND_MICROS = 1_000_000
# How a market comes to its end, and the weights that support and reject its dispute.
KINDS: dict[str, tuple[int, int] | None] = {
    "undisputed": None,
    "unvoted": (0, 0),
    "refused": (59, 40),
    "upheld": (60, 40),
}
ADD_MARKET = """
with added as (
    insert into markets (id, slug, question, state, closes_at, proposed_at, disputed_at,
        proposed_payout_bps, created_at, updated_at)
    select %(id)s, %(id)s::text, %(kind)s,
           case when %(disputed)s then 'DISPUTED' else 'RESOLVING' end,
           %(due)s - interval '9 days',
           %(due)s - case when %(disputed)s then interval '4 days' else interval '48 hours' end,
           case when %(disputed)s then %(due)s - interval '3 days' end, '{10000,0}',
           %(due)s - interval '20 days', %(due)s - interval '3 days'
    returning id
)
insert into outcomes (market_id, outcome, label) select id, 0, 'YES' from added
"""
ADD_DISPUTE = """
with raised as (
    insert into market_disputes (id, market_id, user_id, reason, bond_micros, created_at)
    values (gen_random_uuid(), %(id)s, %(user)s, 'wrong', %(bond)s, %(due)s - interval '3 days')
    returning id
),
taken as (
    insert into transfers
        (debit_account, credit_account, amount_micros, kind, reference, market_id, created_at)
    select c.id, b.id, %(bond)s, 'bond', r.id, %(id)s, %(due)s - interval '3 days'
    from raised as r, accounts as c, accounts as b
    where c.user_id = %(user)s and b.market_id = %(id)s and b.kind = 'market:bonds'
)
update accounts as a
set balance_micros = a.balance_micros + case when a.user_id is null then %(bond)s else -%(bond)s end
where a.user_id = %(user)s or (a.market_id = %(id)s and a.kind = 'market:bonds')
"""
ADD_VOTE = """
with weighed as (
    insert into dispute_weights values (%(id)s, %(wallet)s, %(weight)s)
)
insert into votes (id, market_id, user_id, wallet, kind, vote, created_at)
values (gen_random_uuid(), %(id)s, %(user)s, %(wallet)s, 'dispute', %(vote)s,
    %(due)s - interval '1 second')
"""


@dataclass
class Week:
    """Markets that fall due at many moments, and a monitor that is broken now and then."""

    platform: Platform
    patch: pytest.MonkeyPatch
    dice: random.Random
    faults: int = 0
    broke_last: bool = False

    def fill(self, markets: int) -> dict[uuid.UUID, tuple[str, datetime]]:
        """Markets with their kinds and due times: some of them at once, some on the minute."""
        user = self.platform.sign_in()
        self.platform.fund(user, markets * BOND_MICROS)
        made: dict[uuid.UUID, tuple[str, datetime]] = {}
        due = START
        with self.platform.database.connect() as owner:
            for number in range(markets):
                if number % 5:  # every fifth is due with the one before it
                    second = self.dice.choice([0, self.dice.randrange(60)])
                    minute = self.dice.randrange(1, WEEK_MIN - 5)
                    due = START + timedelta(minutes=minute, seconds=second)
                kind = list(KINDS)[number % len(KINDS)]
                weights = KINDS[kind]
                market_id = uuid.UUID(int=self.dice.getrandbits(128), version=4)
                told = {
                    "id": market_id,
                    "kind": kind,
                    "disputed": weights is not None,
                    "due": due,
                    "user": user.user_id,
                    "bond": BOND_MICROS,
                }
                made[market_id] = (kind, due)
                owner.execute(ADD_MARKET.encode(), told)
                if weights is None:
                    continue
                owner.execute(ADD_DISPUTE.encode(), told)
                for vote, weight in ((True, weights[0]), (False, weights[1])):
                    if weight:
                        one = {"vote": vote, "weight": weight, "wallet": str(vote)}
                        owner.execute(ADD_VOTE.encode(), told | one)
        return made

    def run_at(self, minute: int) -> None:
        """One minute's run; it breaks now and then, but never twice in a row."""
        self.platform.set_clock(NOON_MS + minute * 60_000)
        fault = None if self.broke_last else self.dice.choice([None, None, "failed", "killed"])
        match fault:
            case "failed":
                self.broke_last = self._deliver(9) != 200  # nobody listens there
            case "killed":  # at any of its first flushes, or before it hears the answer
                with FlushCounter(self.platform.database.server.port) as wire:
                    wire.arm(self.dice.randint(1, 6), after=self.dice.random() < 0.5)
                    status = self._deliver(wire.port)
                    self.broke_last = wire.is_cut
                assert (status != 200) is self.broke_last
            case _:
                assert self.platform.deliver("market_monitor").status == 200
                self.broke_last = False
        self.faults += self.broke_last

    def _deliver(self, port: int) -> int:
        """A run whose database is elsewhere, and its status; what it opened is closed."""
        parts = urlsplit(self.platform.database.url("presage_worker"))
        host = parts.netloc.replace(f":{parts.port}", f":{port}")
        with self.patch.context() as patch:
            patch.setenv("DATABASE_URL_WORKER", parts._replace(netloc=host).geturl())
            self.platform.close()
            status = self.platform.deliver("market_monitor").status
            self.platform.close()
        return status

    def ends(self) -> dict[uuid.UUID, tuple[str, datetime, int]]:
        """When each market moved, or was put before a human, and how often."""
        with self.platform.database.connect() as owner:
            rows = owner.execute(
                "select market_id, min(what), min(at), count(*)::integer from ("
                "  select market_id, to_state as what, created_at as at from market_state_changes"
                "  union all select market_id, 'asked', created_at from escalations"
                ") as e group by market_id"
            ).fetchall()
        return {market_id: (what, at, count) for market_id, what, at, count in rows}


def _week(platform: Platform, patch: pytest.MonkeyPatch) -> Week:
    return Week(platform, patch, random.Random("week"))  # noqa: S311 - repeatable


def _nothing_is_missed(week: Week, made: dict[uuid.UUID, tuple[str, datetime]]) -> None:
    ends = week.ends()
    assert set(ends) == set(made)
    for market_id, (kind, due) in made.items():
        what, at, count = ends[market_id]
        assert (what, count) == ("asked" if kind == "upheld" else "FINALIZED", 1), kind
        assert due <= at <= due + WITHIN, kind
    assert week.platform.audit() == []


def test_no_transition_of_a_week_is_missed(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every other hour, and when something fell due: a run in between would find nothing."""
    week = _week(platform, monkeypatch)
    made = week.fill(40)
    minutes = set(range(0, WEEK_MIN, 120))
    for _, due in made.values():
        first = -(-int((due - START).total_seconds()) // 60)
        minutes |= {first, first + 1}
    for minute in sorted(minutes):
        week.run_at(minute)
    assert week.faults > 20
    _nothing_is_missed(week, made)


@pytest.mark.soak
def test_no_transition_of_a_week_is_missed_minute_by_minute(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    week = _week(platform, monkeypatch)
    made = week.fill(1_000)
    for minute in range(WEEK_MIN):
        week.run_at(minute)
    assert week.faults > 1_000
    _nothing_is_missed(week, made)
