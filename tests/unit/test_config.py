"""Secrets by the AWS extension: what it fails to give is not taken for unset."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from presage import clock, config
from presage.adapters import redis
from presage.call import Call
from presage.edge import reporting
from presage.errors import UnavailableError

# Its body says no more than this of what is missing, forbidden, throttled or failed; and that
# while it starts.
REFUSED = (400, "an unexpected error occurred while executing request")
STARTING = (400, "not ready to serve traffic, please wait")


def _given(secret: str) -> tuple[int, str]:
    return 200, json.dumps({"Name": "presage/dev/X", "SecretString": secret})


class Extension:
    """The extension: gives the answers in turn, and the last one for ever."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answers: list[tuple[int, str]] = []
        self.asked: list[tuple[str, str | None]] = []


@pytest.fixture
def extension(monkeypatch: pytest.MonkeyPatch) -> Iterator[Extension]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked.append((self.path, self.headers["X-Aws-Parameters-Secrets-Token"]))
            status, body = told.answers.pop(0) if len(told.answers) > 1 else told.answers[0]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told = Extension(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    for name in ("ORIGIN_SECRET", "SENTRY_DSN", "EMAIL_LINK_KEY", "ABSENT_SECRETS", "STAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "a-function")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "the-token")
    monkeypatch.setenv("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", str(told.port))
    monkeypatch.setattr(config, "SECRETS_BACKOFF_S", 0.0)
    config._from_secrets_extension.cache_clear()  # noqa: SLF001 - a new execution environment
    yield told
    config._from_secrets_extension.cache_clear()  # noqa: SLF001
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("refusal", [REFUSED, STARTING, (500, "")])
def test_a_refusal_is_neither_unset_nor_kept(
    refusal: tuple[int, str], extension: Extension
) -> None:
    extension.answers = [refusal]
    with pytest.raises(UnavailableError):
        config.get("ORIGIN_SECRET")
    extension.answers = [_given("the front's")]
    assert config.get("ORIGIN_SECRET") == "the front's"


def test_it_is_asked_again_while_it_starts_and_once_it_has_answered_no_more(
    extension: Extension,
) -> None:
    extension.answers = [STARTING, STARTING, _given("the front's")]
    assert [config.get("ORIGIN_SECRET") for _ in range(2)] == ["the front's"] * 2
    asked = ("/secretsmanager/get?secretId=presage%2Fdev%2FORIGIN_SECRET", "the-token")
    assert extension.asked == [asked] * 3


def test_what_a_stage_does_without_is_not_asked_for(
    extension: Extension, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABSENT_SECRETS", "SENTRY_DSN, ORIGIN_SECRET,EMAIL_LINK_KEY")
    assert config.get("ORIGIN_SECRET") == ""
    with pytest.raises(UnavailableError):
        config.get("EMAIL_LINK_KEY")
    assert extension.asked == []


def test_nothing_that_listens_is_no_unset_secret(
    extension: Extension, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", "1")
    with pytest.raises(UnavailableError):
        config.get("ORIGIN_SECRET")
    assert extension.asked == []


def test_a_request_is_answered_when_no_secret_can_be_read(
    extension: Extension, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis.close()
    monkeypatch.delenv("UPSTASH_REDIS_REST_TOKEN", raising=False)
    monkeypatch.setenv("UPSTASH_REDIS_REST_URL", "http://127.0.0.1:1")
    extension.answers = [REFUSED]
    call = Call(zone="api", now=clock.now(), request_id="the-request", ip="127.0.0.1")
    reporting.unhandled(call, "list_markets", ValueError("unforeseen"))
    reporting.served(call, "list_markets", 500, time.perf_counter())
    asked = {path.rpartition("%2F")[2] for path, _ in extension.asked}
    assert asked == {"SENTRY_DSN", "UPSTASH_REDIS_REST_TOKEN"}
