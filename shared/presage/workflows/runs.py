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
_queries = beside(__file__)

type Status = Literal["completed", "partial", "failed"]


@dataclass(frozen=True)
class Claim:
    """Whether a delivery may work, and on which run."""

    run_id: uuid.UUID
    decision: Literal["run", "completed", "live"]
    slot: datetime


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
    claim = connection.fetch_one(
        call,
        _queries["begin_workflow_run"],
        Claim,
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
    )
    if claim is None:
        raise LookupError("begin_workflow_run always answers a row")
    return claim


def finish(run: Run, outcome: Outcome) -> Status:
    """Record a run that reached its end, with the items that failed on the way."""
    status: Status = "partial" if run.failures else "completed"
    statements: list[Statement[Any]] = [
        (
            _queries["record_dead_letter"],
            None,
            {"workflow": run.name, "item": item, "error": error, "now": clock.now()},
        )
        for item, error in run.failures
    ]
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
                "now": clock.now(),
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
