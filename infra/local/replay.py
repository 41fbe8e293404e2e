"""`make replay`: a recorded day of markets, traded and settled on a fresh stack.

Run: `python -m infra.local.replay --markets M.jsonl.gz --prices P.csv.gz [--limit n] [--seed s]
[--group n]`; with a group, every n consecutive markets also form an event of several outcomes.
Progress goes to stderr; the last line of stdout is one JSON object (see replay_report.summary).
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from httpx import HTTPError

from infra.local import homes, operations
from infra.local.agents import Follower, Maker, Momentum, Noise, Punter, SetMaker
from infra.local.client import ApiError
from infra.local.clock import set_clock
from infra.local.feed import FeedServer, FeedTick, PriceFeed, read_ticks
from infra.local.process import StartError
from infra.local.rate_feed import RateFeed, Venues
from infra.local.replay_data import Recording, ReplayDataError, read_markets
from infra.local.replay_driver import LEAD_S, STEP_S, Driver, Trader, wallet
from infra.local.replay_events import LEAST_GROUP, MOST_GROUP, Events, group_events
from infra.local.replay_report import EventEnd, Verdict, event_figures, judge, judge_events, summary
from infra.local.stack import ANY_PORTS, Stack
from infra.local.supervisor import interrupted_by_signals
from presage.money import MICROS

SETTLING_S = 1_800  # how long the clock goes on for what is still open after the last close
PROGRESS_EVERY_S = 3.0
# What a bad file, a stack that does not start, or a platform that does not answer raises.
_FAILURES = (ReplayDataError, StartError, ApiError, HTTPError, OSError, ValueError)

type Say = Callable[[str], None]


@dataclass(frozen=True)
class Replayed:
    """The final figures, each market's end, and each event's."""

    figures: dict[str, Any]
    verdicts: list[Verdict]
    events: list[EventEnd]


def traders(seed: str) -> list[Trader]:
    """Who trades: one maker, one that follows moves, three without a reason."""
    momentum = Momentum(seed=f"{seed}:momentum")
    return [
        Trader("maker", Maker(), 200_000 * MICROS, rests=True, event_agent=SetMaker()),
        Trader("momentum", momentum, 20_000 * MICROS, event_agent=Follower(momentum=momentum)),
        *(
            Trader(
                f"noise-{number}",
                Noise(seed=f"{seed}:noise-{number}"),
                10_000 * MICROS,
                event_agent=Punter(seed=f"{seed}:punter-{number}"),
            )
            for number in range(1, 4)
        ),
    ]


def environment(seed: str, symbol: str, feed_url: str) -> dict[str, str]:
    """What a simulated stack is told beside its own settings."""
    return {
        "BOOTSTRAP_ADMIN": wallet(seed, "admin").address,
        "BINANCE_URL": feed_url,
        "COINBASE_URL": feed_url,
        "BINANCE_P2P_URL": feed_url,
        "COINGECKO_URL": feed_url,
        "PRICE_SYMBOLS": symbol,
        "POWERTOOLS_LOG_LEVEL": "WARNING",
    }


def replay(
    recording: Recording,
    ticks: Sequence[FeedTick],
    state_dir: Path,
    *,
    seed: str = "1",
    group: int | None = None,
    keep: bool = False,
    durable: bool = True,
    say: Say = lambda _: None,
) -> Replayed:
    """Run a recording through a fresh stack; with a `group`, so many markets form an event."""
    homes.public_folder(state_dir)
    clock_file = state_dir / "clock"
    start_s = (recording.markets[0].start_s - LEAD_S) // 60 * 60
    set_clock(clock_file, start_s * 1000)

    def now_ms() -> int:
        return int(clock_file.read_text(encoding="ascii"))

    prices = PriceFeed(ticks, recording.symbol, now_ms)
    with FeedServer(Venues(prices, RateFeed(now_ms))) as feed:
        stack = Stack(
            state_dir,
            ports=ANY_PORTS,
            clock_file=clock_file,
            durable=durable,
            env=environment(seed, recording.symbol, feed.url),
            stage="replay",
            access_log=False,
            keep=keep,
            progress=say,
        )
        with (
            stack,
            closing(Driver(stack, feed.url, recording.symbol, seed, clock_file, start_s)) as driver,
        ):
            driver.open(traders(seed))
            events = Events(driver, group_events(recording.markets, group) if group else [])
            began = time.monotonic()
            run(driver, recording, _told(driver, recording, say), step_s=STEP_S, events=events)
            seconds = time.monotonic() - began
            left = settle(driver, step_s=STEP_S, events=events)
            say(_settled(driver, left))
            verdicts = judge(driver, recording.markets, recording.labels)
            ends = judge_events(driver, events.all)
            if group:
                say(_changed(driver))
            for sample in driver.traffic.samples:
                say(f"error: {sample}")
            figures = summary(driver, verdicts, ends, seconds)
            return Replayed(figures | (event_figures(ends) if group else {}), verdicts, ends)


def run(
    driver: Driver,
    recording: Recording,
    on_step: Callable[[], None],
    *,
    step_s: int,
    events: Events | None = None,
) -> None:
    """Trade every market to its close, and the events made of them."""
    waiting = list(recording.markets)
    last_end_s = max(market.end_s for market in recording.markets)
    while driver.now_s < last_end_s:
        driver.advance(driver.now_s + step_s)
        driver.list_ahead(waiting)
        driver.trade()
        if events is not None:
            events.step()
        on_step()


def settle(driver: Driver, *, step_s: int, events: Events | None = None) -> operations.Leftovers:
    """Let the clock go on, for half an hour at most, until nothing is left for workflows."""
    owner = driver.stack.database_urls["owner"]
    until_s = driver.now_s + SETTLING_S
    left = operations.leftovers(owner)
    while left.open and driver.now_s < until_s:
        driver.advance(driver.now_s + step_s)
        if events is not None:
            events.resolve()
        if driver.now_s % 60 < step_s:
            left = operations.leftovers(owner)
    return left


def _told(driver: Driver, recording: Recording, say: Say) -> Callable[[], None]:
    """Says how far things are, every few seconds of real time."""
    told = time.monotonic()

    def on_step() -> None:
        nonlocal told
        if time.monotonic() - told > PROGRESS_EVERY_S:
            told = time.monotonic()
            say(_progress(driver, recording))

    return on_step


def _settled(driver: Driver, left: operations.Leftovers) -> str:
    done = driver.deliveries
    return (
        f"settled by {_clock(driver.now_s)}: {left.escalated} escalated, {left.open} unfinished, "
        f"{left.dead_letters} dead letters; {done.delivered} deliveries, "
        f"{done.busy} busy, {done.failed} failed, {done.dead_lettered} given up"
    )


def _changed(driver: Driver) -> str:
    changes = driver.traffic.changes
    return "shares changed: " + ", ".join(f"{kind} {changes[kind]}" for kind in sorted(changes))


def _progress(driver: Driver, recording: Recording) -> str:
    traffic = driver.traffic
    closed = sum(market.end_s <= driver.now_s for market in recording.markets)
    return (
        f"{_clock(driver.now_s)}  closed {closed}/{len(recording.markets)}  "
        f"orders {traffic.orders}  rejects {sum(traffic.rejects.values())}  "
        f"fills {traffic.fills}  errors {traffic.errors + driver.deliveries.failed}"
    )


def _clock(unix_s: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(unix_s))


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay the files; 0 when the audit is clean and nothing failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--markets", type=Path, required=True, help="jsonl.gz of market objects")
    parser.add_argument("--prices", type=Path, required=True, help="csv.gz of price ticks")
    parser.add_argument("--limit", type=int, help="only the first markets by start")
    parser.add_argument("--seed", default="1", help="decides every order")
    parser.add_argument(
        "--group",
        type=int,
        choices=range(LEAST_GROUP, MOST_GROUP + 1),
        metavar="n",
        help="also trade an event of several outcomes for every n consecutive markets",
    )
    parser.add_argument("--keep", action="store_true", help="keep the data and logs afterwards")
    options = parser.parse_args(arguments)
    state_dir = homes.home() / f"replay-{os.getpid()}"
    try:
        with interrupted_by_signals():
            recording = read_markets(options.markets, options.limit)
            ticks = read_ticks(options.prices)
            _say(f"{len(recording.markets)} markets on {recording.symbol}, {len(ticks)} ticks")
            done = replay(
                recording,
                ticks,
                state_dir,
                seed=options.seed,
                group=options.group,
                keep=options.keep,
                say=_say,
            )
    except KeyboardInterrupt:
        _say("stopped")
        return 130
    except _FAILURES as error:
        _say(f"cannot replay: {error}")
        return 1
    for one in done.verdicts:
        if one.outcome is None or one.outcome != one.label:
            _say(f"{one.slug}: {one.state}, proposed {one.outcome}, really {one.label}")
    for event in done.events:
        if not event.is_settled:
            _say(f"{event.slug}: {event.state}, proposed {event.outcome}, not settled")
    if options.keep:
        _say(f"data and logs: {state_dir}")
    print(orjson.dumps(done.figures).decode(), flush=True)
    return 0 if done.figures["audit"] == "ok" and not done.figures["errors"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
