"""Trades, summed by market and wallet as the database adds them to what is known.

Nearly every event is a trade. Summed while the server keeps their rows, they need not be read back,
and a position is written once for all that a delivery has of it.
"""

from collections.abc import Iterable

from presage.chain.events import SharesBought
from presage.events.transactions import Row

type Place = tuple[int, int, int]  # in the chain's order: slot, transaction, ordinal


def array(parts: Iterable[object]) -> str:
    """An array in Postgres' own notation: psycopg is slow at adapting long lists."""
    return "{" + ",".join(map(str, parts)) + "}"


class TradeSums:
    """What trades add: shares, and amounts in units of 1/1,000,000,000."""

    def __init__(self) -> None:
        # Of a market and a wallet: shares of YES and of NO, paid, received, how many.
        self._sums: dict[tuple[str | None, str | None], list[int]] = {}
        self._latest: dict[str | None, tuple[Place, int]] = {}  # of a market, with its price

    def clear(self) -> None:
        """Begin anew."""
        self._sums.clear()
        self._latest.clear()

    def add(self, rows: Iterable[Row]) -> None:
        """Add the trades among some events."""
        sums, latest = self._sums, self._latest
        for row in rows:
            trade = row.trade
            if trade is None:
                continue
            _, _, is_yes, shares, amount, price, _ = trade
            market = row.market
            key = (market, row.wallet)
            of_holder = sums.get(key)
            if of_holder is None:
                of_holder = sums[key] = [0, 0, 0, 0, 0]
            if type(trade) is SharesBought:
                of_holder[not is_yes] += shares
                of_holder[2] += amount
            else:
                of_holder[not is_yes] -= shares
                of_holder[3] += amount
            of_holder[4] += 1
            place = (row.slot, row.tx_index, row.ordinal)
            if market not in latest or latest[market][0] < place:
                latest[market] = (place, price)

    def fields(self) -> dict[str, str]:
        """What chain_trade_sums holds, by the names of its fields."""
        columns = list(zip(*self._sums.values(), strict=True)) or [()] * 5
        places = [(*place, price) for place, price in self._latest.values()]
        return {
            "sum_markets": array(market for market, _ in self._sums),
            "sum_wallets": array(wallet for _, wallet in self._sums),
            **dict(
                zip(("yes", "no", "paid", "received", "trades"), map(array, columns), strict=True)
            ),
            "traded": array(self._latest),
            "slots": array(slot for slot, _, _, _ in places),
            "tx_indexes": array(tx_index for _, tx_index, _, _ in places),
            "ordinals": array(ordinal for _, _, ordinal, _ in places),
            "prices": array(price for _, _, _, price in places),
        }
