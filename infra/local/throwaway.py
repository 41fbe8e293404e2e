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
_MEMORY = Path("/dev/shm")  # noqa: S108 - the folder made in it is private and unpredictable
_ROOM_BYTES = 2 << 30


def throwaway_folder(program: str, *, in_memory: bool = False) -> Path:
    """A new private folder for a server that runs `program`; whoever asked removes it.

    Sweeps abandoned folders of that program first. `in_memory` prefers a memory file system, where
    a test's database is cloned in 20 ms and not in 500: only for data that need not be durable.
    """
    parent = Path(tempfile.gettempdir())
    if in_memory and _has_room(_MEMORY):
        parent = _MEMORY
    elif homes.is_root():
        parent = homes.public_folder(homes.home() / "tmp")
    _sweep(parent, program)
    prefix = f"{_PREFIX}-{program}-{os.getpid()}-"
    return homes.server_folder(Path(tempfile.mkdtemp(prefix=prefix, dir=parent)))


def _has_room(folder: Path) -> bool:
    """Whether a folder is there for everyone and holds what a test run needs."""
    return (
        folder.is_dir()
        and os.access(folder, os.W_OK | os.X_OK)
        and shutil.disk_usage(folder).free > _ROOM_BYTES
    )


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
