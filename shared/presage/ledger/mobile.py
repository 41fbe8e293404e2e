"""Mobile numbers of Bangladesh: one spelling to store, and one that may be shown.

Source: the numbering plan of the BTRC, 01 followed by an operator's digit 3-9 and eight more.
"""

import re

_MOBILE = re.compile(r"(?:\+?880|0)(1[3-9][0-9]{8})")
_SHOWN_HEAD = 3
_SHOWN_TAIL = 4


def normalise_mobile(text: str) -> str:
    """A number in its national spelling of 11 digits; +880, 880, spaces and hyphens are taken.

    Raises:
        ValueError: it is not a mobile number of Bangladesh.
    """
    found = _MOBILE.fullmatch(re.sub(r"[ -]", "", text))
    if found is None:
        raise ValueError("must be a mobile number of Bangladesh, 11 digits from 013 to 019")
    return f"0{found[1]}"


def mask_mobile(number: str) -> str:
    """A number as it may be shown or logged: 017****5678 of 01712345678."""
    hidden = "*" * (len(number) - _SHOWN_HEAD - _SHOWN_TAIL)
    return number[:_SHOWN_HEAD] + hidden + number[-_SHOWN_TAIL:] if hidden else "*" * len(number)


def mask_if_mobile(text: str) -> str:
    """Free text as it may be shown: a mobile number in it stands masked, anything else as it is."""
    try:
        return mask_mobile(normalise_mobile(text))
    except ValueError:
        return text
