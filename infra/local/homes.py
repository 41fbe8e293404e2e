"""Where the local stack keeps binaries and data, for root and for an ordinary user.

Postgres refuses to run as root, and the unprivileged user it runs as cannot enter a 0700 home.
As root, everything such a server touches therefore lives in `/var/tmp/presage-<hash>`, a folder
of this checkout that everyone may traverse. An ordinary user keeps it in the checkout's `.dev`.
"""

import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[2]
SERVER_UID = 65534  # nobody, present wherever Postgres' initdb can look a user up
_PUBLIC_PARENT = Path("/var/tmp")  # noqa: S108 - must outlive reboots and be world-traversable


class HomeError(RuntimeError):
    """The folder for the local stack's binaries and data cannot be trusted."""


def is_root() -> bool:
    """Whether servers have to be started as another user."""
    return os.geteuid() == 0


def home() -> Path:
    """This checkout's folder for binaries and data, created when missing.

    Raises HomeError when, as root, somebody else owns that folder: its name can be guessed and
    its parent is writable by everyone.
    """
    if not is_root():
        place = PROJECT_ROOT / ".dev"
        place.mkdir(exist_ok=True)
        return place
    place = _PUBLIC_PARENT / f"presage-{_digest(str(PROJECT_ROOT))}"
    place.mkdir(mode=0o755, exist_ok=True)
    state = place.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != 0:
        raise HomeError(f"{place} is not a folder owned by root: remove it and try again")
    place.chmod(0o755)  # mkdir's mode passes through the umask
    return place


def server_place(path: Path) -> Path:
    """Where a server's data named `path` really lives: there, or in `home()` if it cannot enter.

    The answer is stable, so a restart finds the same data.
    """
    path = path.absolute()
    if not is_root() or _everyone_may_enter(path.parent):
        return path
    return home() / "data" / f"{path.name}-{_digest(str(path))}"


def server_folder(path: Path) -> Path:
    """Create a private folder for the unprivileged server user (0700), and its parents."""
    public_folder(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    if is_root():
        os.chown(path, SERVER_UID, SERVER_UID)
    return path


def public_folder(path: Path) -> Path:
    """Create a folder; inside `home()` everyone may enter it, whatever our umask."""
    path.mkdir(parents=True, exist_ok=True)
    if is_root() and path.is_relative_to(home()):
        for folder in (path, *path.parents):
            if folder == home():
                break
            folder.chmod(0o755)
    return path


def installed(name: str, build: Callable[[Path], None]) -> Path:
    """The folder `name` under `home()/bin`, built once by `build(folder)`.

    Concurrent callers wait for one another, and a half-built folder is never seen.
    """
    parent = public_folder(home() / "bin")
    target = parent / name
    if target.exists():
        return target
    with lock_file(parent / f"{name}.lock"):
        if not target.exists():
            scratch = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=parent))
            try:
                build(scratch)
                scratch.chmod(0o755)
                scratch.rename(target)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return target


@contextmanager
def lock_file(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold an exclusive lock on `path`; BlockingIOError when taken and `wait` is false."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


def _everyone_may_enter(path: Path) -> bool:
    """Whether every existing folder on the way grants others the right to pass."""
    for folder in (path, *path.parents):
        if folder.exists() and not folder.stat().st_mode & stat.S_IXOTH:
            return False
    return True


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
