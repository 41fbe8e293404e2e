"""The supervisor and the whole stack, with a small application behind the gateway."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from qstash import QStash
from upstash_redis import Redis

from infra.local.clock import set_clock
from infra.local.homes import PROJECT_ROOT
from infra.local.ports import accepts, free_port, wait_accepting
from infra.local.process import ChildProcess, StartError
from infra.local.stack import ANY_PORTS, Ports, Stack, remove_state
from infra.local.supervisor import ChildDiedError, Supervisor

from . import sample_app

ROLES = ("presage_api", "presage_admin", "presage_worker")


def make_roles(url: str) -> None:
    """Stands in for the project's migrations."""
    with psycopg.connect(url, autocommit=True) as connection:
        for role in ROLES:
            exists = connection.execute("select 1 from pg_roles where rolname = %s", (role,))
            if exists.fetchone() is None:
                connection.execute(f"create role {role} login".encode())
        connection.execute("create table if not exists started (n int)")
        connection.execute("insert into started values (1)")


def stack_of(folder: Path, **settings: object) -> Stack:
    application = folder / "application"
    if not application.exists():
        application.mkdir()
        sample_app.write(application)
    arguments: dict[str, object] = {
        "ports": ANY_PORTS,
        "durable": False,
        "stage": "test",
        "template": application / "template.yaml",
        "migrate": make_roles,
    }
    return Stack(folder / "state", **arguments | settings)  # type: ignore[arg-type]


def sleeper(name: str, folder: Path, code: str = "import time; time.sleep(60)") -> ChildProcess:
    log_file = folder / f"{name}.log"
    child = ChildProcess(name, [sys.executable, "-c", code], log_file, env=os.environ)
    child.start()
    return child


def test_the_supervisor_stops_in_reverse_order(tmp_path: Path) -> None:
    stopped: list[str] = []

    class Recorded(ChildProcess):
        def stop(self, *_: object) -> None:
            stopped.append(self.name)
            super().stop()

    lines: list[str] = []
    with Supervisor(lines.append) as supervisor:
        for name in ("one", "two", "three"):
            child = Recorded(name, [sys.executable, "-c", "input()"], tmp_path / f"{name}.log")
            supervisor.adopt(name, child)
    assert stopped == ["three", "two", "one"]


def test_the_supervisor_names_the_dead(tmp_path: Path) -> None:
    with Supervisor(lambda _: None) as supervisor:
        supervisor.adopt("steady", sleeper("steady", tmp_path))
        supervisor.check()
        doomed = sleeper("doomed", tmp_path, "raise SystemExit('out of luck')")
        supervisor.adopt("doomed", doomed)
        with pytest.raises(ChildDiedError, match=r"doomed ended with code 1\nout of luck"):
            supervisor.watch()


def test_a_stubborn_child_is_killed(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True)"
    child = sleeper("stubborn", tmp_path, f"{code}; time.sleep(60)")
    child.wait_ready(lambda: child.tail() != "", 5)
    started = time.monotonic()
    child.stop(grace_s=0.1)
    assert time.monotonic() - started < 2


def test_a_child_that_is_never_ready_shows_its_log(tmp_path: Path) -> None:
    child = sleeper("late", tmp_path, "import time; print('still busy', flush=True); time.sleep(9)")
    with pytest.raises(StartError, match="still busy"):
        child.wait_ready(lambda: False, 0.3)
    child.stop()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    set_clock(folder / "clock", 1_784_880_000_000)
    with stack_of(
        folder,
        clock_file=folder / "clock",
        env={"BOOTSTRAP_ADMIN": "0xabc"},
        keep=False,
        chain=True,
    ) as running:
        yield running
    assert not running.state_dir.exists()


def test_the_contract_of_variables(stack: Stack) -> None:
    assert sorted(stack.env) == [
        "ALLOWED_ORIGINS",
        "BOOTSTRAP_ADMIN",
        "COLLATERAL_CURRENCY",
        "CREDENTIAL_KEYS",
        "CRON_SECRET",
        "DATABASE_URL_ADMIN",
        "DATABASE_URL_API",
        "DATABASE_URL_OWNER",
        "DATABASE_URL_WORKER",
        "EMAIL_LINK_KEY",
        "HELIUS_API_KEY",
        "HELIUS_API_URL",
        "HELIUS_WEBHOOK_SECRET",
        "PRESAGE_CLOCK_FILE",
        "PRESAGE_DISPATCH",
        "PUBLIC_BASE_URL",
        "QSTASH_CURRENT_SIGNING_KEY",
        "QSTASH_NEXT_SIGNING_KEY",
        "QSTASH_TOKEN",
        "QSTASH_URL",
        "SIWE_DOMAIN",
        "SOLANA_AUTHORITY_KEY",
        "SOLANA_CLUSTER",
        "SOLANA_RPC_URL",
        "STAGE",
        "UPSTASH_REDIS_REST_TOKEN",
        "UPSTASH_REDIS_REST_URL",
        "ZMART_PROGRAM_ID",
    ]
    assert stack.env["PUBLIC_BASE_URL"] == stack.base_url


def test_every_role_can_log_in(stack: Stack) -> None:
    for name, url in stack.database_urls.items():
        with psycopg.connect(url) as connection:
            row = connection.execute(
                "select current_user, current_setting('presage.clock')"
            ).fetchone()
        expected = "postgres" if name == "owner" else f"presage_{name}"
        assert row == (expected, "replay")


