"""What is kept of a delivery: lines of COPY, and what the database is to make of them.

Nearly every event is a trade. Trades are summed by market and wallet while the server keeps their
rows: they need not be read back, and a position is written once for all that a delivery has of it.
"""

import functools
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence

from presage import clock, config
from presage.chain import programme
from presage.chain.events import SharesBought
from presage.events.transactions import Row, Trade, Transaction

type Place = tuple[int, int, int]  # in the chain's order: slot, transaction, ordinal
type Key = tuple[str, int]  # signature and ordinal: what an event is kept under, once

_NULL = "\\N"


class Kept:
    """Events that are kept in one transaction, each once. Amounts in units of 1/1,000,000,000."""

    def __init__(self, known: Iterable[Key] = ()) -> None:
        """Nothing yet; `known` are here already."""
        self.count = 0
        self.times_s: set[int] = set()  # of their blocks
        self._keys = set(known)
        self._others: list[Row] = []  # those that are no trades
        # Of a market and a wallet: shares of YES and of NO, paid, received, how many trades.
        self._sums: dict[tuple[str | None, str | None], list[int]] = {}
        self._latest: dict[str | None, tuple[Place, int]] = {}  # of a market, with its price

    def add(self, transactions: Iterable[Transaction]) -> str:
        """Keep what is new of them; its lines in COPY's text format."""
        lines = []
        for one in transactions:
            for row in one.rows:
                key = (row.signature, row.ordinal)
                if key in self._keys:
                    continue
                self._keys.add(key)
                self.times_s.add(row.block_time_s)
                if row.trade is None:
                    self._others.append(row)
                else:
                    self._sum(row, row.trade)
                lines.append(_line(row))
        self.count += len(lines)
        return "".join(lines)

    def _sum(self, row: Row, trade: Trade) -> None:
        _, _, is_yes, shares, amount, price, _ = trade
        holder = (row.market, row.wallet)
        sums = self._sums.get(holder)
        if sums is None:
            sums = self._sums[holder] = [0, 0, 0, 0, 0]
        is_sale = type(trade) is not SharesBought
        sums[0 if is_yes else 1] += -shares if is_sale else shares
        sums[3 if is_sale else 2] += amount
        sums[4] += 1
        place = (row.slot, row.tx_index, row.ordinal)
        latest = self._latest.get(row.market)
        if latest is None or latest[0] < place:
            self._latest[row.market] = (place, price)

    def fields(self) -> dict[str, str]:
        """What `index_events` is told of them, by the names of its query."""
        yes, no, paid, received, trades = _columns(self._sums.values(), 5)
        traded = {market: [0, 0, 0, 0] for market in self._latest}
        for (market, _), sums in self._sums.items():
            totals = traded[market]
            totals[0] += sums[0]
            totals[1] += sums[1]
            totals[2] += sums[2] + sums[3]
            totals[3] += sums[4]
        traded_yes, traded_no, volumes, traded_trades = _columns(traded.values(), 4)
        latest = [(*place, price) for place, price in self._latest.values()]
        slots, tx_indexes, ordinals, prices = _columns(latest, 4)
        programme_id = config.get("ZMART_PROGRAM_ID")
        names = {*self._latest, *(row.market for row in self._others)}
        markets = [_market(programme_id, name) for name in names if name is not None]
        return {
            "others": array(row.signature for row in self._others),
            "other_ordinals": array(row.ordinal for row in self._others),
            "sum_markets": array(market for market, _ in self._sums),
            "sum_wallets": array(wallet for _, wallet in self._sums),
            "yes": yes,
            "no": no,
            "paid": paid,
            "received": received,
            "trades": trades,
            "traded": array(traded),
            "traded_yes": traded_yes,
            "traded_no": traded_no,
            "volumes": volumes,
            "traded_trades": traded_trades,
            "prices": prices,
            "slots": slots,
            "tx_indexes": tx_indexes,
            "ordinals": ordinals,
            "times": array(map(_moment, self.times_s)),
            "markets": array(name for name, _, _ in markets),
            "market_ids": array(market_id for _, market_id, _ in markets),
            "addresses": array(address for _, _, address in markets),
        }


def array(parts: Iterable[object]) -> str:
    """An array in Postgres' own notation: psycopg is slow at adapting long lists."""
    return "{" + ",".join(map(str, parts)) + "}"


def _columns(rows: Collection[Sequence[int]], width: int) -> Iterator[str]:
    """The columns of some rows, an array each."""
    return map(array, zip(*rows, strict=True) if rows else [()] * width)


def _line(row: Row) -> str:
    """An event as a line of COPY's text format."""
    data = row.data
    if "\\" in data:
        data = data.replace("\\", "\\\\")
    return (
        f"{row.signature}\t{row.ordinal}\t{row.slot}\t{row.tx_index}\t{_moment(row.block_time_s)}"
        f"\t{row.event_type}\t{row.market or _NULL}\t{row.wallet or _NULL}\t{data}\n"
    )


@functools.lru_cache(maxsize=10_000)
def _moment(unix_s: int) -> str:
    return clock.from_ms(1000 * unix_s).isoformat()


@functools.lru_cache(maxsize=10_000)
def _market(_programme: str, market: str) -> tuple[str, uuid.UUID, str]:
    """A market's id on chain, its id here and its account; derived once, which takes 15 us."""
    market_id = bytes.fromhex(market)
    address = str(programme.market_address(market_id))
    return market, programme.platform_market_id(market_id), address
