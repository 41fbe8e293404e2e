"""The usual way, as a peer: match in the application under SELECT ... FOR UPDATE.

One statement a step and a few for every fill, on the same tables, with the same ledger, positions,
bars, counters, outbox and idempotency as place_order, so that both leave the same books. Good till
cancelled orders of a binary market without self-trades: what the benchmark's flow consists of.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import psycopg
from psycopg.rows import dict_row

SCALE = 100_000_000
PAYOUT_BPS = 10_000

type Row = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """An order of the flow."""

    order_id: UUID
    user_id: UUID
    market_id: UUID
    position: str
    side: str
    price_bps: int
    size_lots: int
    client_order_id: str
    now: datetime

    @property
    def is_bid(self) -> bool:
        """Whether it stands on the buying side of the YES book."""
        return (self.side == "BUY") == (self.position == "YES")

    @property
    def book_price_bps(self) -> int:
        """The limit in YES terms."""
        return self.own_bps(self.price_bps)

    def own_bps(self, price_bps: int) -> int:
        """From YES terms to the order's own, or back."""
        return price_bps if self.position == "YES" else PAYOUT_BPS - price_bps


@dataclass
class Trade:
    """A fill that was computed: the maker's row, lots and kind."""

    maker: Row
    lots: int
    kind: str
    rebate_micros: int = 0

    @property
    def weight(self) -> int:
        """What the fee is taken on."""
        price = int(self.maker["book_price_bps"])
        return self.lots * price * (PAYOUT_BPS - price)

    @property
    def maker_micros(self) -> int:
        """Lots at the maker's own price."""
        return self.lots * int(self.maker["price_bps"])