def test_the_parts_work_together(stack: Stack) -> None:
    env = stack.env
    with Redis(env["UPSTASH_REDIS_REST_URL"], env["UPSTASH_REDIS_REST_TOKEN"]) as redis:
        assert redis.set("a", "b")
    answer = httpx.get(f"{stack.base_url}/items", timeout=5).json()
    assert answer["stage"] == "test"
    assert answer["event"]["requestContext"]["timeEpoch"] == 1_784_880_000_000
    qstash = QStash(env["QSTASH_TOKEN"], base_url=stack.qstash_url, retry=False)
    try:
        qstash.message.publish_json(url=f"{stack.base_url}/items/1", body={"n": 1})
    finally:
        qstash.http._client.close()  # noqa: SLF001 - it has no close of its own
    delivered = {"delivered": 1, "failed": 0, "retried": 0, "deadLettered": 0, "pending": 0}
    assert stack.advance(1_784_880_060_000) == delivered
    log = (stack.log_dir / "gateway.log").read_text()
    assert "POST /api/v1/items/1 200 " in log


def test_the_chain_calls_back(stack: Stack) -> None:
    program = stack.env["ZMART_PROGRAM_ID"]
    body = {"jsonrpc": "2.0", "id": 1, "method": "requestAirdrop", "params": [program, 1_000]}
    assert "result" in httpx.post(stack.env["SOLANA_RPC_URL"], json=body).json()
    # The genesis and the airdrop; the sample application has no such route.
    assert stack.deliver_webhooks()["failed"] == 2
    log = (stack.log_dir / "gateway.log").read_text()
    assert "POST /api/v1/webhooks/helius 404 " in log


def test_a_killed_gateway_comes_back(stack: Stack) -> None:
    stack.restart("gateway", kill=True)
    answer = httpx.get(f"{stack.base_url}/items", timeout=5).json()
    assert answer["event"]["requestContext"]["timeEpoch"] == 1_784_880_060_000
    stack.supervisor.check()


def test_one_state_folder_one_stack(stack: Stack) -> None:
    with pytest.raises(StartError, match="another stack"):
        Stack(stack.state_dir, ports=ANY_PORTS).start()
    with pytest.raises(StartError, match="still runs"):
        remove_state(stack.state_dir)


def refuse(_: str) -> None:
    """Stands in for migrations that fail."""
    raise StartError("migration 7 failed")


def test_taken_ports_state_and_a_killed_postgres(tmp_path: Path) -> None:
    failing = stack_of(tmp_path, migrate=refuse)
    with pytest.raises(StartError, match="migration 7"):
        failing.start()
    for port in (failing.postgres.port, failing.valkey.port):
        assert not accepts(port)
    lines: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        wanted = Ports(port, None, None, None, None, None)
        with stack_of(tmp_path, ports=wanted, progress=lines.append) as first:
            assert f"gateway    port {port} is taken" in "\n".join(lines)
            token = first.env["QSTASH_TOKEN"]
            os.kill(first.postgres.pid, signal.SIGKILL)
            with pytest.raises(ChildDiedError, match="postgres ended with code -9"):
                first.supervisor.watch()
    with stack_of(tmp_path) as second:
        assert second.env["QSTASH_TOKEN"] == token
        with psycopg.connect(second.database_urls["owner"]) as connection:
            assert connection.execute("select count(*) from started").fetchone() == (2,)
    remove_state(second.state_dir)
    assert not second.state_dir.exists()


def test_the_dev_command_stops_on_a_signal(tmp_path: Path) -> None:
    """Its own process, with the template of the tests and a stand-in for the migrations."""
    sample_app.write(tmp_path)
    code = (
        "import sys, types; from infra.local import stack, dev;"
        "stack._project_migrations = lambda url: None;"
        "sys.exit(dev.main(['--no-seed', '--state-dir', sys.argv[1], '--template', sys.argv[2]]))"
    )
    out = (tmp_path / "out").open("w+")
    with (
        out,
        subprocess.Popen(
            [sys.executable, "-c", code, tmp_path / "state", tmp_path / "template.yaml"],
            stdout=out,
            cwd=PROJECT_ROOT,
            env=os.environ | {"PYTHONPATH": f"{PROJECT_ROOT}/shared:{PROJECT_ROOT}"},
        ) as process,
    ):
        deadline = time.monotonic() + 20
        while "Ctrl-C" not in (tmp_path / "out").read_text():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        text = (tmp_path / "out").read_text()
        url = next(line.split()[2] for line in text.splitlines() if "HTTP API" in line)
        assert json.loads(httpx.get(f"{url}/items", timeout=5).text)["stage"] == "dev"
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    assert (tmp_path / "out").read_text().endswith("stopped\n")
    assert not accepts(int(url.split(":")[2].split("/")[0]))
    remove_state(tmp_path / "state")


def test_python_servers_end_with_a_killed_parent() -> None:
    port, redis = free_port(), free_port()
    code = (
        "import os, subprocess, sys;"
        "subprocess.Popen([sys.executable, '-m', 'infra.local.upstash', '--port', sys.argv[1],"
        "'--redis-port', sys.argv[2], '--token', 't'],"
        "env=os.environ | {'PRESAGE_PARENT_PID': str(os.getpid())});"
        "input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(port), str(redis)],
        stdin=subprocess.PIPE,
        cwd=PROJECT_ROOT,
        env=os.environ | {"PYTHONPATH": str(PROJECT_ROOT)},
    ) as parent:
        assert wait_accepting(port, 10)
        parent.kill()
    deadline = time.monotonic() + 5
    while accepts(port):
        assert time.monotonic() < deadline
        time.sleep(0.05)
