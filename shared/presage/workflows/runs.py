"""Claiming a workflow's slot and recording how it ended."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson

from presage import clock
from presage.call import Call
from presage.db import connection
from presage.db.connection import Statement
from presage.db.queries import beside
from presage.ops import alerts
from presage.workflows.run import Outcome, Run

LEASE_S = 60
MAX_WAITING = 10_000
_queries = beside(__file__)

type Decision = Literal["run", "completed", "live"]
type Status = Literal["completed", "partial", "failed"]


@dataclass(frozen=True)
class Claim:
    """Whether a delivery may work, on which run, and the items that it leaves alone."""

    run_id: uuid.UUID
    decision: Decision
    slot: datetime
    waiting: frozenset[str]


@dataclass(frozen=True)
class _ClaimRow:
    run_id: uuid.UUID
    decision: Decision
    slot: datetime


@dataclass(frozen=True)
class _Item:
    item: str


@dataclass(frozen=True)
class _Earlier:
    go_on: bool


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One delivery of a workflow's message. `part` counts the slices of a long run."""

    name: str
    slot: datetime
    part: int
    message_id: str
    group_run_id: uuid.UUID | None
    attempt: int


def begin(call: Call, delivery: Delivery) -> Claim:
    """Claim the delivery's slot under a lease of `LEASE_S` seconds."""
    claims, letters = connection.run(
        call,
        [
            (
                _queries["begin_workflow_run"],
                _ClaimRow,
                {
                    "run_id": uuid.uuid4(),
                    "name": delivery.name,
                    "slot": delivery.slot,
                    "part": delivery.part,
                    "message_id": delivery.message_id,
                    "group_run_id": delivery.group_run_id,
                    "attempt": delivery.attempt,
                    "now": call.now,
                    "lease_s": LEASE_S,
                },
            ),
            (
                _queries["list_waiting_letters"],
                _Item,
                {"workflow": delivery.name, "now": call.now, "limit": MAX_WAITING},
            ),
        ],
    )
    [claim] = claims
    return Claim(
        claim.run_id, claim.decision, claim.slot, frozenset(letter.item for letter in letters)
    )


def earlier_go_on(run: Run) -> bool:
    """Whether slices of an earlier slot still follow each other, which do what this one would.

    A chain of slices that is longer than a slot is not met by another one then, and none of what it
    has in its cursor is lost.
    """
    told = {"name": run.name, "slot": run.slot, "now": run.call.now}
    row = connection.fetch_one(run.call, _queries["find_earlier_slices"], _Earlier, told)
    return row is not None and row.go_on


def finish(run: Run, outcome: Outcome) -> Status:
    """Record a run that reached its end, with the items that failed on the way.

    Where nothing is left, for another slice or a later run, the dead letters that were due when its
    first slice began are resolved: those that fail or are skipped on the way are due later.
    """
    status: Status = "partial" if run.failures else "completed"
    now = clock.now()
    statements: list[Statement[Any]] = []
    if run.failures:
        letters = [{"item": item, "error": error} for item, error in run.failures.items()]
        kept = {"workflow": run.name, "letters": orjson.dumps(letters).decode(), "now": now}
        statements.append((_queries["keep_dead_letters"], None, kept))
    if run.skipped:
        left = {"workflow": run.name, "items": [*run.skipped], "now": now}
        statements.append((_queries["put_off_dead_letters"], None, left))
    if outcome.next_cursor is None:
        done = {
            "workflow": run.name,
            "is_whole": not run.is_cut_short,
            "slot": run.slot,
            "began": run.call.now,
            "untried": [*run.untried],
            "now": now,
        }
        statements.append((_queries["resolve_dead_letters"], None, done))
    statements.append(
        (
            _queries["finish_workflow_run"],
            None,
            {
                "run_id": run.id,
                "status": status,
                "counts": orjson.dumps(dict(outcome.counts)).decode(),
                "error": None,
                "next_cursor": _json(outcome.next_cursor),
                "now": now,
            },
        )
    )
    connection.run(run.call, statements)
    return status


def fail(run: Run, error: Exception) -> None:
    """Record a run that broke and tell the operators; its slot may be claimed again."""
    # Not the error's words: an alert leaves the house, and they may hold anything.
    data = {"workflow": run.name, "runId": str(run.id), "error": type(error).__name__}
    connection.run(
        run.call,
        [
            (
                _queries["finish_workflow_run"],
                None,
                {
                    "run_id": run.id,
                    "status": "failed",
                    "counts": "{}",
                    "error": f"{type(error).__name__}: {error}"[:2000],
                    "next_cursor": None,
                    "now": clock.now(),
                },
            ),
            alerts.statement(run.call, "workflow_failed", data, run.name),
        ],
    )


def audit_operator(call: Call, name: str, slot: datetime) -> None:
    """Record that an operator started a workflow by hand."""
    params = {
        "name": name,
        "slot": slot.isoformat(),
        "request_id": call.request_id,
        "ip": call.ip,
        "now": call.now,
    }
    connection.run(call, [(_queries["audit_operator"], None, params)])


def _json(value: object) -> str | None:
    return None if value is None else orjson.dumps(value).decode()
