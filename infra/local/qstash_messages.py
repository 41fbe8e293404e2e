"""What QStash keeps: messages and schedules, read from request headers, shown as its JSON."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self
from urllib.parse import urlsplit

from infra.local.qstash_delays import DelayError, duration_ms, expression_ms

DEFAULT_RETRIES = 3
MAX_RETRIES = 10
_FORWARD = "upstash-forward-"
_CALLBACK = "upstash-callback-"
_FAILURE_CALLBACK = "upstash-failure-callback-"
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})

type Headers = Mapping[str, str]  # names in lower case


class InvalidRequestError(ValueError):
    """A request QStash refuses with 400; the text is its error."""


@dataclass(frozen=True)
class Settings:
    """How a message is delivered. Durations are in milliseconds."""

    method: str = "POST"
    headers: dict[str, list[str]] = field(default_factory=dict)
    retries: int = DEFAULT_RETRIES
    retry_delay: str | None = None
    delay_ms: int = 0
    not_before_ms: int | None = None
    timeout_ms: int | None = None
    callback: str | None = None
    callback_headers: dict[str, str] = field(default_factory=dict)
    failure_callback: str | None = None
    failure_callback_headers: dict[str, str] = field(default_factory=dict)
    flow_key: str | None = None
    flow: dict[str, int] = field(default_factory=dict)
    label: str | None = None

    @classmethod
    def read(cls, headers: Headers) -> Self:
        """Read the `Upstash-*` headers of a publish; raises InvalidRequestError."""
        try:
            settings = cls(
                method=headers.get("upstash-method", "POST").upper(),
                headers=_forwarded(headers),
                retries=_retries(headers.get("upstash-retries")),
                retry_delay=headers.get("upstash-retry-delay"),
                delay_ms=duration_ms(headers.get("upstash-delay", "0")),
                not_before_ms=_seconds(headers.get("upstash-not-before")),
                timeout_ms=_duration(headers.get("upstash-timeout")),
                callback=_url(headers.get("upstash-callback")),
                callback_headers=_stripped(headers, _CALLBACK),
                failure_callback=_url(headers.get("upstash-failure-callback")),
                failure_callback_headers=_stripped(headers, _FAILURE_CALLBACK),
                flow_key=headers.get("upstash-flow-control-key"),
                flow=_flow(headers.get("upstash-flow-control-value")),
                label=headers.get("upstash-label"),
            )
            if settings.retry_delay is not None:
                expression_ms(settings.retry_delay, 0)
        except (DelayError, ValueError) as error:
            raise InvalidRequestError(str(error)) from error
        if settings.method not in _METHODS:
            raise InvalidRequestError(f"invalid method: {settings.method}")
        return settings

    def view(self) -> dict[str, Any]:
        """The fields QStash shows of messages and schedules alike."""
        return _present(
            method=self.method,
            header=self.headers or None,
            retryDelayExpression=self.retry_delay,
            timeout=self.timeout_ms and self.timeout_ms // 1_000,
            callback=self.callback,
            callbackHeader=_listed(self.callback_headers),
            failureCallback=self.failure_callback,
            failureCallbackHeader=_listed(self.failure_callback_headers),
            flowControlKey=self.flow_key,
            label=self.label,
            **self.flow,
        )


@dataclass
class Message:
    """One message on its way to one URL. Times are unix milliseconds."""

    id: str
    url: str
    body: bytes
    settings: Settings
    created_ms: int
    due_ms: int
    retried: int = 0
    schedule_id: str | None = None
    queue: str | None = None
    group: str | None = None
    caller_ip: str = "127.0.0.1"

    def view(self) -> dict[str, Any]:
        """The message as QStash's API shows it."""
        return self.settings.view() | _present(
            messageId=self.id,
            url=self.url,
            maxRetries=self.settings.retries,
            notBefore=self.due_ms,
            createdAt=self.created_ms,
            retried=self.retried,
            scheduleId=self.schedule_id,
            queueName=self.queue,
            topicName=self.group,
            callerIP=self.caller_ip,
            **body_fields(self.body),
        )

    def saved(self) -> dict[str, Any]:
        """JSON that `restored` reads back."""
        return asdict(self) | {"body": base64.b64encode(self.body).decode()}

    @classmethod
    def restored(cls, saved: dict[str, Any]) -> Self:
        """The inverse of `saved`."""
        body = base64.b64decode(saved["body"])
        return cls(**saved | {"body": body, "settings": Settings(**saved["settings"])})


