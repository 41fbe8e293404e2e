"""execute-crypto: keep spot prices, and propose the outcome of markets that a price decides."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

import orjson
import psycopg

from presage import config, metrics
from presage.adapters import spot_prices
from presage.adapters.spot_prices import Tick
from presage.call import Call
from presage.db import connection
from presage.db.queries import beside
from presage.errors import InvalidStateError, PresageError, UnprocessableError, UpstreamError
from presage.markets import lifecycle, upkeep
from presage.markets.models import ResolutionRule
from presage.ops import escalations
from presage.prices.rules import Decision, decide
from presage.workflows.run import Outcome, Run

STALE_S = 60
VERIFY_AHEAD = timedelta(hours=24)
MARKETS_PER_RUN = 200
# A tick of the bound's own second may still be on its way until the source has gone past it.
SETTLED_AFTER_S = 60
LOOK_AGAIN_S = 15
HISTORY_SOURCE = "binance"
_SOURCES: dict[str, Callable[[str], Tick]] = {
    "binance": spot_prices.binance_spot,
    "coinbase": spot_prices.coinbase_spot,
}
_queries = beside(__file__)

type _Applied = Literal["proposed", "escalated", "pending", "already"]


@dataclass(frozen=True)
class _Done:
    done: bool


def execute_crypto(run: Run) -> Outcome:
    """Store spot prices; check the markets that close soon; propose outcomes of the closed.

    A market whose bound the source has not passed yet is looked at again a few seconds later.
    """
    kept, priced = _keep_spot(run) if not run.cursor else (0, set[str]())
    unverifiable = _verify_closing(run, priced) if not run.cursor else 0
    proposed = escalated = pending = 0
    for market in upkeep.list_undecided(run.call, MARKETS_PER_RUN + len(run.waiting)):
        if run.out_of_time:
            pending += 1
            continue
        if run.skips(f"market:{market.id}"):
            continue
        try:
            match _apply_rule(run.call, market):
                case "proposed":
                    proposed += 1
                case "escalated":
                    escalated += 1
                case "pending":
                    pending += 1
                case "already":
                    continue
        except (UnprocessableError, ValueError, OverflowError) as error:
            # Nothing that time would heal: one market's rule must not hold up the others.
            reason = str(error)[:500]
            escalations.open_for_market(run.call, market.id, reason, market.resolution_rule)
            escalated += 1
        except (PresageError, psycopg.Error) as error:
            run.fail(f"market:{market.id}", error)
    return Outcome(
        counts={
            "ticks": kept,
            "unverifiable": unverifiable,
            "proposed": proposed,
            "escalated": escalated,
            "pending": pending,
        },
        next_cursor={"decideOnly": True} if pending else None,
        next_delay_s=0 if run.out_of_time else LOOK_AGAIN_S,
    )


def _keep_spot(run: Run) -> tuple[int, set[str]]:
    """Store each source's price and their median; answers how many, and the priced symbols."""
    ticks: list[Tick] = []
    priced: set[str] = set()
    for symbol in config.get("PRICE_SYMBOLS").split(","):
        fresh: list[Tick] = []
        for source, fetch in _SOURCES.items():
            try:
                tick = fetch(symbol)
            except (UpstreamError, UnprocessableError) as error:
                metrics.count("PriceSourceFailures", source=source)
                run.fail(f"spot:{source}:{symbol}", error)
                continue
            if run.call.now - tick.observed_at <= timedelta(seconds=STALE_S):
                fresh.append(tick)
            else:
                metrics.count("PriceSourceStale", source=source)
        if fresh:
            priced.add(symbol)
            median = statistics.median(tick.value for tick in fresh)
            newest = max(tick.observed_at for tick in fresh)
            ticks += [*fresh, Tick("median", symbol, newest, Decimal(median))]
    _keep(run.call, ticks)
    return len(ticks), priced


def _verify_closing(run: Run, priced: set[str]) -> int:
    """Markets that close within a day on a symbol that nobody prices: dead letters, in time."""
    unverifiable = 0
    for market in upkeep.list_closing_rules(run.call, VERIFY_AHEAD, MARKETS_PER_RUN):
        rule = ResolutionRule.model_validate(market.resolution_rule)
        if rule.symbol not in priced:
            unverifiable += 1
            run.fail(f"verify:{market.id}", UnprocessableError(f"{rule.symbol} has no price."))
    return unverifiable


def _apply_rule(call: Call, market: upkeep.RuledMarket) -> _Applied:
    rule = ResolutionRule.model_validate(market.resolution_rule)
    if rule.close_at > call.now:
        raise UnprocessableError("The rule's close is later than the market's.")
    tolerance = timedelta(seconds=rule.tolerance_s)
    bounds = [rule.close_at] if rule.reference == "strike" else [rule.open_at, rule.close_at]
    for bound in bounds:
        until = min(bound + timedelta(seconds=SETTLED_AFTER_S), call.now)
        _keep(call, spot_prices.binance_history(rule.symbol, bound - tolerance, until))
    if not _is_settled(call, rule):
        return "pending"
    close_tick = _tick_at(call, rule, rule.close_at)
    open_tick = _tick_at(call, rule, rule.open_at) if rule.reference != "strike" else None
    decision = decide(rule, open_tick, close_tick)
    evidence = {
        "open": _shown(open_tick),
        "close": _shown(close_tick),
        "reference": str(decision.reference) if decision.reference is not None else None,
    }
    if decision.outcome is None:
        escalations.open_for_market(
            call, market.id, f"No price at the {decision.missing}.", evidence
        )
        return "escalated"
    return _propose(call, market, decision, decision.outcome, evidence)


def _propose(
    call: Call,
    market: upkeep.RuledMarket,
    decision: Decision,
    outcome: str,
    evidence: Mapping[str, object],
) -> _Applied:
    try:
        lifecycle.propose_outcome(
            call,
            market.id,
            outcome,
            reason=f"Price rule: reference {decision.reference}.",
            evidence=evidence,
        )
    except InvalidStateError:
        # Somebody, perhaps this slot's other delivery, has proposed it in between.
        return "already"
    return "proposed"


def _is_settled(call: Call, rule: ResolutionRule) -> bool:
    if call.now - rule.close_at >= timedelta(seconds=SETTLED_AFTER_S):
        return True
    params = {"source": HISTORY_SOURCE, "symbol": rule.symbol, "bound": rule.close_at}
    row = connection.fetch_one(call, _queries["has_tick_after"], _Done, params)
    return row is not None and row.done


def _tick_at(call: Call, rule: ResolutionRule, bound: datetime) -> Tick | None:
    return connection.fetch_one(
        call,
        _queries["tick_at"],
        Tick,
        {
            "source": HISTORY_SOURCE,
            "symbol": rule.symbol,
            "bound": bound,
            "tolerance_s": rule.tolerance_s,
        },
    )


def _keep(call: Call, ticks: list[Tick]) -> None:
    if not ticks:
        return
    # One row a moment: a statement may not touch a row twice, and the last one said wins.
    unique = {(tick.symbol, tick.source, tick.observed_at): tick for tick in ticks}
    rows = [vars(tick) | {"value": str(tick.value)} for tick in unique.values()]
    params = {"ticks": orjson.dumps(rows).decode(), "now": call.now}
    connection.run(call, [(_queries["keep_ticks"], None, params)])


def _shown(tick: Tick | None) -> dict[str, str] | None:
    if tick is None:
        return None
    return {
        "source": tick.source,
        "symbol": tick.symbol,
        "observedAt": tick.observed_at.isoformat(),
        "value": str(tick.value),
    }
