"""One run of a workflow as its service sees it, and what the service answers.

A service works item by item until it is done or `out_of_time`; then it answers a `next_cursor` and
the edge publishes a continuation. An item that fails is recorded with `fail` and the run goes on;
one that failed before is worked on when `skips` says no.
"""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from presage.call import Call

# API Gateway hangs up after 30 s and the Lambda ends at 28: stop early enough to publish the rest.
WORK_S = 20.0


@dataclass(kw_only=True)
class Run:
    """A claimed slot of a workflow. `waiting` are the items whose dead letters are not due.

    A run that reaches its end has done what was due, but for items that a slice has `skipped`, and
    kinds of them that the last one leaves `untried`: a kind is an item's text before its colon. One
    that `is_cut_short` stopped early and no other slice goes on: it settles nothing that was due.
    """

    id: uuid.UUID
    name: str
    slot: datetime
    call: Call
    cursor: Mapping[str, Any] = field(default_factory=dict)
    waiting: frozenset[str] = frozenset()
    failures: dict[str, str] = field(default_factory=dict)
    skipped: set[str] = field(default_factory=set)
    untried: set[str] = field(default_factory=set)
    is_cut_short: bool = False
    _began: float = field(default_factory=time.monotonic)

    @property
    def out_of_time(self) -> bool:
        """Whether to stop and answer a cursor."""
        return self.left_s < 0

    @property
    def left_s(self) -> float:
        """How long until then; negative behind it."""
        return WORK_S - (time.monotonic() - self._began)

    def fail(self, item: str, error: Exception) -> None:
        """Put an item on the dead-letter table, with the run, and go on."""
        self.failures[item] = f"{type(error).__name__}: {error}"[:500]

    def skips(self, item: str) -> bool:
        """Whether an item that failed before is left alone: its retry is not due, or a human's."""
        if item in self.waiting:
            self.skipped.add(item)
        return item in self.waiting


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run did: named counts, and where to go on when it ran out of time."""

    counts: Mapping[str, int]
    next_cursor: Mapping[str, Any] | None = None
    next_delay_s: int = 0


class PermanentFailureError(Exception):
    """Trying again cannot help: QStash is told not to (status 489)."""
