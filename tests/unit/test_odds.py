"""Probabilities: they sum to exactly one and stay within a millionth of the price's share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.markets.odds import MICROS, normalise


@given(st.lists(st.integers(1, 9_999), min_size=1, max_size=50))
def test_they_sum_to_one_and_stay_close(prices_bps: list[int]) -> None:
    shares = normalise(prices_bps)
    total = sum(prices_bps)
    assert sum(shares) == MICROS
    assert all(
        0 <= share * total - price * MICROS + total <= 2 * total
        for share, price in zip(shares, prices_bps, strict=True)
    )


def test_equals_share_the_dust_in_order() -> None:
    assert normalise([5, 5, 5]) == [333_334, 333_333, 333_333]


def test_nothing_has_no_share() -> None:
    with pytest.raises(ValueError, match="no price"):
        normalise([0, 0])