@dataclass
class Schedule:
    """A destination called at each slot of a cron expression. Times are unix milliseconds."""

    id: str
    destination: str
    cron: str
    body: bytes
    settings: Settings
    created_ms: int
    next_ms: int
    queue: str | None = None
    paused: bool = False
    last_ms: int | None = None
    last_message_ids: list[str] = field(default_factory=list)

    def view(self, states: Mapping[str, str]) -> dict[str, Any]:
        """The schedule as QStash's API shows it; `states` tells how messages ended."""
        outcomes = {one: states.get(one, "IN_PROGRESS") for one in self.last_message_ids}
        return self.settings.view() | _present(
            scheduleId=self.id,
            destination=self.destination,
            cron=self.cron,
            createdAt=self.created_ms,
            retries=self.settings.retries,
            delay=self.settings.delay_ms // 1_000 or None,
            isPaused=self.paused,
            queueName=self.queue,
            nextScheduleTime=self.next_ms,
            lastScheduleTime=self.last_ms,
            lastScheduleStates=outcomes or None,
            **body_fields(self.body),
        )

    def saved(self) -> dict[str, Any]:
        """JSON that `restored` reads back."""
        return asdict(self) | {"body": base64.b64encode(self.body).decode()}

    @classmethod
    def restored(cls, saved: dict[str, Any]) -> Self:
        """The inverse of `saved`."""
        body = base64.b64decode(saved["body"])
        return cls(**saved | {"body": body, "settings": Settings(**saved["settings"])})


def callback_settings(headers: Mapping[str, str]) -> Settings:
    """Settings of a callback's own message, from headers whose callback prefix is gone."""
    own = {f"upstash-{name.lower()}": value for name, value in headers.items()}
    return replace(Settings.read({"content-type": "application/json"} | own), callback=None)


def is_url(destination: str) -> bool:
    """Whether a destination is a URL; otherwise it names a URL group."""
    return destination.startswith(("http://", "https://"))


def body_fields(body: bytes) -> dict[str, str]:
    """`body` when it is UTF-8, `bodyBase64` when it is not, nothing when it is empty."""
    if not body:
        return {}
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"bodyBase64": base64.b64encode(body).decode()}


def decoded(text: str) -> bytes:
    """Base64 of a stranger; raises InvalidRequestError."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise InvalidRequestError("invalid base64") from error


def _present(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return {name: value for name, value in fields.items() if value is not None}


def _listed(headers: Mapping[str, str]) -> dict[str, list[str]] | None:
    return {name: [value] for name, value in headers.items()} or None


def _forwarded(headers: Headers) -> dict[str, list[str]]:
    kept = {"Content-Type": [headers["content-type"]]} if "content-type" in headers else {}
    for name, value in headers.items():
        if name.startswith(_FORWARD):
            kept[name.removeprefix(_FORWARD).title()] = [value]
    return kept


def _stripped(headers: Headers, prefix: str) -> dict[str, str]:
    return {
        name.removeprefix(prefix): value
        for name, value in headers.items()
        if name.startswith(prefix)
    }


def _retries(text: str | None) -> int:
    if text is None:
        return DEFAULT_RETRIES
    retries = int(text)
    if not 0 <= retries <= MAX_RETRIES:
        raise InvalidRequestError(f"retries must be between 0 and {MAX_RETRIES}")
    return retries


def _seconds(text: str | None) -> int | None:
    return None if text is None else int(text) * 1_000


def _duration(text: str | None) -> int | None:
    return None if text is None else duration_ms(text)


def _url(text: str | None) -> str | None:
    if text is not None and not (is_url(text) and urlsplit(text).netloc):
        raise InvalidRequestError(f"invalid callback url: {text}")
    return text


def _flow(text: str | None) -> dict[str, int]:
    """`parallelism=5, rate=10, period=1m`; the period in seconds."""
    values: dict[str, int] = {}
    for part in (text or "").split(","):
        name, _, value = part.strip().partition("=")
        if name == "period":
            values[name] = duration_ms(value) // 1_000
        elif name in {"parallelism", "rate"}:
            values[name] = int(value)
    return values
