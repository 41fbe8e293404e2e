"""What never reaches a log: credentials, signatures, secrets and phone numbers.

The last gate before a line is written, for what nobody meant to log: an exception's text may carry
a row of a table, a header or a body. It works on text, so nesting does not matter.
"""

import re
from typing import Any

import orjson

MASK = "[redacted]"
_NAMES = (
    r"(?<![a-z])(?:authorization|cookies?|signature|secret|passphrase|password|private_?key"
    r"|api_?key|api_?secret|token|[a-z_]{1,40}(?:_secret|_token|_password|_signing_key)|x-service-key"
    r"|x-origin-secret|polymarket_?(?:api_?key|api_?secret|passphrase))"
)
_BETWEEN = r"(?:\\?[\"'])?\s*[:=]\s*"
_RULES = tuple(
    (re.compile(pattern, re.IGNORECASE), mask)
    for pattern, mask in (
        # `"name": "value"`, its quotes escaped or not, then `name: value` and `name=value`.
        (rf"({_NAMES}{_BETWEEN})(\\?[\"'])(?!\[redacted)(?:.*?)\2", rf"\1\2{MASK}\2"),
        (rf"({_NAMES}\s*[:=]\s*)(?![\"'\\])(?:bearer\s+)?[^\s,;&\"'\\)]+", rf"\1{MASK}"),
        (r"bearer\s+[\w.~+/=-]+", f"Bearer {MASK}"),
        (r"hooks\.slack\.com/[^\s\"'\\]+", f"hooks.slack.com/{MASK}"),
        (r"\bpsg_[\w-]+", MASK),
        (r"\beyj[\w-]+\.[\w-]+\.[\w-]+", MASK),  # a JSON web token
        (r"\b(?:0x)?[0-9a-f]{130}\b", MASK),  # an EVM signature
        (r"(?-i:(?<![\w-])[1-9A-HJ-NP-Za-km-z]{86,88}(?![\w-]))", MASK),  # Solana's, in base58
        # 32 bytes in base64url, as our tokens are.
        (r"(?-i:(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[A-Z])[\w-]{43}(?![\w-]))", MASK),
        (r"(?<!\d)(?:\+?88)?01[3-9]\d{8}(?!\d)", MASK),  # a Bangladeshi mobile number
        # Postgres names the values of a row that it refuses.
        (r"failing row contains \(.*?\)\.", f"Failing row contains ({MASK})."),
        (r"(key \([^)]*\))=\(.*?\)(?= )", rf"\1=({MASK})"),
    )
)


def redact(text: str) -> str:
    """The text with everything secret masked."""
    for rule, mask in _RULES:
        text = rule.sub(mask, text)
    return text


def redacted_json(log: Any) -> str:  # noqa: ANN401 - a log record is any JSON
    """A log record as one line that is safe to keep."""
    return redact(orjson.dumps(log, default=str, option=orjson.OPT_NON_STR_KEYS).decode())


def redact_event(event: Any, hint: Any) -> Any:  # noqa: ANN401, ARG001 - Sentry's own types
    """Sentry's `before_send`: the whole event, redacted."""
    return orjson.loads(redacted_json(event))
