"""The parser against deliveries that were made to deceive it."""

import json

import pytest

from infra.local.deliveries import PROGRAMME
from presage.events.indexing import read_delivery
from tests.adversarial import CASES, FORGED


@pytest.fixture(autouse=True)
def _programme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZMART_PROGRAM_ID", PROGRAMME)


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 40


@pytest.mark.parametrize("name", CASES)
def test_a_delivery_holds_what_is_true(name: str) -> None:
    case = CASES[name]
    batch = read_delivery(json.dumps(case.delivery).encode())
    rows = [row for one in batch.transactions for row in one.rows]
    assert [(row.ordinal, row.event_type, row.market) for row in rows] == list(case.events)
    assert batch.seen.events == len(rows)
    assert len(batch.seen.incomplete) == case.incomplete
    assert len(batch.malformed) == case.malformed
    assert batch.seen.failed == case.failed
    assert FORGED.hex() not in "".join(map(str, rows))
