"""What a request leaves in the log: its id, never its credentials, even when it goes wrong."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from presage.edge import reporting
from tests import logwatch
from tests.harness import Platform


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """A second stream of the platform's own log, formatted as the first."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(reporting.logger.registered_formatter)
    logger = logging.getLogger("presage")
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)


def test_an_unforeseen_error_is_logged_without_what_it_carried(
    platform: Platform, written: io.StringIO
) -> None:
    user = platform.sign_in()
    call = platform.as_zone("api", platform.actor(user))
    error = RuntimeError(f"header Authorization: Bearer {user.token}, phone 01712345678")
    reporting.unhandled(call, "get_wallet", error)
    assert "RuntimeError" in written.getvalue()
    assert logwatch.leaked(written.getvalue()) == []
    assert "01712345678" not in written.getvalue()


def test_every_request_leaves_one_line_with_its_id(
    platform: Platform, written: io.StringIO
) -> None:
    user = platform.sign_in()
    answer = platform.call("get_wallet", token=user.token)
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [line["route"] for line in lines] == ["create_nonce", "connect_wallet", "get_wallet"]
    assert lines[-1]["request_id"] == answer.body["requestId"]
    assert lines[-1]["user_id"] == str(user.user_id)


def test_the_watch_sees_a_leak() -> None:
    logwatch.note("a secret of this test")
    assert logwatch.leaked("here is a secret of this test") == ["a secret of this test"]
    assert logwatch.leaked("here is none") == []
