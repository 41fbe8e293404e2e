"""Comparing what was indexed with the chain's own accounts, which are right.

An account says what is so at one slot. Everything final up to that slot is fetched first, and what
was indexed since is taken off again: what then differs cannot be on its way, and is a discrepancy.
The account's word is kept as an event of its own, in its place in the chain's order, so that a
rebuild comes to the same.
"""

import base64
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
from solders.pubkey import Pubkey

from presage import clock, config, metrics
from presage.adapters import helius, solana_history, solana_rpc
from presage.adapters.solana_history import MAX_ACCOUNTS, Accounts
from presage.chain import programme
from presage.chain.accounts import GlobalConfig, MarketAccount, decode_account
from presage.chain.borsh import DecodeError
from presage.chain.programme import MarketState
from presage.db import connection
from presage.db.connection import Statement
from presage.db.queries import beside
from presage.errors import UnavailableError, UpstreamError
from presage.events.backfill import Walk, catch_up, fetch_again, measure_incomplete
from presage.events.indexing import RECONCILIATION, Batch, index, read_delivery
from presage.events.transactions import MAX_INDEX, Row, Transaction
from presage.ops import alerts
from presage.workflows import runs
from presage.workflows.run import Outcome, Run

MALFORMED_PER_RUN = 1_000
# How long a slot's slices go on with what is to be fetched again: anybody may add to it.
CHAIN = timedelta(minutes=8)
CONFIG = "config"
# The kinds of its dead letters: those of a whole run, and those that are resolved one by one.
_WHOLE = frozenset({"rpc", "webhook", CONFIG, "market"})
_ONE_BY_ONE = frozenset({"malformed", "transaction"})
_NOBODY = bytes(32)
_queries = beside(__file__)


@dataclass(frozen=True)
class _Live:
    market: str
    address: str


@dataclass(frozen=True)
class _Told:
    """A market as it was indexed."""

    market: str
    market_id: uuid.UUID
    state: str | None
    shares_yes: Decimal
    shares_no: Decimal
    b_parameter: Decimal | None
    as_of: datetime | None


@dataclass(frozen=True)
class _Facts:
    facts: str


@dataclass(frozen=True)
class _Subject:
    subject: str


@dataclass(frozen=True)
class _Letter:
    item: str
    body: str


@dataclass(frozen=True)
class _Found:
    """What an account says, and where that differs."""

    subject: str
    market_id: uuid.UUID | None
    event_type: str
    observed: dict[str, Any]
    differing: dict[str, tuple[Any, Any]]
    as_of: datetime | None


def event_reconciliation(run: Run) -> Outcome:
    """Fetch what was missed, compare every live market with its account, and mend.

    Nothing to do without a cluster, or while an earlier slot's slices are still at it. When the RPC
    fails, the rest waits for the next run.
    """
    run.untried |= _WHOLE | _ONE_BY_ONE
    if not (solana_rpc.is_configured() and config.get("ZMART_PROGRAM_ID")):
        return Outcome(counts={})
    counts: Counter[str] = Counter()
    if not run.cursor:
        counts["enabled"] = _enable_webhook(run)
        if runs.earlier_go_on(run):
            measure_incomplete(run)
            return Outcome(counts=counts | {"busy": 1})
    try:
        cursor = _reconcile(run, counts)
        run.untried -= _WHOLE
    except UpstreamError as error:
        run.fail("rpc", error)
        cursor = None
    if cursor is None:
        counts["read"] = _read_malformed(run)
        measure_incomplete(run)
    return Outcome(counts=counts, next_cursor=cursor)


def _reconcile(run: Run, counts: Counter[str]) -> dict[str, Any] | None:
    """The whole of it; where to go on when time is up."""
    walk = catch_up(run, Walk.of_cursor(run.cursor))
    after: str | None = run.cursor.get("after")
    if walk is not None:
        return walk.as_cursor() | {"after": after}
    if after is None:
        # What is due first may explain a difference. The rest must not keep markets waiting.
        counts["whole"], _ = fetch_again(run)
        counts["discrepancies"] += _compare_config(run)
    while not run.out_of_time:
        params = {"after": after, "limit": MAX_ACCOUNTS}
        live = connection.fetch_all(run.call, _queries["list_live_markets"], _Live, params)
        if not live:
            return {"after": after or ""} if _leaves_any(run, counts) else None
        compared = _compare_markets(run, live)
        if compared is None:
            break
        counts["markets"] += len(live)
        counts["discrepancies"] += compared
        after = live[-1].market
    return {"after": after or ""}


