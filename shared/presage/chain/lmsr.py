"""The programme's own market maker (LMSR), bit for bit: 9-decimal unsigned fixed point.

Source: the arithmetic of `zmart_core`. Every division floors; a result over 64 bits is an overflow.
The exponential is a Pade approximant without range reduction, wrong and not monotonic above about
3.5: quotes reproduce it, since the chain charges by it. Shares, costs and `b` are in lamports-like
units of 1/1,000,000,000; prices too (`ONE` is 1.00).
"""

from typing import NamedTuple

ONE = 1_000_000_000
LN_2 = 693_147_180
MAX_EXPONENT = 20 * ONE
MIN_B = 100 * ONE
MAX_U64 = 2**64 - 1
SEARCH_STEPS = 50
SEARCH_TOLERANCE = 1_000_000
SEARCH_WIDTH = 20
MIN_TRADE_LAMPORTS = 10_000
TARGET_NUMERATOR = 10_000
TARGET_DENOMINATOR = 11_000
SANE_IMBALANCE = 3  # of |q_yes - q_no| / b: past it the approximant leaves the exponential


class ArithmeticFailureError(ValueError):
    """The programme would refuse this with the error whose name is the message."""


class Fees(NamedTuple):
    """What of an amount goes where, in lamports; LP keeps the dust of the divisions."""

    protocol: int
    resolver: int
    provider: int

    @property
    def total(self) -> int:
        """All three."""
        return self.protocol + self.resolver + self.provider


def _checked(value: int) -> int:
    if value > MAX_U64:
        raise ArithmeticFailureError("OverflowError")
    if value < 0:
        raise ArithmeticFailureError("UnderflowError")
    return value


def multiply(a: int, b: int) -> int:
    """A * b."""
    return _checked(a * b // ONE)


def divide(a: int, b: int) -> int:
    """A / b."""
    if b == 0:
        raise ArithmeticFailureError("DivisionByZero")
    return _checked(a * ONE // b)


def exp(x: int) -> int:
    """Pade (2, 2) of e^x, x at most 20."""
    if x > MAX_EXPONENT:
        raise ArithmeticFailureError("ExponentTooLarge")
    square = multiply(x, x)
    half, twelfth = x // 2, square // 12
    return divide(ONE + half + twelfth, _checked(ONE + twelfth - half))


def ln(x: int) -> int:
    """Three terms of the area tangent, after halving or doubling x into [0.5, 2).

    In [0.5, 1) the programme takes 1/x and does not turn the sign back, so ln(0.5) is +0.693.
    """
    if x == 0:
        raise ArithmeticFailureError("InvalidLogarithm")
    powers = 0
    while x >= 2 * ONE:
        x //= 2
        powers += 1
    while x < ONE // 2:
        x *= 2
        powers -= 1
    if x < ONE:
        x = divide(ONE, x)
    y = divide(x - ONE, x + ONE)
    square = multiply(y, y)
    cube = multiply(square, y)
    fifth = multiply(cube, square)
    return _checked(2 * (y + cube // 3 + fifth // 5) + powers * LN_2)


def cost(q_yes: int, q_no: int, b: int) -> int:
    """What the market maker has taken in at these share counts."""
    if b < MIN_B:
        raise ArithmeticFailureError("InvalidBParameter")
    x, y = divide(q_yes, b), divide(q_no, b)
    log_sum = max(x, y) + ln(ONE + divide(ONE, exp(abs(x - y))))
    return multiply(b, _checked(log_sum))


def prices(q_yes: int, q_no: int, b: int) -> tuple[int, int]:
    """The marginal prices of YES and NO, which sum to ONE."""
    if b < MIN_B:
        raise ArithmeticFailureError("InvalidBParameter")
    if q_yes >= q_no:
        e = exp(divide(q_yes - q_no, b))
        yes = divide(e, _checked(e + ONE))
    else:
        yes = divide(ONE, _checked(ONE + exp(divide(q_no - q_yes, b))))
    return yes, ONE - yes


def buy_cost(q_yes: int, q_no: int, b: int, shares: int, *, is_yes: bool) -> int:
    """What `shares` more of one side cost, without fees."""
    after = (q_yes + shares, q_no) if is_yes else (q_yes, q_no + shares)
    return _checked(cost(_checked(after[0]), _checked(after[1]), b) - cost(q_yes, q_no, b))


def sell_proceeds(q_yes: int, q_no: int, b: int, shares: int, *, is_yes: bool) -> int:
    """What `shares` of one side bring back, before fees."""
    after = (q_yes - shares, q_no) if is_yes else (q_yes, q_no - shares)
    if min(after) < 0:
        raise ArithmeticFailureError("InsufficientShares")
    return _checked(cost(q_yes, q_no, b) - cost(*after, b))


def shares_for(q_yes: int, q_no: int, b: int, target: int, *, is_yes: bool) -> int:
    """The shares that about `target` buys, by the programme's binary search."""
    low, high = 0, SEARCH_WIDTH * b
    for _ in range(SEARCH_STEPS):
        if high - low <= SEARCH_TOLERANCE:
            break
        middle = low + (high - low) // 2
        price = buy_cost(q_yes, q_no, b, middle, is_yes=is_yes)
        if price == target:
            return middle
        if price < target:
            low = middle + 1
        else:
            high = middle
    return low


def fees(
    amount: int, protocol_bps: int = 300, resolver_bps: int = 200, provider_bps: int = 500
) -> Fees:
    """The fees on an LMSR cost or on proceeds: the whole by its rate, then its parts."""
    rate = protocol_bps + resolver_bps + provider_bps
    total = amount * rate // 10_000
    protocol = total * protocol_bps // rate if rate else 0
    resolver = total * resolver_bps // rate if rate else 0
    return Fees(protocol, resolver, total - protocol - resolver)


def target_of(total_cost: int) -> int:
    """What of a buyer's total goes into the search, the rest being left for fees."""
    return total_cost * TARGET_NUMERATOR // TARGET_DENOMINATOR