class ApplicationMatcher:
    """Places orders over one connection, a round trip a statement."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.cursor = connection.cursor(row_factory=dict_row)
        self.connection = connection

    def place(self, request: Request) -> str:
        """Match and record one order in one transaction; returns its status."""
        with self.connection.transaction():
            return self._place(request)

    def _one(self, query: str, *parameters: object) -> Row | None:
        return self.cursor.execute(query, parameters).fetchone()

    def _run(self, query: str, *parameters: object) -> None:
        self.cursor.execute(query, parameters)

    def _run_named(self, query: str, parameters: Row) -> None:
        self.cursor.execute(query, parameters)

    def _place(self, request: Request) -> str:
        market = self._one(
            "select m.*, l.* from markets m join market_ledgers l on l.market_id = m.id"
            " where m.id = %s for update of m",
            request.market_id,
        )
        first = self._one(
            "select status from orders where user_id = %s and client_order_id = %s",
            request.user_id,
            request.client_order_id,
        )
        if first is not None:
            return str(first["status"])
        if market is None or market["state"] != "ACTIVE" or market["closes_at"] <= request.now:
            raise RuntimeError("the benchmark's market is closed")
        trades = self._match(request)
        filled = sum(trade.lots for trade in trades)
        weight = sum(trade.weight for trade in trades)
        fee = -(-weight * market["fee_bps"] // SCALE)
        for trade in trades:
            share = fee * market["maker_rebate_bps"] * trade.weight
            trade.rebate_micros = share // (weight * PAYOUT_BPS)
        account = self._one("select * from accounts where user_id = %s for update", request.user_id)
        if account is None or account["balance_micros"] < request.size_lots * request.price_bps:
            raise RuntimeError("the benchmark's user is broke")
        status = self._insert_order(request, account, trades, fee)
        if fee:
            self._transfer(request, account["id"], market["fees_account"], fee, "fee")
        for trade in trades:
            self._settle(request, market, account, trade)
        cost = sum(trade.lots * request.own_bps(trade.maker["book_price_bps"]) for trade in trades)
        if trades:
            self._shares(request, request.user_id, request.position, filled, cost, -fee)
        rest = request.size_lots - filled
        if rest:
            held = rest * request.price_bps
            self._transfer(request, account["id"], market["orders_account"], held, "order")
        self._tell(request, status, trades, filled)
        return status

    def _match(self, request: Request) -> list[Trade]:
        side, order, compare = ("ask", "asc", "<=") if request.is_bid else ("bid", "desc", ">=")
        makers = self.cursor.execute(
            "select * from orders where market_id = %s and outcome = 0 and is_open"  # noqa: S608 - constants
            f" and book_side = '{side}' and book_price_bps {compare} %s"
            f" order by book_price_bps {order}, seq limit 50 for update",
            (request.market_id, request.book_price_bps),
        ).fetchall()
        left, trades = request.size_lots, []
        for maker in makers:
            if left == 0:
                break
            lots = min(left, maker["remaining_lots"])
            left -= lots
            trades.append(Trade(maker, lots, "MINT" if maker["side"] == "BUY" else "TRANSFER"))
        return trades

    def _insert_order(self, request: Request, account: Row, trades: list[Trade], fee: int) -> str:
        filled = sum(trade.lots for trade in trades)
        cost = sum(trade.lots * request.own_bps(trade.maker["book_price_bps"]) for trade in trades)
        rest = request.size_lots - filled
        status = "filled" if rest == 0 else "partial" if filled else "open"
        self._run(
            "insert into orders (id, user_id, account_id, market_id, outcome, position, side, type,"
            " price_bps, size_lots, client_order_id, request_hash, book_side, book_price_bps,"
            " status, is_open, filled_lots, remaining_lots, placed_status, placed_filled_lots,"
            " placed_cost_micros, fee_micros, created_at, updated_at) values (%s, %s, %s, %s, 0,"
            " %s, %s, 'GTC', %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            request.order_id,
            request.user_id,
            account["id"],
            request.market_id,
            request.position,
            request.side,
            request.price_bps,
            request.size_lots,
            request.client_order_id,
            request.order_id.bytes * 2,
            "bid" if request.is_bid else "ask",
            request.book_price_bps,
            status,
            rest > 0,
            filled,
            rest,
            status,
            filled,
            cost,
            fee,
            request.now,
            request.now,
        )
        return status

    def _settle(self, request: Request, market: Row, account: Row, trade: Trade) -> None:
        maker, price = trade.maker, int(trade.maker["book_price_bps"])
        self._run(
            "insert into fills (market_id, outcome, taker_order_id, maker_order_id, taker_id,"
            " maker_id, kind, taker_side, taker_position, price_bps, size_lots, fee_bps,"
            " maker_rebate_bps, rebate_micros, created_at)"
            " values (%s, 0, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            request.market_id,
            request.order_id,
            maker["id"],
            request.user_id,
            maker["user_id"],
            trade.kind,
            request.side,
            request.position,
            price,
            trade.lots,
            market["fee_bps"],
            market["maker_rebate_bps"],
            trade.rebate_micros,
            request.now,
        )
        left = maker["remaining_lots"] - trade.lots
        self._run(
            "update orders set filled_lots = filled_lots + %s, remaining_lots = %s, status = %s,"
            " is_open = %s, updated_at = %s where id = %s",
            trade.lots,
            left,
            "partial" if left else "filled",
            left > 0,
            request.now,
            maker["id"],
        )
        escrow, paid = market["escrow_account"], trade.lots * request.own_bps(price)
        if trade.kind == "MINT":
            self._transfer(request, account["id"], escrow, paid, "mint")
            self._transfer(request, market["orders_account"], escrow, trade.maker_micros, "mint")
            self._shares(
                request,
                maker["user_id"],
                maker["position"],
                trade.lots,
                trade.maker_micros,
                trade.rebate_micros,
            )
        else:
            self._transfer(request, account["id"], maker["account_id"], paid, "transfer")
            self._sold(request, trade)
        if trade.rebate_micros:
            fees = market["fees_account"]
            self._transfer(request, fees, maker["account_id"], trade.rebate_micros, "rebate")
        self._record(request, price, trade.lots)

    def _sold(self, request: Request, trade: Trade) -> None:
        maker = trade.maker
        self._run_named(
            "update positions set held_lots = held_lots - %(lots)s,"
            " locked_lots = locked_lots - %(lots)s,"
            " cost_micros = cost_micros - div(cost_micros::numeric * %(lots)s, held_lots),"
            " realised_micros = realised_micros + %(gain)s"
            " - div(cost_micros::numeric * %(lots)s, held_lots), updated_at = %(now)s"
            " where market_id = %(market)s and user_id = %(user)s and outcome = 0"
            " and position = %(position)s",
            {
                "lots": trade.lots,
                "gain": trade.maker_micros + trade.rebate_micros,
                "now": request.now,
                "market": request.market_id,
                "user": maker["user_id"],
                "position": maker["position"],
            },
        )

    def _transfer(self, request: Request, debit: int, credit: int, micros: int, kind: str) -> None:
        self._run(
            "insert into transfers (debit_account, credit_account, amount_micros, kind, reference,"
            " market_id, created_at) values (%s, %s, %s, %s, %s, %s, %s)",
            debit,
            credit,
            micros,
            kind,
            str(request.order_id),
            request.market_id,
            request.now,
        )
        change = "update accounts set balance_micros = balance_micros + %s where id = %s"
        self._run(change, -micros, debit)
        self._run(change, micros, credit)

    def _shares(
        self, request: Request, user: UUID, position: str, lots: int, cost: int, realised: int
    ) -> None:
        known = self._one(
            "select 1 from positions where market_id = %s and user_id = %s limit 1",
            request.market_id,
            user,
        )
        self._run(
            "insert into positions as p (market_id, user_id, outcome, position, held_lots,"
            " cost_micros, realised_micros, updated_at) values (%s, %s, 0, %s, %s, %s, %s, %s)"
            " on conflict (market_id, user_id, outcome, position) do update set"
            " held_lots = p.held_lots + excluded.held_lots,"
            " cost_micros = p.cost_micros + excluded.cost_micros,"
            " realised_micros = p.realised_micros + excluded.realised_micros,"
            " updated_at = excluded.updated_at",
            request.market_id,
            user,
            position,
            lots,
            cost,
            realised,
            request.now,
        )
        if known is None:
            self._run(
                "update market_counters set unique_traders = unique_traders + 1"
                " where market_id = %s",
                request.market_id,
            )

    def _record(self, request: Request, price: int, lots: int) -> None:
        for seconds in (300, 3600):
            self._run_named(
                "insert into price_bars as b (market_id, outcome, interval_s, bucket, open_bps,"
                " high_bps, low_bps, close_bps, volume_micros, volume_lots, trade_count)"
                " values (%(market)s, 0, %(seconds)s,"
                " date_bin(make_interval(secs => %(seconds)s), %(now)s, 'epoch'), %(price)s,"
                " %(price)s, %(price)s, %(price)s, %(volume)s, %(lots)s, 1)"
                " on conflict (market_id, outcome, interval_s, bucket) do update set"
                " high_bps = greatest(b.high_bps, excluded.high_bps),"
                " low_bps = least(b.low_bps, excluded.low_bps), close_bps = excluded.close_bps,"
                " volume_micros = b.volume_micros + excluded.volume_micros,"
                " volume_lots = b.volume_lots + excluded.volume_lots,"
                " trade_count = b.trade_count + 1",
                {
                    "market": request.market_id,
                    "seconds": seconds,
                    "now": request.now,
                    "price": price,
                    "volume": price * lots,
                    "lots": lots,
                },
            )
        for table in ("outcomes", "market_counters"):
            last = "last_price_bps = %s" if table == "outcomes" else "last_trade_at = %s"
            self._run(
                f"update {table} set {last}, volume_micros = volume_micros + %s,"  # noqa: S608 - constants
                " trade_count = trade_count + 1 where market_id = %s",
                price if table == "outcomes" else request.now,
                price * lots,
                request.market_id,
            )

    def _tell(self, request: Request, status: str, trades: list[Trade], filled: int) -> None:
        payload = {
            "order": {
                "order_id": str(request.order_id),
                "user_id": str(request.user_id),
                "outcome": 0,
                "position": request.position,
                "side": request.side,
                "price_bps": request.price_bps,
                "size_lots": request.size_lots,
                "status": status,
                "filled_lots": filled,
                "remaining_lots": request.size_lots - filled,
                "client_order_id": request.client_order_id,
            },
            "fills": [
                {
                    "maker_order_id": str(trade.maker["id"]),
                    "maker_id": str(trade.maker["user_id"]),
                    "price_bps": trade.maker["book_price_bps"],
                    "size_lots": trade.lots,
                    "kind": trade.kind,
                    "maker_remaining_lots": trade.maker["remaining_lots"] - trade.lots,
                }
                for trade in trades
            ],
        }
        self._run(
            "insert into outbox (topic, market_id, payload, created_at)"
            " values ('order', %s, %s, %s)",
            request.market_id,
            orjson.dumps(payload).decode(),
            request.now,
        )
