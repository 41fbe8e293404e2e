"""For each invariant one row is corrupted, and presage_audit() names it; sound books name none."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from tests.conftest import Database
from tests.integration.exchange_sql.exchange import Exchange
from tests.integration.exchange_sql.teller import Teller

CORRUPTIONS = [
    (
        "update accounts set balance_micros = balance_micros + 1 where kind = 'platform:fees'",
        {"accounts_sum_to_zero", "balance_equals_transfers"},
    ),
    (
        (
            "alter table accounts drop constraint accounts_never_go_below_zero;"
            "update accounts set balance_micros = -1 where kind = 'platform:fees'"
        ),
        {"no_negative_balance", "accounts_sum_to_zero", "balance_equals_transfers"},
    ),
    (
        "update transfers set amount_micros = amount_micros + 1 where kind = 'deposit'",
        {"balance_equals_transfers", "deposits_match_transfers"},
    ),
    (
        "update positions set held_lots = held_lots + 1 where position = 'YES'",
        {"shares_have_two_sides", "escrow_covers_shares"},
    ),
    (
        "update positions set held_lots = held_lots + 1 where held_lots > 0",
        {"escrow_covers_shares"},
    ),
    (
        (
            "update markets set market_type = 'multi_outcome', is_exhaustive = true;"
            "update positions set held_lots = held_lots + 1"
            " where position = 'YES' and held_lots > 0"
        ),
        {"escrow_covers_shares"},  # a c of its own is allowed there, but not uncovered
    ),
    (
        "update orders set remaining_lots = remaining_lots - 1 where is_open and side = 'BUY'",
        {"orders_escrow_matches_open_buys"},
    ),
    (
        (
            "insert into market_disputes (id, market_id, user_id, reason, bond_micros, created_at)"
            " select gen_random_uuid(), m.id, u.id, 'wrong', 1, now()"
            " from markets m, users u limit 1"
        ),
        {"bonds_match_disputes"},
    ),
    (
        "update positions set locked_lots = locked_lots - 1 where locked_lots > 0",
        {"locked_shares_are_held"},
    ),
    (
        "update orders set remaining_lots = remaining_lots - 1 where is_open and side = 'SELL'",
        {"locked_shares_are_held"},
    ),
    (
        (
            "update orders set filled_lots = filled_lots - 1 where placed_status = 'open'"
            " and filled_lots > 0"
        ),
        {"filled_equals_fills"},
    ),
    (
        "update orders set placed_filled_lots = 0 where placed_filled_lots > 0",
        {"filled_equals_fills"},
    ),
    (
        "update fills set maker_order_id = gen_random_uuid()",
        {"filled_equals_fills"},
    ),
    ("update fills set kind = 'TRANSFER' where kind = 'MINT'", {"fills_agree_with_orders"}),
    ("update fills set taker_id = maker_id", {"fills_agree_with_orders"}),
    (
        "update fills set price_bps = price_bps + 1",
        {"fills_agree_with_orders", "counters_match_fills", "bars_match_fills"},
    ),
    (
        "update orders set book_price_bps = book_price_bps + 1 where is_open",
        {"orders_mirror_their_books", "fills_agree_with_orders"},
    ),
    (
        "update orders set status = 'cancelled' where is_open",
        {"orders_mirror_their_books"},
    ),
    (
        "update market_counters set volume_micros = volume_micros + 1 where trade_count > 0",
        {"counters_match_fills"},
    ),
    (
        "update price_bars set volume_micros = volume_micros + 1 where interval_s = 3600",
        {"bars_match_fills"},
    ),
    (
        "update settlements set amount_micros = amount_micros + 1 where amount_micros > 0",
        {"payouts_match_settlements"},
    ),
    (
        (
            "update deposits set amount_micros = amount_micros + 1,"
            " credited_micros = credited_micros + 1 where status = 'verified'"
        ),
        {"deposits_match_transfers"},
    ),
    (
        "update deposits set status = 'rejected' where status = 'verified'",
        {"deposits_match_transfers"},
    ),
    (
        "update deposits set status = 'verified', decided_at = now() where status = 'pending'",
        {"deposits_match_transfers"},
    ),
    (
        "update transfers set reference = reference || '0' where kind = 'withdrawal'",
        {"withdrawals_match_transfers"},
    ),
    (
        (
            "update withdrawals set status = 'completed', external_reference = 'paid'"
            " where status = 'rejected'"
        ),
        {"withdrawals_match_transfers"},
    ),
    (
        "update withdrawals set status = 'rejected', decided_at = now() where status = 'pending'",
        {"withdrawals_match_transfers"},
    ),
    (
        (
            "update withdrawals set user_id ="
            " (select user_id from accounts where user_id <> withdrawals.user_id limit 1)"
        ),
        {"withdrawals_match_transfers"},
    ),
    (
        (
            "insert into transfers (debit_account, credit_account, amount_micros, kind, reference,"
            " created_at) select t.debit_account, t.credit_account, t.amount_micros, t.kind,"
            " t.reference, now() from transfers t join deposits d on d.id::text = t.reference"
        ),
        {"deposits_match_transfers", "balance_equals_transfers"},
    ),
]


@pytest.fixture(scope="module")
def sound(module_database: Database) -> Iterator[Exchange]:
    """A live market with open orders of both sides and fills, a settled one, money in and out."""
    exchange = Exchange.at(module_database)
    market, yes, no = exchange.market(fee_bps=100), exchange.user(), exchange.user()
    exchange.hand_out(market, yes, no)
    exchange.place(yes, market, side="SELL", price=6000, size=200)
    resting = exchange.place(yes, market, price=4000, size=300)
    exchange.place(no, market, position="NO", price=6000, size=100)
    assert resting.status == "open"
    _settled(exchange, yes, no)
    _moved_outside(exchange, yes)
    assert exchange.audit() == []
    yield exchange
    exchange.close()


def _settled(exchange: Exchange, yes: UUID, no: UUID) -> None:
    market = exchange.market()
    exchange.hand_out(market, yes, no)
    exchange.owner.execute(
        "update markets set state = 'FINALIZED', final_payout_bps = '{10000,0}' where id = %s",
        (market,),
    )
    exchange.work("select * from settle_market(%s, 100, now())", market)


def _moved_outside(exchange: Exchange, user: UUID) -> None:
    """A deposit verified and one that waits; a withdrawal that waits and one that came back."""
    teller = Teller(exchange, exchange.user())
    teller.verify(teller.deposit(user))
    teller.deposit(user)
    teller.withdraw(user)
    teller.reject_withdrawal(teller.withdraw(user))


@pytest.mark.parametrize(("corruption", "expected"), CORRUPTIONS)
def test_the_audit_names_what_was_corrupted(
    sound: Exchange, corruption: str, expected: set[str]
) -> None:
    with sound.owner.transaction(force_rollback=True):
        for statement in corruption.split(";"):
            assert sound.owner.execute(statement).rowcount != 0, "nothing was corrupted"
        rows = sound.rows("select * from presage_audit()")
    assert {row["invariant"] for row in rows} == expected
    assert all(row["subject"] and row["detail"] for row in rows)


def test_every_invariant_is_corrupted_by_a_test(sound: Exchange) -> None:
    text = sound.one("select prosrc from pg_proc where proname = 'presage_audit'")
    named = {line.split("'")[1] for line in text.splitlines() if line.startswith("    select '")}
    assert named == set().union(*(expected for _corruption, expected in CORRUPTIONS))