def _leaves_any(run: Run, counts: Counter[str]) -> bool:
    """Fetch what else was not told whole; whether another slice is to go on with it."""
    is_left = True
    while is_left and not run.out_of_time:
        settled, is_left = fetch_again(run)
        counts["whole"] += settled
    return is_left and run.call.now < run.slot + CHAIN


def _enable_webhook(run: Run) -> int:
    """Switch our webhook on where Helius has switched it off."""
    if not helius.is_configured():
        return 0
    try:
        return int(helius.enable_webhook())
    except UpstreamError as error:
        run.fail("webhook", error)
        return 0


def _read_malformed(run: Run) -> int:
    """Read again what could not be read: the code may be newer. How many could be."""
    params = {"workflow": RECONCILIATION, "now": run.call.now, "limit": MALFORMED_PER_RUN}
    read = 0
    for letter in connection.fetch_all(run.call, _queries["list_due_malformed"], _Letter, params):
        if run.out_of_time:
            break
        body = base64.b64decode(letter.body)
        batch = read_delivery(body if body.lstrip().startswith(b"[") else b"[" + body + b"]")
        if batch.malformed:
            run.fail(letter.item, ValueError(batch.malformed[0].error))
            continue
        done = {"workflow": RECONCILIATION, "item": letter.item, "now": run.call.now}
        index(run.call, batch, (_queries["resolve_letter"], None, done))
        read += 1
    return read


def _compare_config(run: Run) -> int:
    """Compare what holds for every market; how many fields differ."""
    held = _accounts([str(programme.config_address())])
    [data] = held.data
    if data is None or catch_up(run, Walk(), least_slot=held.slot) is not None:
        return 0
    try:
        account = decode_account(GlobalConfig, data)
    except DecodeError as error:
        run.fail(CONFIG, error)
        return 0
    row = connection.fetch_one(run.call, _queries["config_at"], _Facts, {"slot": held.slot})
    ours: dict[str, Any] = orjson.loads(row.facts) if row else {}
    theirs = {
        name: str(Pubkey(value)) if isinstance(value, bytes) else value
        for name, value in account._asdict().items()
        if name not in {"reserved", "bump", "protocol_fee_wallet", "min_resolver_reputation"}
    }
    differing = {
        name: (ours[name], value)
        for name, value in theirs.items()
        if name in ours and ours[name] != value
    }
    # What no event has said is learned and not mended.
    if differing or theirs.keys() - ours.keys():
        found = _Found(CONFIG, None, "ConfigObserved", theirs, differing, None)
        return _take(run, held.slot, found)
    return 0


def _compare_markets(run: Run, live: list[_Live]) -> int | None:
    """Compare markets with their accounts; how many fields differ, None when time is up."""
    held = _accounts([one.address for one in live])
    if catch_up(run, Walk(), least_slot=held.slot) is not None:
        return None
    params = {"markets": [one.market for one in live], "slot": held.slot}
    rows = connection.fetch_all(run.call, _queries["markets_at"], _Told, params)
    told = {row.market: row for row in rows}
    found = []
    for one, data in zip(live, held.data, strict=True):
        ours = told.get(one.market)
        if ours is None or (data is None and ours.state is None):
            continue  # looked at later than this node, or not made yet by then
        try:
            differing = _differing(ours, data)
        except ValueError as error:
            run.fail(f"market:{one.market}", error)
            continue
        if differing:
            observed = {} if data is None else _observed(decode_account(MarketAccount, data))
            kind = "MarketObserved"
            found.append(_Found(one.market, ours.market_id, kind, observed, differing, ours.as_of))
    return sum(_take(run, held.slot, one) for one in _untold(run, found))


def _untold(run: Run, found: list[_Found]) -> list[_Found]:
    """All but the accounts that are told to be missing: nothing mends it, and each run sees it."""
    missing = [one.subject for one in found if not one.observed]
    if not missing:
        return found
    params = {"subjects": missing, "now": run.call.now}
    rows = connection.fetch_all(run.call, _queries["list_told_missing"], _Subject, params)
    told = {row.subject for row in rows}
    return [one for one in found if one.observed or one.subject not in told]


