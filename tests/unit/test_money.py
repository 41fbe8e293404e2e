"""Grids: what is on one is taken exactly, what is off it is refused, nothing is rounded."""

from decimal import Decimal
from fractions import Fraction

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from presage.money import (
    BPS,
    MAX_LOTS,
    MAX_MICROS,
    MICROS,
    AmountIn,
    MoneyOut,
    PriceIn,
    PriceOut,
    SizeIn,
    parse_grid,
    show,
)

prices = TypeAdapter(PriceIn)
sizes = TypeAdapter(SizeIn)
amounts = TypeAdapter(AmountIn)


@given(st.integers(1, BPS - 1))
def test_every_price_on_the_grid_survives_the_wire(price_bps: int) -> None:
    shown = orjson.dumps(TypeAdapter(PriceOut).dump_python(price_bps)).decode()
    assert prices.validate_python(Decimal(shown)) == price_bps
    assert prices.validate_python(shown) == price_bps


@given(st.integers(-MAX_MICROS * 1000, MAX_MICROS * 1000))
def test_money_is_shown_exactly(amount_micros: int) -> None:
    shown = orjson.dumps(TypeAdapter(MoneyOut).dump_python(amount_micros)).decode()
    assert Decimal(shown) * MICROS == amount_micros


@given(
    st.decimals(-2, 2, allow_nan=False, places=6)
    | st.decimals(allow_nan=False, allow_infinity=False).filter(
        lambda value: abs(value.adjusted()) < 100
    )
)
def test_nothing_off_the_grid_is_taken(value: Decimal) -> None:
    exact = Fraction(value) * BPS
    try:
        units = parse_grid(value, BPS, 1, BPS - 1)
    except ValueError:
        assert exact.denominator != 1 or not 1 <= exact <= BPS - 1
    else:
        assert exact == units


@pytest.mark.parametrize(
    "value",
    [
        *(0, 1, -0.5, True, None, "", "abc", "NaN", "Infinity", "1e400", "0.00001", [], {}, 0.5),
        "9" * 50,
        Decimal("1E-1000000"),
        Decimal("0.65000000000000000000000000000000001"),
        Decimal("1E+1000000"),
        Decimal("NaN"),
    ],
)
def test_what_is_no_price_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        prices.validate_python(value)


@pytest.mark.parametrize(
    ("text", "units"), [("0.65", 6500), ("6.5e-1", 6500), (" 0.65 ", 6500), ("+0.6500", 6500)]
)
def test_one_price_has_many_spellings(text: str, units: int) -> None:
    assert prices.validate_python(text) == units


@pytest.mark.parametrize(
    ("value", "lots"), [(Decimal("0.01"), 1), (10, 1000), ("1000000000", MAX_LOTS)]
)
def test_sizes(value: object, lots: int) -> None:
    assert sizes.validate_python(value) == lots


def test_the_message_says_what_is_allowed() -> None:
    with pytest.raises(ValidationError) as refused:
        amounts.validate_python(Decimal("1.0000001"))
    assert refused.value.errors()[0]["msg"] == ("Value error, must be a multiple of 0.000001")


@pytest.mark.parametrize(
    ("units", "scale", "text"),
    [(6500, 10_000, "0.65"), (0, 100, "0.0"), (-5, 100, "-0.05"), (10**15, 10**6, "1000000000.0")],
)
def test_show(units: int, scale: int, text: str) -> None:
    assert show(units, scale) == text
