"""The QStash emulator, driven by the vendor's SDK on a simulated clock."""

import base64
import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from qstash import QStash
from qstash import Receiver as Verifier
from qstash.errors import QStashError, SignatureError
from qstash.message import BatchResponse, EnqueueResponse, PublishResponse

from infra.local.clock import set_clock

from .conftest import run_module
from .receiver import Arrival, Receiver, Reply

TOKEN, CURRENT, NEXT = "qstash-token", f"sig_{'c' * 32}", f"sig_{'n' * 32}"
KEYS = ("--token", TOKEN, "--current-key", CURRENT, "--next-key", NEXT)
START_MS = 1_784_880_000_000  # 2026-07-24 08:00:00 UTC
SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000


@dataclass
class Driver:
    """Moves the clock and lets the emulator catch up."""

    url: str
    clock_file: Path
    client: QStash
    http: httpx.Client
    now_ms: int = START_MS

    def advance(self, by_ms: int = 0) -> dict[str, int]:
        """Move the clock and deliver what is due; the counts of what happened."""
        self.now_ms += by_ms
        set_clock(self.clock_file, self.now_ms)
        answer = self.control("advance")
        return {name: int(value) for name, value in answer.items()}

    def control(self, command: str, **settings: object) -> dict[str, float]:
        """Call a route that only the emulator has."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        url = f"{self.url}/_local/{command}"
        answer = self.http.post(url, json=settings, headers=headers).raise_for_status()
        result: dict[str, float] = answer.json()
        return result


@contextlib.contextmanager
def vendor(url: str, token: str = TOKEN) -> Iterator[QStash]:
    """The vendor's client, closed at the end (it offers no way to)."""
    client = QStash(token, base_url=url, retry=False)
    try:
        yield client
    finally:
        client.http._client.close()  # noqa: SLF001 - it has no close of its own


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    folder = tmp_path_factory.mktemp("qstash")
    clock_file = folder / "clock"
    set_clock(clock_file, START_MS)
    environment = {"PRESAGE_CLOCK_FILE": str(clock_file)}
    with run_module("infra.local.qstash", folder, *KEYS, env=environment) as port:
        url = f"http://127.0.0.1:{port}"
        with vendor(url) as client, httpx.Client(timeout=30) as http:
            yield Driver(url, clock_file, client, http)


@pytest.fixture
def receiver(driver: Driver) -> Iterator[Receiver]:
    with Receiver() as server:
        yield server
    for schedule in driver.client.schedule.list():
        driver.client.schedule.delete(schedule.schedule_id)
    driver.client.message.cancel_all()
    driver.client.dlq.delete_many([one.dlq_id for one in driver.client.dlq.list().messages])


def publish(driver: Driver, url: str, body: object = None, **settings: object) -> PublishResponse:
    answer = driver.client.message.publish_json(url=url, body=body, **settings)  # type: ignore[arg-type]
    assert isinstance(answer, PublishResponse)
    return answer


def verify(arrival: Arrival, url: str, key: str = CURRENT, other: str = NEXT) -> None:
    Verifier(key, other).verify(
        signature=arrival.headers["upstash-signature"], body=arrival.body.decode(), url=url
    )


def in_an_hour_of_ours(monkeypatch: pytest.MonkeyPatch, now_ms: int) -> None:
    """Let PyJWT, which the vendor's receiver uses, believe in the simulated time."""
    import jwt.api_jwt  # noqa: PLC0415 - only here

    class Clock(jwt.api_jwt.datetime):  # type: ignore[name-defined,misc]
        @classmethod
        def now(cls, tz: object = None) -> object:
            return cls.fromtimestamp(now_ms / 1_000, tz)

    monkeypatch.setattr(jwt.api_jwt, "datetime", Clock)