def _accounts(addresses: list[str]) -> Accounts:
    return solana_history.accounts(addresses, owner=config.get("ZMART_PROGRAM_ID"))


def _differing(ours: _Told, data: bytes | None) -> dict[str, tuple[Any, Any]]:
    """The fields in which what was indexed and the account are not the same."""
    if data is None:
        return {"account": ("there", "missing")}
    account = decode_account(MarketAccount, data)
    pairs = {
        "state": (ours.state, MarketState(account.state).name),
        "shares_yes": (ours.shares_yes, account.shares_yes),
        "shares_no": (ours.shares_no, account.shares_no),
        "b_parameter": (ours.b_parameter, account.b_parameter),
    }
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _observed(account: MarketAccount) -> dict[str, Any]:
    """An account as an event, by the columns of chain_markets."""
    has_tally = account.proposal_total_votes > 0
    return {
        "market_id": account.market_id.hex(),
        "state": MarketState(account.state).name,
        "creator": str(Pubkey(account.creator)),
        "b_parameter": account.b_parameter,
        "initial_liquidity": account.initial_liquidity if account.activated_at else None,
        "shares_yes": account.shares_yes,
        "shares_no": account.shares_no,
        "likes": account.proposal_likes if has_tally else None,
        "dislikes": account.proposal_dislikes if has_tally else None,
        "resolver": _key(account.resolver),
        "proposed_outcome": account.proposed_outcome,
        "final_outcome": account.final_outcome,
        "evidence_hash": _text(account.ipfs_evidence_hash),
        "dispute_initiator": _key(account.dispute_initiator),
        "was_disputed": account.was_disputed or None,
        "created_at": _moment(account.created_at),
        "approved_at": _moment(account.approved_at),
        "activated_at": _moment(account.activated_at),
        "resolved_at": _moment(account.resolution_proposed_at),
        "disputed_at": _moment(account.dispute_initiated_at),
        "finalized_at": _moment(account.finalized_at),
        "cancelled_at": _moment(account.cancelled_at or 0),
    }


def _key(key: bytes) -> str | None:
    return None if key == _NOBODY else str(Pubkey(key))


def _text(text: bytes) -> str | None:
    return text.decode() if text.isalnum() else None


def _moment(unix_s: int) -> str | None:
    return clock.from_ms(1000 * unix_s).isoformat() if unix_s > 0 else None


def _take(run: Run, slot: int, one: _Found) -> int:
    """Keep an account's word and where it differed, and tell, in one transaction.

    How many fields differed. Where that takes the database too long it fails alone.
    """
    market_id = str(one.market_id) if one.market_id else None
    told = [
        {
            "market_id": market_id,
            "subject": one.subject,
            "field": name,
            "ours": str(ours),
            "theirs": str(theirs),
        }
        for name, (ours, theirs) in one.differing.items()
    ]
    statements: list[Statement[Any]] = []
    if told:
        kept = {"found": orjson.dumps(told).decode(), "slot": slot, "now": run.call.now}
        data = {"subject": one.subject, "marketId": str(one.market_id), "fields": [*one.differing]}
        statements = [
            (_queries["keep_discrepancies"], None, kept),
            alerts.statement(run.call, "state_discrepancy", data, one.subject),
        ]
    rows = [_row(run, slot, one)] if one.observed else []
    made = [Transaction(row.signature, slot, row.block_time_s, [row]) for row in rows]
    try:
        index(run.call, Batch(made), *statements)
    except UnavailableError as error:
        run.fail(CONFIG if one.subject == CONFIG else f"market:{one.subject}", error)
        return 0
    if told:
        metrics.count("Discrepancies", len(told))
    return len(told)


def _row(run: Run, slot: int, one: _Found) -> Row:
    """The event: after everything else in its slot, at the time of what was last indexed."""
    moment_s = clock.to_ms(one.as_of or run.call.now) // 1000
    data = orjson.dumps({"timestamp": moment_s} | one.observed).decode()
    market = None if one.subject == CONFIG else one.subject
    signature = f"observed:{one.subject}:{slot}"
    return Row(signature, 0, slot, MAX_INDEX, moment_s, one.event_type, market, None, data)
