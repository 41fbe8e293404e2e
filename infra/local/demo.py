"""`make demo`: a market's life in under a minute, told in plain text, on made-up data.

Run: `python -m infra.local.demo [--seed s]`. The same path as the replay: a fresh stack on its own
clock, signed-in wallets over HTTP, workflows by signed deliveries. One market is decided against a
strike, one against its opening price, and one falls into a gap and is left to a person.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal

from infra.local import demo_prices, homes, operations
from infra.local.agents import Order
from infra.local.client import Book, PlacedOrder
from infra.local.clock import set_clock
from infra.local.feed import FeedServer, PriceFeed, read_ticks
from infra.local.process import StartError
from infra.local.rate_feed import RateFeed, Venues
from infra.local.replay import environment, run, settle, traders
from infra.local.replay_data import Recording, ReplayMarket, read_markets
from infra.local.replay_driver import LEAD_S, Driver, Live, Trader
from infra.local.stack import ANY_PORTS, Stack
from infra.local.supervisor import interrupted_by_signals
from presage.money import MICROS, show

STEP_S = 30
SHOWN_TRADES = 12
DEPTH = 4
_BLOCKS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Trade:
    """A taker's order that traded."""

    at_s: int
    market_id: str
    trader: str
    order: Order
    placed: PlacedOrder

    def line(self) -> str:
        """When, who, what, how much at which price, against what kind of maker."""
        shares = sum(size for _, size, _ in self.placed.fills)
        kinds = "+".join(sorted({kind.lower() for _, _, kind in self.placed.fills}))
        price = self.placed.cost / shares
        return (
            f"{_clock(self.at_s)}  {self.trader:<9} {self.order.side.lower():<4} "
            f"{shares:>6.2f} {self.order.position:<3} at {price:.3f}  "
            f"fee {self.placed.fee:.4f}  {kinds}"
        )


@dataclass
class Story:
    """What is remembered of a run until it is told."""

    driver: Driver
    main: ReplayMarket
    trades: list[Trade] = field(default_factory=list)
    book: Book | None = None
    book_at_s: int = 0

    def note_fill(self, live: Live, trader: Trader, order: Order, placed: PlacedOrder) -> None:
        """Remember a trade."""
        self.trades.append(Trade(self.driver.now_s, live.id, trader.name, order, placed))

    def note_step(self) -> None:
        """Remember the main market's book at half time."""
        half_s = (self.main.start_s + self.main.end_s) // 2
        if self.book is None and self.driver.now_s >= half_s:
            self.book = self.driver.admin.book(self.main.slug, depth=DEPTH)
            self.book_at_s = self.driver.now_s


def sparkline(values: Sequence[float]) -> str:
    """One block a value, the lowest and the highest a step apart at least."""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    top = len(_BLOCKS) - 1
    return "".join(_BLOCKS[round((value - low) / span * top)] for value in values)


def demo(seed: str = "1") -> bool:
    """Run and tell it; whether the audit is clean and nothing failed."""
    recording = read_markets(demo_prices.MARKETS_FILE)
    ticks = read_ticks(demo_prices.PRICES_FILE)
    state_dir = homes.home() / f"demo-{os.getpid()}"
    homes.public_folder(state_dir)
    clock_file = state_dir / "clock"
    start_s = recording.markets[0].start_s - LEAD_S
    set_clock(clock_file, start_s * 1000)

    def now_ms() -> int:
        return int(clock_file.read_text(encoding="ascii"))

    prices = PriceFeed(ticks, recording.symbol, now_ms)
    with FeedServer(Venues(prices, RateFeed(now_ms))) as feed:
        stack = Stack(
            state_dir,
            ports=ANY_PORTS,
            clock_file=clock_file,
            durable=False,
            env=environment(seed, recording.symbol, feed.url),
            stage="replay",
            access_log=False,
            keep=False,
        )
        _say("Starting Postgres, Valkey, QStash and the gateway ...")
        with (
            stack,
            closing(Driver(stack, feed.url, recording.symbol, seed, clock_file, start_s)) as driver,
        ):
            return _tell(driver, recording, seed)


def _tell(driver: Driver, recording: Recording, seed: str) -> bool:
    cast = traders(seed)
    driver.open(cast)
    story = Story(driver, recording.markets[0])
    driver.on_fill = story.note_fill
    _tell_cast(driver, recording, cast)
    _say("\nAn hour of simulated trading over HTTP, every workflow by a signed delivery ...")
    began = time.monotonic()
    run(driver, recording, story.note_step, step_s=STEP_S)
    settle(driver, step_s=STEP_S)
    traffic = driver.traffic
    _say(
        f"done in {time.monotonic() - began:.1f} s: {traffic.orders} orders, "
        f"{traffic.fills} fills, {sum(traffic.rejects.values())} refused, "
        f"{driver.deliveries.delivered} deliveries"
    )
    _tell_trades(story)
    _tell_book(story)
    _tell_bars(driver, story.main)
    _tell_outcomes(story, recording)
    _tell_money(driver, cast)
    violations = operations.audit(driver.stack.env, driver.now_ms)
    failed = traffic.errors + driver.deliveries.failed
    _say(f"\nAudit: {violations or 'ok'}. Errors: {failed}.")
    return not violations and not failed


