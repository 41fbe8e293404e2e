"""Probabilities from prices. Pure."""

MICROS = 1_000_000


def normalise(prices_bps: list[int]) -> list[int]:
    """Each price's share of their sum, in millionths that sum to exactly one million.

    Shares are rounded down and what is left goes to the largest remainders, the first of equals
    first (Hamilton's method), so that no outcome gains more than a millionth by rounding.
    """
    total = sum(prices_bps)
    if total == 0:
        raise ValueError("there is no price to normalise")
    shares = [price * MICROS // total for price in prices_bps]
    by_remainder = sorted(
        range(len(prices_bps)), key=lambda index: -(prices_bps[index] * MICROS % total)
    )
    for index in by_remainder[: MICROS - sum(shares)]:
        shares[index] += 1
    return shares
