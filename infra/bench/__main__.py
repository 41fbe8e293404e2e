"""`python -m infra.bench [name ...]`: one JSON line a figure, measured on a durable cluster.

Exits 1 when a goal is missed, 2 when durability is off or the name is unknown.
"""

import argparse
import json
import sys

import infra.bench.matching  # noqa: F401 - importing registers the figures
from infra.bench.registry import FIGURES, durability
from infra.local.postgres import Postgres


def main() -> int:
    """Measure the named figures, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(FIGURES))
    names = parser.parse_args().names or list(FIGURES)
    if unknown := [name for name in names if name not in FIGURES]:
        print(f"no figure {', '.join(unknown)}; there are {', '.join(FIGURES)}", file=sys.stderr)
        return 2
    met = True
    with Postgres() as server:
        settings = durability(server)
        print(json.dumps({"durability": settings}), flush=True)
        if set(settings.values()) != {"on"}:
            return 2
        for name in names:
            measured = FIGURES[name](server)
            print(measured.line(), flush=True)
            met = met and measured.met
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
