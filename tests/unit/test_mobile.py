"""Mobile numbers: every spelling becomes one, what is none is refused, four digits are shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.ledger.mobile import mask_if_mobile, mask_mobile, normalise_mobile

numbers = st.from_regex(r"01[3-9][0-9]{8}", fullmatch=True)


@given(numbers)
def test_every_spelling_of_a_number_is_the_same_number(number: str) -> None:
    spelled = f"{number[:5]}-{number[5:]}"
    for text in (
        number,
        f"+88{number}",
        f"88{number}",
        spelled,
        f"+880 {number[1:5]} {number[5:]}",
    ):
        assert normalise_mobile(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0171234567",
        "017123456789",
        "01212345678",
        "11712345678",
        "+8801212345678",
        "+88017123456789",
        "8801712345678" * 2,
        "0171234567x",
        "০১৭১২৩৪৫৬৭৮",
        "+1 555 0100 200",
        "01712345678\n",
    ],
)
def test_what_is_no_number_of_bangladesh_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a mobile number of Bangladesh"):
        normalise_mobile(text)


@given(numbers)
def test_a_masked_number_shows_its_operator_and_its_last_four(number: str) -> None:
    masked = mask_mobile(number)
    assert masked == f"{number[:3]}****{number[7:]}"
    assert len(masked) == 11


def test_a_mask_hides_everything_of_what_is_short() -> None:
    assert mask_mobile("01712345678") == "017****5678"
    assert mask_mobile("1234567") == "*******"


def test_a_number_given_as_a_reference_is_masked() -> None:
    assert mask_if_mobile("+8801712345678") == "017****5678"
    assert mask_if_mobile("9HG4K2L7QX") == "9HG4K2L7QX"