def test_a_published_message_arrives_signed(
    driver: Driver, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{receiver.url}/a//b?x=1&y=%20"
    sent = publish(driver, url, {"n": "নম্বর"}, headers={"X-Run": "7"}, label="test")
    assert receiver.arrivals == []
    counts = driver.advance()
    assert counts == {
        "delivered": 1,
        "failed": 0,
        "retried": 0,
        "deadLettered": 0,
        "pending": 0,
    }
    [arrival] = receiver.arrivals
    assert (arrival.method, arrival.path) == ("POST", "/a//b?x=1&y=%20")
    assert json.loads(arrival.body) == {"n": "নম্বর"}
    headers = arrival.headers
    assert headers["x-run"] == "7"
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"] == "Upstash-QStash"
    assert headers["upstash-message-id"] == sent.message_id
    assert headers["upstash-retried"] == "0"
    assert "authorization" not in headers
    in_an_hour_of_ours(monkeypatch, driver.now_ms)
    verify(arrival, url)
    with pytest.raises(SignatureError):
        verify(arrival, f"{url}1")
    with pytest.raises(SignatureError):
        verify(arrival, url, "wrong", "keys")
    in_an_hour_of_ours(monkeypatch, driver.now_ms + 6 * MINUTE)
    with pytest.raises(SignatureError):
        verify(arrival, url)


def test_keys_rotate(
    driver: Driver, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment = {"PRESAGE_CLOCK_FILE": str(driver.clock_file)}
    with (
        run_module("infra.local.qstash", tmp_path, *KEYS, env=environment) as port,
        vendor(f"http://127.0.0.1:{port}") as client,
    ):
        url = f"http://127.0.0.1:{port}"
        other = Driver(url, driver.clock_file, client, driver.http, driver.now_ms)
        assert other.client.signing_key.get().current == CURRENT
        rotated = other.client.signing_key.rotate()
        assert rotated.current == NEXT
        assert rotated.next not in {CURRENT, NEXT}
        publish(other, receiver.url)
        other.advance()
    in_an_hour_of_ours(monkeypatch, driver.now_ms)
    [arrival] = receiver.arrivals
    verify(arrival, receiver.url)  # with what a receiver knew before the rotation
    with pytest.raises(SignatureError):
        verify(arrival, receiver.url, CURRENT, CURRENT)


def test_a_wrong_token_is_refused(driver: Driver, receiver: Receiver) -> None:
    with vendor(driver.url, "wrong") as client, pytest.raises(QStashError, match="401"):
        client.message.publish(url=receiver.url)


@pytest.mark.parametrize(
    "settings",
    [
        {"retries": 99},
        {"delay": "soon"},
        {"retry_delay": "__import__('os')"},
        {"retry_delay": "1 +"},
        {"callback": "nowhere"},
        {"method": "FETCH"},
    ],
    ids=str,
)
def test_bad_settings_are_refused(
    driver: Driver, receiver: Receiver, settings: dict[str, object]
) -> None:
    with pytest.raises(QStashError, match="400"):
        publish(driver, receiver.url, **settings)
    with pytest.raises(QStashError, match="400"):
        publish(driver, "no-such-group")


def test_delay_and_not_before(driver: Driver, receiver: Receiver) -> None:
    publish(driver, f"{receiver.url}/later", delay="1m30s")
    publish(driver, f"{receiver.url}/at", not_before=driver.now_ms // 1_000 + 60)
    publish(driver, f"{receiver.url}/now")
    assert driver.advance()["pending"] == 2
    assert receiver.paths() == ["/now"]
    driver.advance(59 * SECOND)
    assert receiver.paths() == ["/now"]
    driver.advance(31 * SECOND)
    assert receiver.paths() == ["/now", "/at", "/later"]


def test_default_backoff_then_the_dead_letter_queue(driver: Driver, receiver: Receiver) -> None:
    receiver.script = lambda _: Reply(500, body=b"broken")
    sent = publish(driver, receiver.url, {"a": 1}, retries=3)
    assert driver.advance()["retried"] == 1
    for wait_ms in (12_182, 148_413, 1_808_042):
        assert driver.advance(wait_ms - 1)["failed"] == 0
        assert driver.advance(1)["failed"] == 1
    assert [one.headers["upstash-retried"] for one in receiver.arrivals] == ["0", "1", "2", "3"]
    assert {one.headers["upstash-message-id"] for one in receiver.arrivals} == {sent.message_id}
    [dead] = driver.client.dlq.list().messages
    assert (dead.message_id, dead.response_status, dead.max_retries) == (sent.message_id, 500, 3)
    assert (dead.body, dead.response_body) == ('{"a": 1}', "broken")
    assert driver.client.dlq.get(dead.dlq_id) == dead
    receiver.script = lambda _: Reply()
    again = driver.http.post(
        f"{driver.url}/v2/dlq/retry/{dead.dlq_id}", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    assert again.json()["messageId"] != sent.message_id
    assert driver.advance()["delivered"] == 1
    assert driver.client.dlq.list().messages == []


def test_a_retry_delay_expression(driver: Driver, receiver: Receiver) -> None:
    receiver.script = lambda _: Reply(500)
    publish(driver, receiver.url, retries=2, retry_delay="1000 * pow(2, retried) + max(0, 500)")
    driver.advance()
    assert driver.advance(1_499)["failed"] == 0
    assert driver.advance(1)["failed"] == 1
    assert driver.advance(2_499)["failed"] == 0
    assert driver.advance(1) == {
        "delivered": 0,
        "failed": 1,
        "retried": 0,
        "deadLettered": 1,
        "pending": 0,
    }


def test_an_expression_that_fails_later_falls_back(driver: Driver, receiver: Receiver) -> None:
    receiver.script = lambda _: Reply(500)
    publish(driver, receiver.url, retry_delay="abs(1000 / (retried - 1))")
    driver.advance()
    assert driver.advance(1_000)["retried"] == 1
    assert driver.advance(148_413)["retried"] == 1


def test_a_batch_is_refused_as_a_whole(driver: Driver, receiver: Receiver) -> None:
    with pytest.raises(QStashError, match="400"):
        driver.client.message.batch_json([{"url": receiver.url}, {"url": "nowhere"}])
    assert driver.advance()["delivered"] == 0


def test_retry_after_is_honoured(driver: Driver, receiver: Receiver) -> None:
    receiver.script = lambda arrival: (
        Reply(503, {"Retry-After": "30"}) if arrival.headers["upstash-retried"] == "0" else Reply()
    )
    publish(driver, receiver.url, retry_delay="1")
    driver.advance()
    assert driver.advance(29 * SECOND)["delivered"] == 0
    assert driver.advance(1 * SECOND)["delivered"] == 1


def test_489_is_never_retried(driver: Driver, receiver: Receiver) -> None:
    receiver.script = lambda _: Reply(489, {"Upstash-NonRetryable-Error": "true"})
    publish(driver, receiver.url)
    assert driver.advance()["deadLettered"] == 1
    receiver.script = lambda _: Reply(489)
    publish(driver, receiver.url)
    assert driver.advance()["retried"] == 1


def test_an_unreachable_destination_is_retried(driver: Driver, receiver: Receiver) -> None:
    publish(driver, "http://127.0.0.1:9/none", retries=1, retry_delay="1")
    assert driver.advance()["retried"] == 1
    assert driver.advance(1)["deadLettered"] == 1
    assert driver.client.dlq.list().messages[0].response_status == 0
    assert receiver.arrivals == []


def test_callbacks(driver: Driver, receiver: Receiver) -> None:
    receiver.script = lambda arrival: Reply(500 if arrival.path == "/work" else 200, body=b"why")
    sent = publish(
        driver,
        f"{receiver.url}/work",
        {"a": 1},
        retries=0,
        callback=f"{receiver.url}/callback",
        failure_callback=f"{receiver.url}/failed",
        failure_callback_headers={"Forward-X-Kind": "failure"},
    )
    assert driver.advance()["delivered"] == 2
    callback, failure = sorted(receiver.arrivals[1:], key=lambda one: one.path)
    assert (callback.path, failure.path) == ("/callback", "/failed")
    assert failure.headers["x-kind"] == "failure"
    body = json.loads(failure.body)
    [dead] = driver.client.dlq.list().messages
    assert body["dlqId"] == dead.dlq_id
    assert body["sourceMessageId"] == sent.message_id
    assert (body["status"], body["retried"], body["maxRetries"]) == (500, 0, 0)
    assert base64.b64decode(body["body"]) == b"why"
    assert base64.b64decode(body["sourceBody"]) == b'{"a": 1}'
    assert body["url"] == f"{receiver.url}/work"
    assert body["header"]["content-length"] == ["3"]


def test_deduplication_lasts_ten_minutes(driver: Driver, receiver: Receiver) -> None:
    first = publish(driver, receiver.url, {"a": 1}, deduplication_id="once")
    again = publish(driver, receiver.url, {"a": 2}, deduplication_id="once")
    assert (first.deduplicated, again.deduplicated) == (False, True)
    assert again.message_id == first.message_id
    assert driver.advance()["delivered"] == 1
    driver.advance(10 * MINUTE - 1)
    assert publish(driver, receiver.url, deduplication_id="once").deduplicated
    driver.advance(1)
    assert not publish(driver, receiver.url, deduplication_id="once").deduplicated
    content = [
        publish(driver, receiver.url, body, content_based_deduplication=True).deduplicated
        for body in ({"b": 1}, {"b": 1}, {"b": 2})
    ]
    assert content == [False, True, False]


def test_a_batch(driver: Driver, receiver: Receiver) -> None:
    answers = driver.client.message.batch_json(
        [
            {"url": f"{receiver.url}/1", "body": {"n": 1}, "deduplication_id": "batch:1"},
            {"url": f"{receiver.url}/2", "body": {"n": 2}, "headers": {"X-A": "b"}},
            {"url": f"{receiver.url}/1", "body": {"n": 1}, "deduplication_id": "batch:1"},
            {"url": f"{receiver.url}/3", "queue": "line", "body": None},
        ]
    )
    assert [isinstance(one, BatchResponse) and one.deduplicated for one in answers] == [
        False,
        False,
        True,
        False,
    ]
    assert driver.advance()["delivered"] == 3
    assert sorted(receiver.paths()) == ["/1", "/2", "/3"]


def test_a_queue_is_first_in_first_out(driver: Driver, receiver: Receiver) -> None:
    client = driver.client
    receiver.script = lambda arrival: Reply(
        500 if arrival.path == "/1" and arrival.headers["upstash-retried"] == "0" else 200
    )
    for number in (1, 2, 3):
        sent = client.message.enqueue_json(
            queue="orders", url=f"{receiver.url}/{number}", retry_delay="5000"
        )
        assert isinstance(sent, EnqueueResponse)
    driver.advance()
    assert receiver.paths() == ["/1"]
    assert client.queue.get("orders").lag == 3
    client.queue.pause("orders")
    driver.advance(5 * SECOND)
    assert receiver.paths() == ["/1"]
    client.queue.resume("orders")
    driver.advance()
    assert receiver.paths() == ["/1", "/1", "/2", "/3"]
    client.queue.upsert("orders", parallelism=3)
    assert [(one.name, one.parallelism) for one in client.queue.list() if one.name == "orders"] == [
        ("orders", 3)
    ]
    client.queue.delete("orders")


def test_messages_can_be_read_and_cancelled(driver: Driver, receiver: Receiver) -> None:
    client = driver.client
    sent = publish(driver, receiver.url, {"a": 1}, delay=60, headers={"X-A": "b"}, retries=5)
    shown = client.message.get(sent.message_id)
    assert (shown.url, shown.max_retries, shown.body) == (receiver.url, 5, '{"a": 1}')
    assert shown.not_before == driver.now_ms + MINUTE
    assert shown.headers is not None
    assert shown.headers["X-A"] == ["b"]
    client.message.cancel(sent.message_id)
    with pytest.raises(QStashError, match="404"):
        client.message.get(sent.message_id)
    ids = [publish(driver, receiver.url, delay=60).message_id for _ in range(3)]
    assert client.message.cancel_many(ids[:2]) == 2
    assert client.message.cancel_all() == 1
    driver.advance(HOUR)
    assert receiver.arrivals == []


def test_a_schedule_fires_every_slot(driver: Driver, receiver: Receiver) -> None:
    client = driver.client
    driver.advance(-driver.now_ms % HOUR)
    created = client.schedule.create_json(
        destination=f"{receiver.url}/tick", cron="*/5 * * * *", body={"t": 1}, schedule_id="fast"
    )
    assert created == "fast"
    client.schedule.create(destination=f"{receiver.url}/hour", cron="30 * * * *")
    assert driver.advance(29 * MINUTE)["delivered"] == 5
    # Both are due at half past, then one more: in order of time.
    driver.advance(6 * MINUTE)
    assert sorted(receiver.paths()[5:7]) == ["/hour", "/tick"]
    assert receiver.paths()[7:] == ["/tick"]
    tick = receiver.arrivals[0]
    assert tick.headers["upstash-schedule-id"] == "fast"
    assert json.loads(tick.body) == {"t": 1}
    shown = client.schedule.get("fast")
    assert (shown.cron, shown.retries, shown.paused) == ("*/5 * * * *", 3, False)
    assert shown.last_schedule_time == driver.now_ms
    assert shown.next_schedule_time == driver.now_ms + 5 * MINUTE
    assert shown.last_schedule_states is not None
    assert [one.value for one in shown.last_schedule_states.values()] == ["SUCCESS"]


def test_schedules_pause_overwrite_and_go(driver: Driver, receiver: Receiver) -> None:
    api = driver.client.schedule
    for _ in range(2):  # the second overwrites the first
        api.create(destination=receiver.url, cron="* * * * *", schedule_id="minute", retries=0)
    assert [one.schedule_id for one in api.list()] == ["minute"]
    api.pause("minute")
    assert api.get("minute").paused
    assert driver.advance(10 * MINUTE)["delivered"] == 0
    api.resume("minute")
    assert driver.advance(MINUTE)["delivered"] == 1
    api.delete("minute")
    assert driver.advance(10 * MINUTE)["delivered"] == 0
    with pytest.raises(QStashError, match="404"):
        api.get("minute")
    for wrong in ("* * *", "61 * * * *", "CRON_TZ=Nowhere/City 0 9 * * *", ""):
        with pytest.raises(QStashError, match="400"):
            api.create(destination=receiver.url, cron=wrong)


def test_a_schedule_in_a_time_zone(driver: Driver, receiver: Receiver) -> None:
    api = driver.client.schedule
    name = api.create(destination=receiver.url, cron="CRON_TZ=America/New_York 0 9 * * *")
    upcoming = api.get(name).next_schedule_time
    assert upcoming is not None
    assert upcoming % (24 * HOUR) == 13 * HOUR  # summer time


def test_a_url_group_fans_out(driver: Driver, receiver: Receiver) -> None:
    api = driver.client.url_group
    api.upsert_endpoints(
        "pair", [{"url": f"{receiver.url}/1", "name": "one"}, {"url": f"{receiver.url}/2"}]
    )
    answers = driver.client.message.publish_json(url_group="pair", body={})
    assert isinstance(answers, list)
    assert [one.url for one in answers] == [f"{receiver.url}/1", f"{receiver.url}/2"]
    assert driver.advance()["delivered"] == 2
    api.remove_endpoints("pair", [{"name": "one"}])
    assert [one.url for one in api.get("pair").endpoints] == [f"{receiver.url}/2"]
    api.delete("pair")
    assert api.list() == []


def test_flow_control_bounds_parallelism(driver: Driver, receiver: Receiver) -> None:
    running, most = [0], [0]

    def script(_: Arrival) -> Reply:
        running[0] += 1
        most[0] = max(most[0], running[0])
        time.sleep(0.02)
        running[0] -= 1
        return Reply()

    receiver.script = script
    for _ in range(6):
        publish(driver, receiver.url, flow_control={"key": "k", "parallelism": 2, "rate": 9})
    shown = driver.client.flow_control.get("k")
    assert (shown.parallelism_max, shown.rate_max, shown.wait_list_size) == (2, 9, 6)
    assert driver.advance()["delivered"] == 6
    assert most == [2]


def test_what_a_delivery_publishes_is_part_of_the_advance(
    driver: Driver, receiver: Receiver
) -> None:
    def script(arrival: Arrival) -> Reply:
        number = int(arrival.path.strip("/"))
        if number < 3:
            publish(driver, f"{receiver.url}/{number + 1}")
        return Reply()

    receiver.script = script
    publish(driver, f"{receiver.url}/1")
    assert driver.advance()["delivered"] == 3
    assert receiver.paths() == ["/1", "/2", "/3"]


def test_faults(driver: Driver, receiver: Receiver) -> None:
    driver.control("faults", duplicate=100)
    sent = publish(driver, receiver.url)
    assert driver.advance()["delivered"] == 1
    assert [one.headers["upstash-message-id"] for one in receiver.arrivals] == [sent.message_id] * 2
    driver.control("faults", lose_answer=100)
    publish(driver, receiver.url, retry_delay="1")
    assert driver.advance()["retried"] == 1
    assert len(receiver.arrivals) == 3
    driver.control("faults", fail=100)
    driver.advance(1)
    assert len(receiver.arrivals) == 3
    driver.control("faults")
    assert driver.advance(10 * MINUTE)["delivered"] == 1


def test_events_tell_the_story(driver: Driver, receiver: Receiver) -> None:
    sent = publish(driver, receiver.url)
    driver.advance()
    logs = driver.client.log.list(filter={"message_id": sent.message_id}).logs
    assert [one.state.value for one in logs] == ["DELIVERED", "ACTIVE", "CREATED"]


def test_real_time_delivers_by_itself_and_state_survives(tmp_path: Path) -> None:
    state = ("--state", str(tmp_path / "state.json"))
    with Receiver() as receiver:
        with (
            run_module("infra.local.qstash", tmp_path, *KEYS, *state) as port,
            vendor(f"http://127.0.0.1:{port}") as client,
        ):
            client.message.publish(url=f"{receiver.url}/now", body="text")
            [arrival] = receiver.wait_for(1)
            verify(arrival, f"{receiver.url}/now")
            receiver.script = lambda _: Reply(500)
            client.message.publish(url=f"{receiver.url}/retried", retries=1, retry_delay="50")
            receiver.wait_for(3)
            client.message.publish(url=f"{receiver.url}/kept", body="x", delay="1s")
            client.schedule.create(
                destination=receiver.url, cron="0 0 * * *", schedule_id="kept", body="y"
            )
        receiver.script = lambda _: Reply()
        with (
            run_module("infra.local.qstash", tmp_path, *KEYS, *state) as port,
            vendor(f"http://127.0.0.1:{port}") as client,
        ):
            assert [one.schedule_id for one in client.schedule.list()] == ["kept"]
            assert receiver.wait_for(4)[3].path == "/kept"
            assert receiver.arrivals[3].body == b"x"
