"""The QStash emulator's messages, driven by the vendor's SDK on a simulated clock."""

import base64
import json
from pathlib import Path

import pytest
from qstash.errors import QStashError, SignatureError
from qstash.message import BatchResponse

from .conftest import run_module
from .qstash_driver import (
    CURRENT,
    KEYS,
    MINUTE,
    NEXT,
    SECOND,
    TOKEN,
    Driver,
    in_an_hour_of_ours,
    publish,
    vendor,
    verify,
)
from .receiver import Receiver, Reply


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
    receiver.script = lambda arrival: Reply(500 if arrival.path == "/job" else 200, body=b"why")
    sent = publish(
        driver,
        f"{receiver.url}/job",
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
    assert body["url"] == f"{receiver.url}/job"
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
