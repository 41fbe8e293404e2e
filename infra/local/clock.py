"""The local stack's clock: real time, or a simulated one shared through a file.

`PRESAGE_CLOCK_FILE` names a file that holds the unix time in milliseconds; whoever drives a
replay writes it, and gateway, emulators and handlers read it at each use.
"""

import os
from pathlib import Path

from presage.clock import now_ms

__all__ = ["CLOCK_VARIABLE", "now_ms", "set_clock", "simulated"]

CLOCK_VARIABLE = "PRESAGE_CLOCK_FILE"


def simulated() -> bool:
    """Whether time is driven through a file."""
    return bool(os.environ.get(CLOCK_VARIABLE))


def set_clock(path: Path, unix_ms: int) -> None:
    """Move the simulated clock; readers see the old or the new time, never half of it."""
    scratch = path.with_name(f"{path.name}.new")
    scratch.write_text(str(unix_ms), encoding="ascii")
    scratch.replace(path)