def _tell_cast(driver: Driver, recording: Recording, cast: Sequence[Trader]) -> None:
    _say(
        f"The API is at {driver.stack.base_url} while this runs.\n\nMarkets on {recording.symbol}:"
    )
    for market in recording.markets:
        against = "its opening price" if market.strike is None else _plain(market.strike)
        _say(
            f"  {_clock(market.start_s)}-{_clock(market.end_s)}  {market.question}  "
            f"(against {against})"
        )
    _say("\nTraders, each a wallet signed in by SIWE:")
    for trader in cast:
        funds = Decimal(show(trader.funds_micros, MICROS))
        _say(f"  {trader.name:<9} {type(trader.agent).__name__.lower():<9} with {funds:,.2f}")


def _tell_trades(story: Story) -> None:
    ours = [one for one in story.trades if one.market_id == story.driver.listed[story.main.slug]]
    every = max(1, len(ours) // SHOWN_TRADES)
    _say(f'\nWho traded, in "{story.main.question}" ({len(ours)} orders traded, some of them):')
    for trade in ours[::every][:SHOWN_TRADES]:
        _say(f"  {trade.line()}")
    _say("  mint: both sides opened, 1.00 went into escrow; merge: both closed; transfer: one sold")


def _tell_book(story: Story) -> None:
    if story.book is None:
        return
    _say(f"\nIts book at {_clock(story.book_at_s)}, in YES prices:")
    _say(f"  {'bid size':>10} {'bid':>6} | {'ask':<6} ask size")
    bids, asks = story.book.bids, story.book.asks
    for row in range(max(len(bids), len(asks))):
        bid = f"{bids[row][1]:>10.2f} {bids[row][0]:>6.2f}" if row < len(bids) else " " * 17
        ask = f"{asks[row][0]:<6.2f} {asks[row][1]:.2f}" if row < len(asks) else ""
        _say(f"  {bid} | {ask}".rstrip())


def _tell_bars(driver: Driver, market: ReplayMarket) -> None:
    hours = (driver.now_s - market.start_s) // 3600 + 1
    bars = [
        bar
        for bar in driver.admin.bars(market.slug, "5min", hours)
        if bar["start"] < _iso(market.end_s) and bar["tradeCount"]
    ]
    if not bars:
        return
    closes = [float(bar["close"]) for bar in bars]
    volume = sum((Decimal(bar["volume"]) for bar in bars), start=Decimal(0))
    _say(f"\nIts price of YES in bars of five minutes, {closes[0]:.2f} to {closes[-1]:.2f}:")
    _say(f"  {sparkline(closes)}  volume {volume:,.2f}")


def _tell_outcomes(story: Story, recording: Recording) -> None:
    driver = story.driver
    owner = driver.stack.database_urls["owner"]
    for market in recording.markets:
        market_id = story.driver.listed[market.slug]
        found = driver.admin.market(market_id)["resolutionEvidence"]
        _say(f"\n{market.question}")
        if found is None:
            _say("  No price within 5 s of the close: escalated to a person, nothing is guessed.")
            _say("  The admin proposes VOID, which pays both sides half.")
            driver.admin.post(
                f"/markets/{market_id}/resolve",
                {"outcome": "VOID", "reason": "The feed has a gap at the close."},
            )
            settle(driver, step_s=STEP_S)
        else:
            last = found["close"]
            _say(
                f"  Evidence: {_plain(last['value'])} at {last['observedAt'][11:19]} "
                f"from {last['source']}, against {_plain(found['reference'])}."
            )
        view = driver.admin.market(market_id)
        paid = operations.payouts(owner, market_id)
        total = Decimal(show(sum(one.amount_micros for one in paid), MICROS))
        _say(
            f"  Outcome {view['finalOutcome']}, {view['state']} after its dispute window; "
            f"{total:,.2f} paid to {len([one for one in paid if one.amount_micros])} holders:"
        )
        names = driver.names()
        for one in paid:
            if one.amount_micros:
                amount = Decimal(show(one.amount_micros, MICROS))
                _say(f"    {names[one.user_id]:<9} {amount:>10,.2f}")


def _tell_money(driver: Driver, cast: Sequence[Trader]) -> None:
    _say("\nWhat everybody made of it:")
    total = Decimal(0)
    for trader, (available, locked) in zip(cast, driver.wallets(), strict=True):
        made = available + locked - Decimal(show(trader.funds_micros, MICROS))
        total += made
        _say(f"  {trader.name:<9} {made:>+12.4f}")
    fees = Decimal(show(operations.fees_micros(driver.stack.database_urls["owner"]), MICROS))
    _say(f"  {'fees':<9} {fees:>+12.4f}  (after the makers' rebates)")
    _say(f"  {'sum':<9} {total + fees:>12.4f}")


def _plain(value: Decimal | str) -> str:
    """An exact decimal without the zeros that say nothing."""
    return f"{Decimal(value).normalize():f}"


def _clock(unix_s: int) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(unix_s))


def _iso(unix_s: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(unix_s))


def _say(line: str) -> None:
    print(line, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Tell the story; 0 when the books balance and nothing failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seed", default="1", help="decides every order")
    options = parser.parse_args(arguments)
    try:
        with interrupted_by_signals():
            return 0 if demo(options.seed) else 1
    except KeyboardInterrupt:
        _say("stopped")
        return 130
    except StartError as error:
        sys.stderr.write(f"cannot start: {error}\n")
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
