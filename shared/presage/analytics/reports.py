"""daily-report: a day in figures for the operators, as JSON and as Markdown."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import orjson

from presage import config
from presage.adapters import alert_channels
from presage.adapters.alert_channels import Channel
from presage.analytics.models import (
    ListReports,
    Report,
    ReportedMarket,
    ReportPath,
    ReportSummary,
)
from presage.analytics.service import roll_up_open_days
from presage.call import Call
from presage.db import connection
from presage.db.queries import beside
from presage.errors import NotFoundError, PresageError, ValidationFailedError
from presage.money import MICROS, show
from presage.paging import decode, encode
from presage.schema import Document, Page, Pagination, prefers
from presage.workflows.run import Outcome, Run

MARKETS_SHOWN = 10
# Late commits of the day are in by then: public.roll_up_day() makes it final after as long.
WAIT_S = 60
CHANNELS: tuple[Channel, ...] = ("slack", "email")
_queries = beside(__file__)


@dataclass(frozen=True)
class _Facts:
    day: dt.date
    volume_micros: int
    fees_micros: int
    rebates_micros: int
    trade_count: int
    active_users: int
    new_users: int
    new_markets: int
    is_final: bool
    total_users: int
    active_markets: int
    finalized_markets: int
    settled_markets: int
    deposits_micros: int
    withdrawals_micros: int
    failed_runs: int
    dead_letters: int
    open_escalations: int


@dataclass(frozen=True)
class _Untold:
    markdown: str
    channels: list[Channel]


@dataclass(frozen=True)
class _Stored:
    day: dt.date
    facts: dict[str, Any]
    markdown: str


def daily_report(run: Run) -> Outcome:
    """Write the report of the day before the slot, once its statistics are final, and tell it."""
    call = run.call
    day = run.slot.date() - dt.timedelta(days=1)
    rolled = roll_up_open_days(run)
    facts = connection.fetch_one(call, _queries["report_facts"], _Facts, {"day": day})
    if facts is None and rolled.is_current:
        # Before the platform's first day there is nothing to tell.
        return Outcome(counts={"reports": 0})
    if facts is None or not facts.is_final:
        return Outcome(counts={"reports": 0}, next_cursor={"wait": True}, next_delay_s=WAIT_S)
    params = {"day": day, "limit": MARKETS_SHOWN}
    markets = connection.fetch_all(call, _queries["report_markets"], ReportedMarket, params)
    kept = connection.execute(
        call,
        _queries["keep_report"],
        {
            "day": day,
            "facts": orjson.dumps(
                {
                    name: value
                    for name, value in vars(facts).items()
                    if name not in {"day", "is_final"}
                }
                | {
                    "currency": config.get("COLLATERAL_CURRENCY"),
                    "top_markets": [vars(market) for market in markets],
                }
            ).decode(),
            "markdown": _markdown(facts, markets),
            "now": call.now,
        },
    )
    _tell(run, day)
    return Outcome(counts={"reports": kept})


def _tell(run: Run, day: dt.date) -> None:
    """Send a report to Slack and by mail, each once; a channel that fails is a failed item."""
    report = connection.fetch_one(run.call, _queries["report_to_tell"], _Untold, {"day": day})
    if report is None:
        return
    for channel in CHANNELS:
        if channel in report.channels or not alert_channels.is_configured(channel):
            continue
        try:
            alert_channels.tell(channel, f"Presage on {day}", report.markdown)
        except PresageError as error:
            run.fail(f"{day}:{channel}", error)
            continue
        note = {"day": day, "channel": channel}
        connection.run(run.call, [(_queries["note_report_channel"], None, note)])


def list_reports(call: Call, request: ListReports) -> Page[ReportSummary]:
    """The days that have a report, newest first."""
    mark = decode(request.cursor, str)
    params = {"limit": request.limit, "before": _date_of(mark[0]) if mark else None}
    rows = connection.fetch_all(call, _queries["list_reports"], ReportSummary, params)
    next_cursor = encode([rows[-1].date.isoformat()]) if len(rows) == request.limit else None
    return Page(rows, Pagination(limit=request.limit, next_cursor=next_cursor))


def get_report(call: Call, request: ReportPath) -> Report | Document:
    """One day's report; as a Markdown document when the caller prefers one.

    Raises:
        NotFoundError: none was written.
    """
    row = connection.fetch_one(call, _queries["get_report"], _Stored, {"day": request.date})
    if row is None:
        raise NotFoundError("There is no report of this day.", field="date")
    call.headers["Vary"] = "Accept"
    if prefers(call.accept, "text/markdown"):
        return Document(row.markdown)
    markets = [ReportedMarket(**market) for market in row.facts.pop("top_markets")]
    revenue = row.facts["fees_micros"] - row.facts["rebates_micros"]
    return Report(date=row.day, revenue_micros=revenue, top_markets=markets, **row.facts)


def _date_of(part: int | str) -> dt.date:
    try:
        return dt.date.fromisoformat(str(part))
    except ValueError:
        raise ValidationFailedError("cursor is not one of ours.", field="cursor") from None


def _markdown(facts: _Facts, markets: list[ReportedMarket]) -> str:
    """The report for people: what happened, then what went wrong."""
    revenue = facts.fees_micros - facts.rebates_micros
    figures = [
        ("Volume", _money(facts.volume_micros)),
        ("Trades", f"{facts.trade_count}"),
        ("Active users", f"{facts.active_users}"),
        ("New users", f"{facts.new_users} (of {facts.total_users})"),
        ("New markets", f"{facts.new_markets} ({facts.active_markets} active)"),
        ("Finalized markets", f"{facts.finalized_markets} ({facts.settled_markets} settled)"),
        ("Revenue", f"{_money(revenue)} (fees less rebates)"),
        ("Deposits", _money(facts.deposits_micros)),
        ("Withdrawals", _money(facts.withdrawals_micros)),
        ("Failed runs", f"{facts.failed_runs}"),
        ("Dead letters waiting", f"{facts.dead_letters}"),
        ("Open escalations", f"{facts.open_escalations}"),
    ]
    lines = [f"# Presage, {facts.day.isoformat()}", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in figures]
    if markets:
        lines += ["", "## Largest markets", "", "| market | volume | trades |", "|---|---|---|"]
        lines += [
            f"| {_cell(one.question)} | {_money(one.volume_micros)} | {one.trade_count} |"
            for one in markets
        ]
    return "\n".join(lines) + "\n"


def _money(micros: int) -> str:
    return f"{show(micros, MICROS)} {config.get('COLLATERAL_CURRENCY')}"


def _cell(text: str) -> str:
    """People's text inside a table: no cell, line, link, image or tag of theirs begins."""
    flat = " ".join(text.split())
    return "".join(f"\\{char}" if char in "\\|[]<>*_`!#~" else char for char in flat)
