"""Folders of throw-away servers, and the ones that a killed run left behind.

A test run killed with -9 cannot stop its servers. The folders carry the id of the process that
made them, so the next run finds the abandoned ones, ends what still runs there and removes them.
"""

import contextlib
import os
import shutil
import signal
import tempfile
from pathlib import Path

from infra.local import homes
from infra.local.process import processes_in

_PREFIX = "presage-server"


def throwaway_folder(program: str) -> Path:
    """A new private folder for a server that runs `program`; whoever asked removes it.

    Sweeps abandoned folders of that program first.
    """
    parent = Path(tempfile.gettempdir())
    if homes.is_root():
        parent = homes.public_folder(homes.home() / "tmp")
    _sweep(parent, program)
    prefix = f"{_PREFIX}-{program}-{os.getpid()}-"
    return homes.server_folder(Path(tempfile.mkdtemp(prefix=prefix, dir=parent)))


def _sweep(parent: Path, program: str) -> None:
    start = f"{_PREFIX}-{program}-"
    for folder in parent.glob(f"{start}*"):
        owner = folder.name.removeprefix(start).partition("-")[0]
        if not owner.isdigit() or _runs(int(owner)):
            continue
        if folder.is_dir():
            for pid in processes_in(folder, program):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            shutil.rmtree(folder, ignore_errors=True)
        else:  # its log
            folder.unlink(missing_ok=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
