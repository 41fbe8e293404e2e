"""The whole platform on one machine: Postgres, Valkey, the emulators and the HTTP gateway.

    with Stack(Path(".dev/state")) as stack:
        httpx.get(f"{stack.base_url}/health")

Used by `make dev`, the end-to-end tests, the replay and the demo.
"""

import base64
import contextlib
import http.client
import importlib
import os
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self

import orjson
import psycopg
from psycopg import sql

from infra.local import homes
from infra.local.asgi import PARENT_VARIABLE, listening_line
from infra.local.clock import CLOCK_VARIABLE, set_clock
from infra.local.ports import LOOPBACK, choose_port
from infra.local.postgres import Postgres
from infra.local.process import ChildProcess, StartError
from infra.local.supervisor import Progress, Supervisor, ignoring_signals
from infra.local.valkey import Valkey

DATABASE = "presage"
API_PREFIX = "/api/v1"
READY_TIMEOUT_S = 30.0
DELIVERY_TIMEOUT_S = 600.0

type Migrate = Callable[[str], Any]
type Dispatch = Literal["inprocess", "runtime"]


@dataclass(frozen=True)
class Ports:
    """Preferred loopback ports; a taken one, or None, means any free one."""

    gateway: int | None = 8000
    qstash: int | None = 8080
    redis_rest: int | None = 8079
    postgres: int | None = 54320
    valkey: int | None = 63790
    ses: int | None = 8025
    solana: int | None = 8899
    ipfs: int | None = 5001


ANY_PORTS = Ports(None, None, None, None, None, None, None, None)
MAIL_SENDER = "presage@example.com"
# Where the local programme is: any address would do, this one is devnet's.
PROGRAM_ID = "7h3gXfBfYFueFVLYyfL5Qo1QGsf4GQUfW96FKVgnUsJS"
WEBHOOK_PATH = "/webhooks/helius"


