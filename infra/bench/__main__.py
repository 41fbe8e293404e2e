"""`python -m infra.bench [name ...]`: one JSON line a figure, measured on a durable cluster.

BENCH_FULL=1 measures larger sizes. Exits 1 when a goal is missed, 2 when durability is off or the
name is unknown.
"""

import argparse
import importlib
import json
import os
import sys

from infra.bench.registry import FIGURES, durability
from infra.local.postgres import Postgres

MODULES = (
    "matching",
    "depth",
    "parallel",
    "history",
    "settlement",
    "gateway",
    "workflows",
    "events",
    "votes",
)


def main() -> int:
    """Measure the named figures, or all."""
    for module in MODULES:  # importing registers the figures
        importlib.import_module(f"infra.bench.{module}")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(FIGURES))
    names = parser.parse_args().names or list(FIGURES)
    if unknown := [name for name in names if name not in FIGURES]:
        print(f"no figure {', '.join(unknown)}; there are {', '.join(FIGURES)}", file=sys.stderr)
        return 2
    met = True
    with Postgres() as server:
        settings = durability(server)
        # A busy machine spoils latencies: its load average and processors stand beside them.
        machine = {"processors": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}
        print(json.dumps({"durability": settings, "machine": machine}), flush=True)
        if set(settings.values()) != {"on"}:
            return 2
        for name in names:
            measured = FIGURES[name](server)
            print(measured.line(), flush=True)
            met = met and measured.met
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
