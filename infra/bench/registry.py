"""What a figure is and where figures register: one decorated function each."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import psycopg

from infra.local.postgres import Postgres

DURABILITY = ("fsync", "synchronous_commit", "full_page_writes")


@dataclass(frozen=True)
class Figure:
    """One measured thing beside its peer; `ratio` is how many times better ours is."""

    name: str
    ours: float
    peer: float
    goal: float
    unit: str
    better: Literal["higher", "lower"]
    method: str
    goal_is_ratio: bool

    @property
    def ratio(self) -> float:
        """Ours over the peer's, or the peer's over ours where lower is better; 0 means none."""
        upper, lower = (self.ours, self.peer) if self.better == "higher" else (self.peer, self.ours)
        return upper / lower if lower else 0.0

    @property
    def met(self) -> bool:
        """Whether the goal is reached: by the ratio, or by our own figure."""
        if self.goal_is_ratio:
            return self.ratio >= self.goal
        return self.ours >= self.goal if self.better == "higher" else self.ours <= self.goal

    def line(self) -> str:
        """The figure as one line of JSON."""
        return json.dumps(
            {
                "name": self.name,
                "ours": float(f"{self.ours:.4g}"),
                "peer": float(f"{self.peer:.4g}"),
                "ratio": round(self.ratio, 2),
                "goal": self.goal,
                "unit": self.unit,
                "better": self.better,
                "met": self.met,
                "method": self.method,
            }
        )


type Measure = Callable[[Postgres], Figure]
FIGURES: dict[str, Measure] = {}


def figure(measure: Measure) -> Measure:
    """Register a function of a running durable cluster under its own name."""
    FIGURES[measure.__name__] = measure
    return measure


def durability(server: Postgres) -> dict[str, str]:
    """The settings without which a figure is worth nothing, as the server has them."""
    with psycopg.connect(server.url()) as connection:
        rows = connection.execute(
            "select name, setting from pg_settings where name = any (%s)", (list(DURABILITY),)
        ).fetchall()
    return dict(rows)
