"""The market maker's arithmetic equals the programme's, row by row, errors included."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from presage.chain import lmsr

VECTORS = Path(__file__).with_name("lmsr_vectors.txt")


def _rows() -> list[tuple[str, list[Any]]]:
    section = ""
    rows = []
    for line in VECTORS.read_text().splitlines():
        if line.isalpha():
            section = line
        else:
            rows.append((section, [json.loads(word) for word in line.split()]))
    return rows


def _buy(yes: int, no: int, b: int, is_yes: bool, target: int) -> list[int]:
    shares = lmsr.shares_for(yes, no, b, target, is_yes=is_yes)
    return [lmsr.buy_cost(yes, no, b, shares, is_yes=is_yes), shares]


def _sell(yes: int, no: int, b: int, is_yes: bool, shares: int) -> list[int]:
    return [lmsr.sell_proceeds(yes, no, b, shares, is_yes=is_yes)]


def _cost(yes: int, no: int, b: int) -> list[int]:
    return [lmsr.cost(yes, no, b), *lmsr.prices(yes, no, b)]


FUNCTIONS: dict[str, tuple[int, Callable[..., list[int]]]] = {
    "exp": (1, lambda x: [lmsr.exp(x)]),
    "ln": (1, lambda x: [lmsr.ln(x)]),
    "cost": (3, _cost),
    "buy": (5, _buy),
    "sell": (5, _sell),
    "fees": (1, lambda amount: [*lmsr.fees(amount), lmsr.fees(amount).total]),
}


@pytest.mark.parametrize(("section", "row"), _rows(), ids=str)
def test_vectors(section: str, row: list[Any]) -> None:
    given, function = FUNCTIONS[section]
    expected = row[given:]
    if isinstance(expected[0], str):
        with pytest.raises(lmsr.ArithmeticFailureError, match=f"^{expected[0]}$"):
            function(*row[:given])
    else:
        assert expected == function(*row[:given])


def test_all_vectors_are_there() -> None:
    assert len(_rows()) == 144
