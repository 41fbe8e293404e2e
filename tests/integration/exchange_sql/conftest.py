"""One exchange a module: tests make their own users and markets, so they do not meet."""

from collections.abc import Iterator

import pytest

from tests.conftest import Database
from tests.integration.exchange_sql.exchange import Exchange


@pytest.fixture(scope="module")
def exchange(module_database: Database) -> Iterator[Exchange]:
    """An exchange shared by a module's tests; its books must end sound."""
    exchange = Exchange.at(module_database)
    yield exchange
    assert exchange.audit() == []
    exchange.close()


@pytest.fixture
def own_exchange(database: Database) -> Iterator[Exchange]:
    """An exchange for one test, to be broken at will."""
    exchange = Exchange.at(database)
    yield exchange
    exchange.close()
