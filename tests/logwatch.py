"""Whether what the suite prints holds a secret that the suite made.

Whoever makes or sends one notes it here; after each test everything it printed or logged is
searched for what it noted (see conftest).
"""

import json
from collections.abc import Iterable
from typing import Any

SENT = frozenset(
    {
        *("signature", "polymarketApiKey", "polymarketApiSecret", "polymarketPassphrase"),
        *("senderNumber", "destination"),
    }
)
ANSWERED = frozenset({"token", "key", "ticket"})
_MIN_CHARS = 8  # below, a find would mean nothing
_noted: set[str] = set()


def note(secret: str) -> None:
    """Remember a secret until the end of the test."""
    if len(secret) >= _MIN_CHARS:
        _noted.add(secret)


def note_event(event: dict[str, Any]) -> None:
    """Remember what a request carries: its credentials, and secret fields of its body."""
    headers = event.get("headers", {})
    scheme, _, token = headers.get("authorization", "").partition(" ")
    for secret in (token or scheme, headers.get("x-service-key", "")):
        note(secret)
    for cookie in event.get("cookies", ()):
        note(cookie.partition("=")[2])
    try:
        body = json.loads(event.get("body") or "{}")
    except ValueError:
        return
    _note_fields(body, SENT)


def note_answer(body: Any) -> None:
    """Remember what an answer gives away once: a session, a key, a ticket."""
    if isinstance(body, dict):
        _note_fields(body.get("data"), ANSWERED)


def _note_fields(body: Any, names: Iterable[str]) -> None:
    if isinstance(body, dict):
        for name in names:
            if isinstance(value := body.get(name), str):
                note(value)


def leaked(text: str) -> list[str]:
    """Which of this test's secrets a text holds."""
    return [secret for secret in _noted if secret in text]


def forget() -> None:
    """Begin the next test."""
    _noted.clear()
