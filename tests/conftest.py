"""Real Postgres for tests: one throw-away cluster a process, one fresh clone a test."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from uuid import uuid4

import psycopg
import pytest
from hypothesis import settings

from infra.db.migrate import migrate
from infra.local.postgres import Postgres
from tests import logwatch

TEMPLATE = "presage_template"

settings.register_profile("suite", derandomize=True, deadline=None, database=None, max_examples=60)
settings.register_profile("soak", deadline=None, database=None, max_examples=3000)
settings.load_profile("suite")


@dataclass(frozen=True)
class Database:
    """A migrated database of its own; the roles log in without passwords on loopback."""

    server: Postgres
    name: str

    def url(self, role: str = "postgres") -> str:
        """The URL for a role: postgres, presage_api, presage_admin or presage_worker."""
        return self.server.url(self.name, role)

    @property
    def urls(self) -> dict[str, str]:
        """The variables that handlers read."""
        return {
            "DATABASE_URL_OWNER": self.url(),
            "DATABASE_URL_API": self.url("presage_api"),
            "DATABASE_URL_ADMIN": self.url("presage_admin"),
            "DATABASE_URL_WORKER": self.url("presage_worker"),
        }

    def connect(self, role: str = "postgres", **settings: str) -> psycopg.Connection:
        """An autocommit connection; keyword arguments become run-time settings (`a__b` is a.b)."""
        options = " ".join(f"-c {key.replace('__', '.')}={text}" for key, text in settings.items())
        return psycopg.connect(self.url(role), autocommit=True, options=options)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test whose output holds a secret it made: none may reach a log."""
    report = yield
    if call.when == "teardown":
        # Not the "log" sections: pytest formats those itself, without our redaction.
        written = [text for name, text in report.sections if "Captured std" in name]
        if leaked := logwatch.leaked("\n".join(written)):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} wrote a secret to a log: {leaked}"
        logwatch.forget()
    return report


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A cluster that survives nothing, and need not."""
    server = Postgres().start(durable=False)
    try:
        migrate(server.create_database(TEMPLATE))
        yield server
    finally:
        server.stop()


def _clone(server: Postgres) -> Iterator[Database]:
    database = Database(server, f"test_{uuid4().hex}")
    server.create_database(database.name, TEMPLATE)
    yield database
    server.drop_database(database.name)


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Database]:
    """A fresh, migrated, empty database for one test."""
    yield from _clone(postgres)


@pytest.fixture(scope="module")
def module_database(postgres: Postgres) -> Iterator[Database]:
    """One database for a module whose tests make users and markets of their own."""
    yield from _clone(postgres)
