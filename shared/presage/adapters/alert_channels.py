"""Where operators are told: Slack, PagerDuty and mail, each off unless its setting is given.

Protocols: Slack incoming webhooks (POST of `text` and Block Kit `blocks`, answered 200 "ok";
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks); PagerDuty Events API v2
(POST /v2/enqueue, answered 202; https://developer.pagerduty.com/docs/send-alert-event); SES v2 by
adapters/email.py. Two tries with a timeout each, under a breaker; a Retry-After that is short is
waited for, a longer one is left to the next minute's run.
"""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal

from presage import config
from presage.adapters import breaker, email
from presage.errors import UnprocessableError, UpstreamError

# Both tries of each channel, mail's 9 s and what went before stay inside a workflow's 28 s.
CONNECT_TIMEOUT_S = 1.0
READ_TIMEOUT_S = 1.5
ATTEMPTS = 2
BACKOFF_S = 0.2
MAX_WAIT_S = 2.0
# Slack: a header has 150 characters, a section 3,000. PagerDuty: a summary has 1,024.
_HEADER_CHARS = 150
_SECTION_CHARS = 2_900
_SUMMARY_CHARS = 1_024
_PAGERDUTY_SEVERITIES = {
    "CRITICAL": "critical",
    "HIGH": "error",
    "MEDIUM": "warning",
    "LOW": "info",
}

type Channel = Literal["slack", "email", "pagerduty"]


@dataclass(frozen=True, kw_only=True)
class AlertMessage:
    """What a channel is given: `details` as one JSON text, `fingerprint` to fold repeats."""

    title: str
    severity: Literal["LOW", "MEDIUM", "HIGH", "CRITICAL"]
    alert_type: str
    fingerprint: str
    meaning: str
    first_step: str
    details: Mapping[str, Any]
    count: int
    first_seen_at: datetime
    last_seen_at: datetime

    @property
    def text(self) -> str:
        """The whole message as plain text."""
        lines = [
            self.title,
            f"What it means: {self.meaning}.",
            f"First step: {self.first_step}.",
            f"Seen: {self.count} times.",
            f"First: {self.first_seen_at:%Y-%m-%d %H:%M:%S} UTC.",
            f"Last: {self.last_seen_at:%Y-%m-%d %H:%M:%S} UTC.",
            *(f"{name}: {value}" for name, value in self.details.items()),
        ]
        return "\n".join(lines)


def is_configured(channel: Channel) -> bool:
    """Whether this deployment has the channel."""
    match channel:
        case "slack":
            return bool(config.get("SLACK_WEBHOOK_URL"))
        case "email":
            return bool(config.get("OPS_EMAIL") and config.get("EMAIL_SENDER"))
        case "pagerduty":
            return bool(config.get("PAGERDUTY_ROUTING_KEY"))


def send(channel: Channel, message: AlertMessage) -> None:
    """Tell one channel.

    Raises:
        UpstreamError: it did not take the message, and may later.
        UnprocessableError: it refused the message: its address or key is wrong.
    """
    match channel:
        case "slack":
            breaker.guarded("slack", lambda: _slack(message))
        case "email":
            email.send(
                email.Email(
                    to=config.get("OPS_EMAIL"), subject=_one_line(message.title), text=message.text
                )
            )
        case "pagerduty":
            breaker.guarded("pagerduty", lambda: _pagerduty(message))


def acknowledge(fingerprint: str) -> None:
    """Tell PagerDuty that somebody has taken up what was sent under this fingerprint.

    Raises:
        UpstreamError: it did not take the message, and may later.
        UnprocessableError: it refused the message.
    """
    breaker.guarded("pagerduty", lambda: _enqueue("acknowledge", fingerprint))


def tell(channel: Channel, title: str, text: str) -> None:
    """Tell a channel of people something that is no alert; PagerDuty wakes, and takes none.

    Raises:
        UpstreamError: it did not take the message, and may later.
        UnprocessableError: it refused the message, or takes alerts only.
    """
    match channel:
        case "slack":
            breaker.guarded("slack", lambda: _slack_text(title, text))
        case "email":
            email.send(email.Email(to=config.get("OPS_EMAIL"), subject=_one_line(title), text=text))
        case "pagerduty":
            raise UnprocessableError("PagerDuty takes alerts only.")


def _slack_text(title: str, text: str) -> None:
    _post("slack", config.get("SLACK_WEBHOOK_URL"), slack_text(title, text), HTTPStatus.OK)


def slack_text(title: str, text: str) -> dict[str, Any]:
    """A webhook's body for a title and plain text (which Slack would read as markup, unescaped)."""
    return {
        "text": _escaped(_one_line(title)),
        "blocks": [
            {
                "type": "header",
                "text": {"type": "plain_text", "text": _one_line(title)[:_HEADER_CHARS]},
            },
            {
                "type": "section",
                "text": {"type": "mrkdwn", "text": _escaped(text[:_SECTION_CHARS])},
            },
        ],
    }


def _slack(message: AlertMessage) -> None:
    body = slack_text(f"{message.severity}: {message.title}", message.text.partition("\n")[2])
    context = [{"type": "mrkdwn", "text": _escaped(message.fingerprint)}]
    body["blocks"].append({"type": "context", "elements": context})
    _post("slack", config.get("SLACK_WEBHOOK_URL"), body, HTTPStatus.OK)


def _pagerduty(message: AlertMessage) -> None:
    payload = {
        "summary": _one_line(message.title)[:_SUMMARY_CHARS],
        "source": f"presage-{config.get('STAGE')}",
        "severity": _PAGERDUTY_SEVERITIES[message.severity],
        "timestamp": message.first_seen_at.isoformat(),
        "component": "presage",
        "class": message.alert_type,
        "custom_details": {
            "meaning": message.meaning,
            "first_step": message.first_step,
            "count": message.count,
            **message.details,
        },
    }
    _enqueue("trigger", message.fingerprint, payload=payload)


def _enqueue(
    action: Literal["trigger", "acknowledge"], dedup_key: str, **rest: Mapping[str, Any]
) -> None:
    body = {
        "routing_key": config.get("PAGERDUTY_ROUTING_KEY"),
        "event_action": action,
        "dedup_key": dedup_key,
        **rest,
    }
    _post("pagerduty", f"{config.get('PAGERDUTY_URL')}/v2/enqueue", body, HTTPStatus.ACCEPTED)


def _post(channel: Channel, url: str, body: Mapping[str, Any], expected: HTTPStatus) -> None:
    """Post until it is taken, at most twice; the address is a secret and in no error."""
    import httpx

    timeout = httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    for attempt in range(1, ATTEMPTS + 1):
        wait_s = BACKOFF_S * attempt * (1 + random.random())  # noqa: S311 - jitter
        try:
            response = httpx.post(url, json=body, timeout=timeout)
        except httpx.HTTPError as error:
            failed = UpstreamError(f"{channel} did not answer ({type(error).__name__}).")
        else:
            if response.status_code == expected:
                return
            if not _may_pass(response.status_code):
                raise UnprocessableError(f"{channel} refused with {response.status_code}.")
            failed = UpstreamError(f"{channel} answered {response.status_code}.")
            asked = response.headers.get("retry-after", "")
            if asked.isascii() and asked.isdigit():
                wait_s = float(asked)
        if attempt == ATTEMPTS or wait_s > MAX_WAIT_S:
            raise failed
        time.sleep(wait_s)


def _may_pass(status: int) -> bool:
    """Whether the same message may be taken later."""
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _escaped(text: str) -> str:
    """Slack's three control characters as it asks for them."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _one_line(text: str) -> str:
    return " ".join(text.split())