class Stack:
    """Starts and stops everything. Data lives in `state_dir`; without `keep` it is removed."""

    def __init__(
        self,
        state_dir: Path,
        *,
        ports: Ports | None = None,
        dispatch: Dispatch = "inprocess",
        clock_file: Path | None = None,
        durable: bool = True,
        env: Mapping[str, str] | None = None,
        stage: str = "dev",
        template: Path = homes.PROJECT_ROOT / "template.yaml",
        migrate: Migrate | None = None,
        access_log: bool = True,
        keep: bool = True,
        mail: bool = False,
        chain: bool = False,
        ipfs: bool = False,
        progress: Progress = lambda _: None,
    ) -> None:
        """Prepare a stack; nothing starts before `start` or `with`.

        `clock_file` switches to simulated time, shared by all parts through that file (made with
        the real time when missing). `env` adds to, and overrides, what handlers get.
        `migrate` takes the owner's URL; by default the project's own migrations run. `mail` adds a
        mail service, which prints what it is given to its log, `chain` a Solana cluster, `ipfs` a
        node with its gateway.
        """
        self.state_dir = state_dir.absolute()
        self.clock_file = clock_file
        self.stage = stage
        self._preferred = ports or Ports()
        self._dispatch = dispatch
        self._durable = durable
        self._extra = dict(env or {})
        self._template = template
        self._migrate = migrate or _project_migrations
        self._access_log = access_log
        self._keep = keep
        self._mail = mail
        self._chain = chain
        self._ipfs = ipfs
        self._progress = progress
        self._cleanup = ExitStack()
        self.supervisor = Supervisor(progress)
        self.postgres = Postgres()
        self.valkey = Valkey()
        self.children: dict[str, ChildProcess] = {}  # upstash, qstash, gateway, ...
        self.env: dict[str, str] = {}
        self.base_url = ""
        self.gateway_url = ""
        self.qstash_url = ""
        self.redis_rest_url = ""
        self.ses_url = ""
        self.solana_url = ""
        self.ipfs_url = ""

    @property
    def log_dir(self) -> Path:
        """Where every server's log is."""
        return self.state_dir / "logs"

    @property
    def database_urls(self) -> dict[str, str]:
        """The database's URL by role: api, admin, worker, owner."""
        roles = {"api": "presage_api", "admin": "presage_admin", "worker": "presage_worker"}
        urls = {name: self.postgres.url(DATABASE, role) for name, role in roles.items()}
        return urls | {"owner": self.postgres.url(DATABASE)}

    def start(self) -> Self:
        """Start everything; on failure what had started is stopped and StartError raised."""
        with ExitStack() as cleanup:
            homes.public_folder(self.state_dir)
            if not self._keep:
                cleanup.callback(remove_state, self.state_dir)
            try:
                cleanup.enter_context(homes.lock_file(self.state_dir / "lock", wait=False))
            except BlockingIOError as error:
                raise StartError(f"another stack runs in {self.state_dir}") from error
            cleanup.enter_context(self.supervisor)
            self._start_databases()
            self.env = self._environment()
            made = [self._bridge(), self._qstash(), self._gateway()]
            if self._mail:
                made.append(self._ses())
            if self._chain:
                made.append(self._solana())
            if self._ipfs:
                made.append(self._module("ipfs", self.ipfs_url.rpartition(":")[2]))
            self.children = {child.name: child for child in made}
            # These take a second to import their libraries: time enough for the migrations.
            for child in made:
                child.start()
                self.supervisor.adopt(child.name, child)
            self._prepare_database()
            for child in made:
                self.supervisor.start(child.name, partial(_wait_listening, child))
            self._cleanup = cleanup.pop_all()
        return self

    def stop(self) -> None:
        """Stop everything in reverse order. A second stop is fine."""
        with ignoring_signals():
            self._cleanup.close()

    def restart(self, name: str, *, kill: bool = False) -> None:
        """Restart `upstash`, `qstash` or `gateway` on its port; `kill` gives it no warning."""
        child = self.children[name]
        child.stop(signal.SIGKILL if kill else signal.SIGTERM)
        child.start()
        _wait_listening(child)

    def advance(self, unix_ms: int) -> dict[str, int]:
        """Move the simulated clock and deliver all that is due by then; what was delivered.

        Raises StartError when the stack runs on real time.
        """
        if self.clock_file is None:
            raise StartError("this stack runs on real time")
        set_clock(self.clock_file, unix_ms)
        return self.deliver_due()

    def deliver_due(self) -> dict[str, int]:
        """Have QStash deliver what is due now, and what that publishes; the counts.

        They are `delivered`, `failed` (attempts), `retried`, `deadLettered` and `pending`.
        """
        return self._post(self.qstash_url, "/_local/advance")

    def _post(self, url: str, path: str) -> dict[str, int]:
        connection = http.client.HTTPConnection(
            url.removeprefix("http://"), timeout=DELIVERY_TIMEOUT_S
        )
        with contextlib.closing(connection):
            headers = {"Authorization": f"Bearer {self.env['QSTASH_TOKEN']}"}
            connection.request("POST", path, headers=headers)
            counts: dict[str, int] = orjson.loads(connection.getresponse().read())
        return counts

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _port(self, name: str) -> int:
        preferred: int | None = getattr(self._preferred, name)
        port = choose_port(preferred)
        if preferred not in {None, port}:
            self._progress(f"{name:<10} port {preferred} is taken, using {port} instead")
        return port

    def _start_databases(self) -> None:
        self.supervisor.start(
            "postgres",
            lambda: self.postgres.start(
                self.state_dir / "postgres",
                self._port("postgres"),
                durable=self._durable,
                log_file=self.log_dir / "postgres.log",
            ),
        )
        self.supervisor.start(
            "valkey",
            lambda: self.valkey.start(
                self.state_dir / "valkey",
                self._port("valkey"),
                log_file=self.log_dir / "valkey.log",
            ),
        )

    def _prepare_database(self) -> None:
        started = time.monotonic()
        with psycopg.connect(self.postgres.url(), autocommit=True) as connection:
            found = connection.execute(
                "select 1 from pg_database where datname = %s", (DATABASE,)
            ).fetchone()
            name = sql.Identifier(DATABASE)
            if found is None:
                connection.execute(sql.SQL("create database {}").format(name))
            # In simulated time the database must not mix its own clock into what it is told.
            clock = "replay" if self.clock_file else "real"
            connection.execute(
                sql.SQL("alter database {} set presage.clock = {}").format(name, clock)
            )
        self._migrate(self.postgres.url(DATABASE))
        self._progress(f"{'migrations':<10} done in {time.monotonic() - started:.2f} s")

    def _environment(self) -> dict[str, str]:
        """Every variable handlers read; tokens and keys stay the same for a state folder."""
        gateway = self._port("gateway")
        self.gateway_url = f"http://{LOOPBACK}:{gateway}"
        self.base_url = f"{self.gateway_url}{API_PREFIX}"
        self.qstash_url = f"http://{LOOPBACK}:{self._port('qstash')}"
        self.redis_rest_url = f"http://{LOOPBACK}:{self._port('redis_rest')}"
        urls = self.database_urls
        env = {
            "STAGE": self.stage,
            "DATABASE_URL_API": urls["api"],
            "DATABASE_URL_ADMIN": urls["admin"],
            "DATABASE_URL_WORKER": urls["worker"],
            "DATABASE_URL_OWNER": urls["owner"],
            "UPSTASH_REDIS_REST_URL": self.redis_rest_url,
            "QSTASH_URL": self.qstash_url,
            "PUBLIC_BASE_URL": self.base_url,
            "ALLOWED_ORIGINS": "http://localhost:3000,http://127.0.0.1:3000",
            "COLLATERAL_CURRENCY": "BDT",
            "SIWE_DOMAIN": f"{LOOPBACK}:{gateway}",
            "PRESAGE_DISPATCH": self._dispatch,
            **_secrets(self.state_dir / "secrets.json", chain=self._chain),
        }
        if self._mail:
            self.ses_url = f"http://{LOOPBACK}:{self._port('ses')}"
            env |= {
                "EMAIL_SENDER": MAIL_SENDER,
                "AWS_ENDPOINT_URL_SESV2": self.ses_url,
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_ACCESS_KEY_ID": "local",
                "AWS_SECRET_ACCESS_KEY": "local",
            }
        if self._chain:
            env |= self._chain_environment()
        if self._ipfs:
            self.ipfs_url = f"http://{LOOPBACK}:{self._port('ipfs')}"
            env |= {"IPFS_API_URL": self.ipfs_url, "IPFS_GATEWAYS": self.ipfs_url}
        if self.clock_file is not None:
            if not self.clock_file.exists():
                set_clock(self.clock_file, time.time_ns() // 1_000_000)
            env[CLOCK_VARIABLE] = str(self.clock_file.absolute())
        return env | self._extra

    def _chain_environment(self) -> dict[str, str]:
        self.solana_url = f"http://{LOOPBACK}:{self._port('solana')}"
        return {
            "SOLANA_RPC_URL": self.solana_url,
            "SOLANA_CLUSTER": "localnet",
            "ZMART_PROGRAM_ID": PROGRAM_ID,
            "HELIUS_API_URL": self.solana_url,
        }

    def _bridge(self) -> ChildProcess:
        port = self.redis_rest_url.rpartition(":")[2]
        token = self.env["UPSTASH_REDIS_REST_TOKEN"]
        redis = str(self.valkey.port)
        return self._module("upstash", port, "--redis-port", redis, "--token", token)

    def _qstash(self) -> ChildProcess:
        state = ["--state", str(self.state_dir / "qstash.json")] if self._keep else []
        return self._module(
            "qstash",
            self.qstash_url.rpartition(":")[2],
            *("--token", self.env["QSTASH_TOKEN"]),
            *("--current-key", self.env["QSTASH_CURRENT_SIGNING_KEY"]),
            *("--next-key", self.env["QSTASH_NEXT_SIGNING_KEY"]),
            *state,
        )

    def _gateway(self) -> ChildProcess:
        return self._module(
            "gateway",
            self.gateway_url.rpartition(":")[2],
            *("--template", str(self._template)),
            *("--dispatch", self._dispatch),
            *("--log-dir", str(self.log_dir / "functions")),
            *([] if self._access_log else ["--quiet"]),
        )

    def _ses(self) -> ChildProcess:
        port = self.ses_url.rpartition(":")[2]
        return self._module("ses", port, "--sender", self.env["EMAIL_SENDER"])

    def _solana(self) -> ChildProcess:
        state = ["--state", str(self.state_dir / "solana.json")] if self._keep else []
        port = self.solana_url.rpartition(":")[2]
        return self._module("solana", port, "--webhook", f"{self.base_url}{WEBHOOK_PATH}", *state)

    def deliver_webhooks(self) -> dict[str, int]:
        """Have the chain deliver every webhook that it has, due or not; the counts."""
        return self._post(self.solana_url, "/_local/flush")

    def _module(self, name: str, port: str, *arguments: str) -> ChildProcess:
        root = homes.PROJECT_ROOT
        environment = os.environ | self.env
        environment["PYTHONPATH"] = f"{root / 'shared'}{os.pathsep}{root}"
        environment[PARENT_VARIABLE] = str(os.getpid())
        return ChildProcess(
            name=name,
            argv=[sys.executable, "-m", f"infra.local.{name}", "--port", port, *arguments],
            log_file=self.log_dir / f"{name}.log",
            env=environment,
            cwd=root,
        )


def remove_state(state_dir: Path) -> None:
    """Delete a stack's data; StartError while a stack runs on it."""
    if not state_dir.exists():
        return
    try:
        with homes.lock_file(state_dir / "lock", wait=False):
            for name in ("postgres", "valkey"):
                place = homes.server_place(state_dir / name)
                shutil.rmtree(place, ignore_errors=True)
                place.with_name(f"{place.name}.lock").unlink(missing_ok=True)
            shutil.rmtree(state_dir)
    except BlockingIOError as error:
        raise StartError(f"a stack still runs in {state_dir}: stop it first") from error


def _wait_listening(child: ChildProcess) -> ChildProcess:
    wanted = listening_line(child.pid)
    child.wait_ready(lambda: wanted in child.tail(), READY_TIMEOUT_S)
    return child


def _secrets(path: Path, *, chain: bool) -> dict[str, str]:
    """Tokens and keys of this state folder, each made at the first start that knows it."""
    made = {
        "UPSTASH_REDIS_REST_TOKEN": secrets.token_hex(20),
        "QSTASH_TOKEN": secrets.token_hex(20),
        "QSTASH_CURRENT_SIGNING_KEY": f"sig_{secrets.token_hex(20)}",
        "QSTASH_NEXT_SIGNING_KEY": f"sig_{secrets.token_hex(20)}",
        "CRON_SECRET": secrets.token_hex(20),
        "EMAIL_LINK_KEY": secrets.token_hex(20),
        "CREDENTIAL_KEYS": f"local:{base64.b64encode(secrets.token_bytes(32)).decode()}",
    }
    if chain:
        made |= {
            "SOLANA_AUTHORITY_KEY": _solana_key(),
            "HELIUS_WEBHOOK_SECRET": secrets.token_hex(20),
            "HELIUS_API_KEY": secrets.token_hex(20),
        }
    kept: dict[str, str] = orjson.loads(path.read_bytes()) if path.exists() else {}
    if made.keys() - kept.keys():
        kept = made | kept
        path.touch(mode=0o600)
        path.write_bytes(orjson.dumps(kept))
    return {name: kept[name] for name in made}


def _solana_key() -> str:
    # By name: only a stack with a chain needs solders.
    key: str = str(importlib.import_module("solders.keypair").Keypair())
    return key


def _project_migrations(owner_url: str) -> None:
    # By name: the migration runner is only needed here, and tests bring their own.
    importlib.import_module("infra.db.migrate").migrate(owner_url)
