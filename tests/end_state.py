"""What the platform has come to, without ids and times: two histories that end alike are equal."""

from collections.abc import Callable
from typing import Any

type Rows = list[tuple[Any, ...]]

QUERIES = {
    "markets": "select slug, state::text, trading_status::text, final_payout_bps,"
    " settled_at is not null from markets",
    "orders": "select client_order_id, status::text, filled_lots from orders",
    "accounts": "select a.kind::text, u.address, m.slug, a.balance_micros from accounts a"
    " left join users u on u.id = a.user_id left join markets m on m.id = a.market_id",
    "settlements": "select m.slug, u.address, s.amount_micros from settlements s"
    " join markets m on m.id = s.market_id join users u on u.id = s.user_id",
    "transfers": "select kind::text, count(*), sum(amount_micros) from transfers group by kind",
    "notifications": "select n.type, u.address, m.slug, count(*) from notifications n"
    " join users u on u.id = n.user_id left join markets m on m.id = n.market_id"
    " group by 1, 2, 3",
    "tallies": "select m.slug, r.kind, r.yes, r.no, r.passed, count(*) from aggregation_results r"
    " join markets m on m.id = r.market_id group by 1, 2, 3, 4, 5",
    "outbox": "select count(*) from outbox where published_at is null",
    "state changes": "select m.slug, s.to_state, count(*) from market_state_changes s"
    " join markets m on m.id = s.market_id group by 1, 2",
}


def end_state(select: Callable[[str], Rows]) -> dict[str, Rows]:
    """What the owner sees in the end, by `select`, which runs a statement."""
    return {name: sorted(select(query), key=repr) for name, query in QUERIES.items()}
