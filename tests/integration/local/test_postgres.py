"""The embedded Postgres: start, stop, clones, a crash and what it leaves behind."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from infra.local.homes import is_root, server_place
from infra.local.ports import accepts, choose_port, is_free
from infra.local.postgres import MAX_CONNECTIONS, Postgres
from infra.local.process import StartError


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder Postgres keeps from test to test; as root its real place is elsewhere."""
    folder = tmp_path_factory.mktemp("kept") / "cluster"
    yield folder
    place = server_place(folder)
    shutil.rmtree(place, ignore_errors=True)
    for suffix in ("lock", "log"):
        place.with_name(f"{place.name}.{suffix}").unlink(missing_ok=True)


def ask(url: str, question: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return row[0]


def run(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def test_a_throw_away_cluster() -> None:
    with Postgres().start(durable=False) as server:
        url = server.url()
        assert int(str(ask(url, "show server_version_num"))) >= 150_000
        assert ask(url, "show timezone") == "UTC"
        assert ask(url, "show max_connections") == str(MAX_CONNECTIONS)
        assert ask(url, "show listen_addresses") == "127.0.0.1"
        assert ask(url, "show fsync") == "off"
        assert ask(url, "select to_tsvector('simple', 'নির্বাচন ২০২৬')::text") is not None
        template = server.create_database("origin")
        run(template, "create table t as select 7 as n")
        clone = server.create_database("clone", template="origin")
        assert ask(clone, "select n from t") == 7
        server.drop_database("clone")
        data, port = server.data_dir, server.port
        if is_root():
            owner = (data / "PG_VERSION").stat().st_uid
            assert owner != 0
    assert not data.exists()
    assert not accepts(port)
    server.stop()


def test_an_abandoned_throw_away_cluster_is_swept() -> None:
    code = (
        "import os; from infra.local.postgres import Postgres;"
        "s = Postgres().start(durable=False); print(s.data_dir, s.port, flush=True); os._exit(9)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, text=True
    )
    folder, port = found.stdout.split()
    assert accepts(int(port))
    with Postgres().start(durable=False):
        assert not Path(folder).exists()
        assert not Path(f"{folder}.log").exists()
        assert not accepts(int(port))


def test_a_kept_cluster_survives_kill_9_with_a_busy_backend(data_dir: Path) -> None:
    server = Postgres().start(data_dir)
    url = server.url()
    assert ask(url, "show fsync") == "on"
    run(url, "create table if not exists t as select 1 as n")
    with psycopg.connect(url, autocommit=True) as busy:

        def keep_busy() -> None:
            with pytest.raises(psycopg.OperationalError):
                busy.execute("select count(*) from generate_series(1, 1000000000)")

        thread = threading.Thread(target=keep_busy)
        thread.start()
        time.sleep(0.1)
        os.kill(server.pid, signal.SIGKILL)
        while server.exit_code() is None:
            time.sleep(0.01)
        assert server.exit_code() == -signal.SIGKILL
        server.stop()
        with Postgres().start(data_dir) as again:
            assert ask(again.url(), "select n from t") == 1
        thread.join()


def test_a_server_left_by_a_killed_owner_is_replaced(data_dir: Path) -> None:
    code = (
        "import os, pathlib, sys; from infra.local.postgres import Postgres;"
        "s = Postgres().start(pathlib.Path(sys.argv[1]), durable=False); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, data_dir], check=False).returncode == 9
    with Postgres().start(data_dir, durable=False) as server:
        assert ask(server.url(), "select 1") == 1


def test_one_folder_one_server_one_port(data_dir: Path) -> None:
    with Postgres().start(data_dir, durable=False) as first:
        port = first.port
        assert not is_free(port)
        assert choose_port(port) != port
        with pytest.raises(StartError, match="in use"):
            Postgres().start(data_dir)
        with pytest.raises(StartError, match="already running"):
            first.start(data_dir)
    with socket.create_server(("127.0.0.1", port)):
        refused = Postgres()
        with pytest.raises(StartError, match="Address already in use"):
            refused.start(data_dir, port, durable=False)
        assert refused.pid == 0


def test_an_unusable_binary_folder_is_passed_over(tmp_path: Path) -> None:
    code = "from infra.local.postgres import find_binaries; print(find_binaries())"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PG_BIN": str(tmp_path)},
        capture_output=True,
        check=True,
        text=True,
    )
    assert Path(found.stdout.strip()) != tmp_path
