"""One attempt to deliver a QStash message, with faults that a test can switch on."""

import random
from dataclasses import dataclass, field

import httpx

from infra.local.clock import now_ms
from infra.local.qstash_messages import Message
from infra.local.qstash_signature import SigningKeys

DEFAULT_TIMEOUT_S = 120.0
NON_RETRYABLE = 489


@dataclass(frozen=True)
class Answer:
    """What the destination said; status 0 when it could not be reached in time."""

    status: int
    headers: dict[str, list[str]] = field(default_factory=dict)
    body: bytes = b""
    error: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the message counts as delivered."""
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP's success range

    @property
    def permanent(self) -> bool:
        """Whether the destination asked never to be tried again."""
        marked = self.headers.get("upstash-nonretryable-error", [""])[0].lower() == "true"
        return self.status == NON_RETRYABLE and marked


@dataclass
class Faults:
    """Chances in percent that something goes wrong, drawn from a seeded generator.

    fail: the destination is not called, the attempt counts as a 500.
    lose_answer: the destination is called, its answer never arrives.
    duplicate: a delivered message is delivered once more.
    """

    fail: float = 0.0
    lose_answer: float = 0.0
    duplicate: float = 0.0
    seed: int = 1
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - repeatable faults, not secrets

    def strikes(self, percent: float) -> bool:
        """Whether a fault of this chance happens now."""
        return percent > 0 and self._random.random() * 100 < percent


class Courier:
    """Signs and sends messages. One HTTP client for its whole life."""

    def __init__(self, keys: SigningKeys) -> None:
        self.keys = keys
        self.faults = Faults()
        # The environment's proxies have no business between the emulator and loopback.
        self._client = httpx.AsyncClient(
            trust_env=False,
            follow_redirects=False,
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=20),
        )

    async def close(self) -> None:
        """Close the client's connections."""
        await self._client.aclose()

    async def deliver(self, message: Message) -> Answer:
        """Try once."""
        if self.faults.strikes(self.faults.fail):
            return Answer(500, error="injected failure")
        answer = await self._send(message)
        if answer.ok and self.faults.strikes(self.faults.lose_answer):
            return Answer(0, error="injected loss of the answer")
        if answer.ok and self.faults.strikes(self.faults.duplicate):
            await self._send(message)
        return answer

    async def _send(self, message: Message) -> Answer:
        timeout_ms = message.settings.timeout_ms
        try:
            response = await self._client.request(
                message.settings.method,
                message.url,
                content=message.body,
                headers=self._headers(message),
                timeout=timeout_ms / 1_000 if timeout_ms else DEFAULT_TIMEOUT_S,
            )
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            return Answer(0, error=f"{type(error).__name__}: {error}")
        headers: dict[str, list[str]] = {}
        for name, value in response.headers.multi_items():
            headers.setdefault(name, []).append(value)
        return Answer(response.status_code, headers, response.content)

    def _headers(self, message: Message) -> list[tuple[bytes, bytes]]:
        forwarded = [
            (name, value) for name, values in message.settings.headers.items() for value in values
        ]
        own = {
            "User-Agent": "Upstash-QStash",
            "Upstash-Signature": self.keys.sign(message.url, message.body, now_ms()),
            "Upstash-Message-Id": message.id,
            "Upstash-Retried": str(message.retried),
            "Upstash-Caller-Ip": message.caller_ip,
        }
        if message.schedule_id is not None:
            own["Upstash-Schedule-Id"] = message.schedule_id
        if message.group is not None:
            own["Upstash-Topic-Name"] = message.group
        return [(_encoded(name), _encoded(value)) for name, value in [*forwarded, *own.items()]]


def _encoded(value: str) -> bytes:
    """A header's bytes as they came in; text of a JSON batch may be beyond Latin-1."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode()
