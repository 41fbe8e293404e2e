"""What a log line may not hold, in the shapes in which it slips in."""

import base64
import json
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.edge.redaction import MASK, redact, redact_event, redacted_json

TOKEN = "qL3v0o6Zk1mWJ8s-XyT2bR9dN4hU7cAeFgPi_5KzVwE"
SIGNATURE = "0x" + "ab12" * 32 + "1b"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"Authorization: Bearer {TOKEN}", TOKEN),
        (f"headers={{'authorization': 'Bearer {TOKEN}'}}", TOKEN),
        (f'{{"cookie": "session-token={TOKEN}; theme=dark"}}', TOKEN),
        (f"set-cookie: session-token={TOKEN}; HttpOnly", TOKEN),
        (f"the caller sent {TOKEN} as it is", TOKEN),
        (f"the caller signed {SIGNATURE}", SIGNATURE),
        (f"the caller signed {SIGNATURE[2:]}", SIGNATURE[2:]),
        ('{"polymarketApiSecret": "c2VjcmV0LW9mLXRoZS11c2Vy"}', "c2VjcmV0LW9mLXRoZS11c2Vy"),
        ("{\"polymarketPassphrase\": \"it's mine\"}", "it's mine"),
        ('passphrase="correct horse battery"', "correct horse battery"),
        ("polymarket_api_key=0190aaaa-bbbb", "0190aaaa-bbbb"),
        ("CRON_SECRET=hunter2 is wrong", "hunter2"),
        ("QSTASH_TOKEN: abc.def", "abc.def"),
        ("QSTASH_CURRENT_SIGNING_KEY=sig_1234", "sig_1234"),
        ("private_key: 4c0883a69102937d6231471b5", "4c0883a69102937d6231471b5"),
        ("x-service-key: psg_abc", "psg_abc"),
        ("the key psg_abcDEF-123_x was used", "psg_abcDEF-123_x"),
        ("sent to 01712345678 today", "01712345678"),
        ("sent to +8801712345678.", "01712345678"),
        ("Failing row contains (1, 01712345678, deep secret).", "deep secret"),
        ("POST https://hooks.slack.com/services/T0/B0/x8Yz failed", "x8Yz"),
        ("Key (token_hash)=(\\x00ff) already exists.", "\\x00ff"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.abc-def here", "eyJzdWIiOiIx"),
        ("5VERv8NMvzbJMEkV8xnrLkEaWRtSz9CosKDYjCJjBRnbJLgp8uirBgmQpjKhoR4tjF3ZpRzrFmBV6UjKdiSZkQUW",
         "5VERv8NMvzbJMEkV8xnrLkEaWRtSz9CosKDYjCJjBRnbJLgp8uirBgmQpjKhoR4tjF3ZpRzrFmBV6UjKdiSZkQUW"),
    ],
)  # fmt: skip
def test_a_secret_is_masked(text: str, secret: str) -> None:
    masked = redact(text)
    assert secret not in masked
    assert MASK in masked
    # Inside JSON, where quotes are escaped, as an exception's text travels.
    assert secret not in redact(json.dumps({"exception": text}))


def test_what_operators_need_stays() -> None:
    line = json.dumps(
        {
            "route": "place_order",
            "request_id": "0192f3a1-7c55-7d3e-9a53-2f8a1f0d6c11",
            "user_id": "6f1c0d2e-8f5b-4a43-9d61-0a7f0a1b2c3d",
            "address": "0x52908400098527886E0F7030069857D2E4169EE7",
            "ms": 12.5,
            "amount_micros": 1712345678901,
            "message": "token is missing",
        }
    )
    assert redact(line) == line


@given(st.binary(min_size=32, max_size=32), st.text(alphabet=" .:;/'\"(){}", max_size=3))
def test_any_token_is_masked_wherever_it_stands(raw: bytes, around: str) -> None:
    token = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    if any(char.isdigit() for char in token) and token.lower() != token:
        assert token not in redact(f"say {around}{token}{around} now")


def test_a_record_and_an_event_are_masked_whole() -> None:
    token = secrets.token_urlsafe(32)
    record = {"exception": f"HTTPError: 401 for Bearer {token}", "deep": [{"token": token}]}
    assert token not in redacted_json(record)
    assert token not in json.dumps(redact_event(record, {}))
