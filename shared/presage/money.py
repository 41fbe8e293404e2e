"""Prices, sizes and money: integers in named units inside, exact decimals at the edge.

    price   1/10,000 of a payout, 1..9,999     price_bps
    size    1/100 share                        size_lots
    money   1/1,000,000 of the currency        amount_micros

`price_bps * size_lots` is exactly `amount_micros`. The `*In` types parse a JSON number or decimal
string and refuse what is off the grid; the `*Out` types show an integer as a JSON number. Neither
passes through a binary float.
"""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import orjson
from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

BPS = 10_000
LOTS_PER_SHARE = 100
MICROS = 1_000_000
MAX_LOTS = 10**11  # a thousand million shares: lots x p x (1 - p) stays inside a bigint
MAX_MICROS = 10**15  # a billion in currency
_MAX_TEXT = 40


def parse_grid(value: object, scale: int, low: int, high: int) -> int:
    """A decimal as a whole number of `1/scale`, within `low..high` (both in those units).

    Raises:
        ValueError: not a number, off the grid, or out of range.
    """
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise ValueError("must be a number")  # noqa: TRY004 - pydantic reports ValueErrors
    if isinstance(value, str) and len(value) > _MAX_TEXT:
        raise ValueError("has too many digits")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError("must be a number") from None
    if not number.is_finite():
        raise ValueError("must be a finite number")
    if abs(number.adjusted()) > _MAX_TEXT or len(number.as_tuple().digits) > _MAX_TEXT:
        raise ValueError("has too many digits")
    # By ratio and not by Decimal's arithmetic, which rounds to 28 digits.
    numerator, denominator = number.as_integer_ratio()
    units, rest = divmod(numerator * scale, denominator)
    if not low <= units <= high:
        raise ValueError(f"must lie between {show(low, scale)} and {show(high, scale)}")
    if rest:
        raise ValueError(f"must be a multiple of {show(1, scale)}")
    return units


def show(units: int, scale: int) -> str:
    """The shortest exact decimal text of `units` of `1/scale`: 6500 of 1/10,000 is '0.65'."""
    sign = "-" if units < 0 else ""
    whole, part = divmod(abs(units), scale)
    digits = str(part).rjust(len(str(scale)) - 1, "0").rstrip("0")
    return f"{sign}{whole}.{digits or '0'}"


def _grid_in(scale: int, low: int, high: int) -> tuple[BeforeValidator, WithJsonSchema]:
    return (
        BeforeValidator(lambda value: parse_grid(value, scale, low, high)),
        WithJsonSchema(
            {
                "anyOf": [{"type": "number"}, {"type": "string", "maxLength": _MAX_TEXT}],
                "description": f"a multiple of {show(1, scale)}, "
                f"from {show(low, scale)} to {show(high, scale)}",
            }
        ),
    )


def _number(scale: int) -> tuple[PlainSerializer, WithJsonSchema]:
    def serialize(units: int) -> Any:  # noqa: ANN401 - a Fragment is opaque to pydantic
        return orjson.Fragment(show(units, scale))

    return PlainSerializer(serialize, return_type=Any), WithJsonSchema({"type": "number"})


_price_in, _price_in_schema = _grid_in(BPS, 1, BPS - 1)
_size_in, _size_in_schema = _grid_in(LOTS_PER_SHARE, 1, MAX_LOTS)
_amount_in, _amount_in_schema = _grid_in(MICROS, 1, MAX_MICROS)
_tenths, _tenths_schema = _number(BPS)
_shares, _shares_schema = _number(LOTS_PER_SHARE)
_money, _money_schema = _number(MICROS)

PriceIn = Annotated[int, _price_in, _price_in_schema]
SizeIn = Annotated[int, _size_in, _size_in_schema]
AmountIn = Annotated[int, _amount_in, _amount_in_schema]
PriceOut = Annotated[int, _tenths, _tenths_schema]
SizeOut = Annotated[int, _shares, _shares_schema]
MoneyOut = Annotated[int, _money, _money_schema]
