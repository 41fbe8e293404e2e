"""The words of notifications: every type, both languages, no field that nobody fills."""

import string
import typing

from presage.notifications.models import NotificationType
from presage.notifications.templates import TEMPLATES

FIELDS = {"question", "amount", "currency", "price", "size", "position"}


def test_every_type_has_words_in_both_languages() -> None:
    assert set(TEMPLATES) == set(typing.get_args(NotificationType.__value__))
    for english, bengali in TEMPLATES.values():
        assert english.title.isascii()
        assert english.body.isascii()
        # Bengali letters, U+0980 to U+09FF, in each title and body.
        for text in (bengali.title, bengali.body):
            assert any("ঀ" <= char <= "\u09ff" for char in text)


def test_both_languages_say_the_same_facts() -> None:
    for english, bengali in TEMPLATES.values():
        named = [
            {name for _, name, _, _ in string.Formatter().parse(words.body) if name}
            for words in (english, bengali)
        ]
        assert named[0] == named[1] <= FIELDS
