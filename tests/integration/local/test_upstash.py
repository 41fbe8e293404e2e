"""The REST bridge, driven by the vendor's SDK, over a real Valkey."""

import base64
import hashlib
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from upstash_redis import Redis
from upstash_redis.errors import UpstashError

from infra.local.valkey import Valkey

from .conftest import run_module

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from upstash_ratelimit import FixedWindow, Ratelimit, SlidingWindow, TokenBucket

TOKEN = "bridge-token"


@pytest.fixture(scope="module")
def url(valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("bridge")
    with run_module(
        "infra.local.upstash", folder, "--redis-port", str(valkey.port), "--token", TOKEN
    ) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def redis(url: str) -> Iterator[Redis]:
    with Redis(url, TOKEN, rest_retries=0, allow_telemetry=False) as client:
        client.flushall()
        yield client


def post(url: str, path: str, body: object, **headers: str) -> httpx.Response:
    authorization = {"Authorization": f"Bearer {TOKEN}"}
    return httpx.post(f"{url}{path}", json=body, headers=authorization | headers, timeout=5)


def test_strings_of_any_language_come_back(redis: Redis) -> None:
    for text in ("plain", "OK", "", "নির্বাচন ২০২৬", "line\r\n\x00end", "🎲"):
        assert redis.execute(["SET", "key", text])
        assert redis.get("key") == text
    assert redis.get("missing") is None


def test_types_of_replies(redis: Redis) -> None:
    assert redis.incr("n") == 1
    assert redis.hset("h", values={"a": 1, "b": "two"}) == 2
    assert redis.hgetall("h") == {"a": "1", "b": "two"}
    assert redis.mget("n", "missing") == ["1", None]
    assert redis.zadd("z", {"m": 1.5}) == 1
    assert redis.zscore("z", "m") == 1.5
    assert not redis.set("n", 2, nx=True)


def test_bytes_that_are_not_utf8_survive_base64(url: str, redis: Redis) -> None:
    raw = bytes(range(256))
    authorization = {"Authorization": f"Bearer {TOKEN}"}
    stored = httpx.post(f"{url}/set/binary", content=raw, headers=authorization, timeout=5)
    assert stored.json() == {"result": "OK"}
    answer = post(url, "/", ["GET", "binary"], **{"Upstash-Encoding": "base64"})
    assert base64.b64decode(answer.json()["result"]) == raw
    assert redis.execute(["STRLEN", "binary"]) == 256


def test_commands_in_the_path(url: str, redis: Redis) -> None:
    authorization = {"Authorization": f"Bearer {TOKEN}"}
    assert httpx.get(f"{url}/set/a%20b/c%2Fd?EX=100", headers=authorization, timeout=5).json() == {
        "result": "OK"
    }
    assert redis.get("a b") == "c/d"
    assert 0 < redis.ttl("a b") <= 100
    assert httpx.get(f"{url}/get/a%20b?_token={TOKEN}", timeout=5).json() == {"result": "c/d"}


def test_errors_keep_their_code(url: str, redis: Redis) -> None:
    redis.set("text", "x")
    with pytest.raises(UpstashError, match=r"^WRONGTYPE "):
        redis.lpush("text", "y")
    with pytest.raises(UpstashError, match=r"^ERR value is not an integer"):
        redis.incr("text")
    answer = post(url, "/", ["INCR", "text"])
    assert answer.status_code == 400
    assert answer.json() == {"error": "ERR value is not an integer or out of range"}


@pytest.mark.parametrize(
    "body", [{}, [], ["SUBSCRIBE", "x"], [["GET"]], [None], "GET", ["BLPOP", "x", 0]]
)
def test_what_is_not_a_command_is_refused(url: str, body: object) -> None:
    answer = post(url, "/", body)
    assert (answer.status_code, answer.json()["error"][:4]) == (400, "ERR ")


def test_a_wrong_token_is_refused(url: str) -> None:
    answer = post(url, "/", ["PING"], Authorization="Bearer wrong")
    assert (answer.status_code, answer.json()) == (401, {"error": "Unauthorized"})
    assert httpx.get(f"{url}/get/x", timeout=5).status_code == 401


def test_one_error_leaves_the_rest_of_a_pipeline(url: str, redis: Redis) -> None:
    redis.set("text", "x")
    answer = post(url, "/pipeline", [["SET", "a", 1], ["INCR", "text"], ["GET", "a"]])
    assert answer.status_code == 200
    assert answer.json() == [
        {"result": "OK"},
        {"error": "ERR value is not an integer or out of range"},
        {"result": "1"},
    ]
    pipeline = redis.pipeline()
    pipeline.set("b", "2")
    pipeline.get("b")
    assert pipeline.exec() == [True, "2"]


def test_multi_is_atomic(url: str, redis: Redis) -> None:
    multi = redis.multi()
    multi.incr("n")
    multi.incr("n")
    assert multi.exec() == [1, 2]
    answer = post(url, "/multi-exec", [["SET", "kept-out", 1], ["NO-SUCH-COMMAND"]])
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("ERR unknown command")
    assert redis.get("kept-out") is None


def test_scripts(url: str, redis: Redis) -> None:
    script = "redis.call('SET', KEYS[1], ARGV[1]) return {KEYS[1], ARGV[1], 7}"
    assert redis.eval(script, keys=["k"], args=["v"]) == ["k", "v", 7]
    sha = redis.script_load(script)
    assert redis.evalsha(sha, keys=["k"], args=["w"]) == ["k", "w", 7]
    flagged = "#!lua flags=allow-key-locking,no-writes\nreturn ARGV[1]"
    assert redis.eval(flagged, keys=[], args=["a"]) == "a"
    digest = hashlib.sha1(flagged.encode(), usedforsecurity=False).hexdigest()
    assert redis.evalsha(digest, keys=[], args=["b"]) == "b"
    assert redis.script_exists(digest, sha, "0" * 40) == [True, True, False]
    answer = post(url, "/", ["EVALSHA", "0" * 40, 0])
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("NOSCRIPT ")


@pytest.mark.parametrize(
    "limiter",
    [
        FixedWindow(max_requests=3, window=100, unit="s"),
        SlidingWindow(max_requests=3, window=100, unit="s"),
        TokenBucket(max_tokens=3, refill_rate=1, interval=100, unit="s"),
    ],
    ids=lambda limiter: type(limiter).__name__,
)
def test_the_vendors_rate_limiter(
    redis: Redis, limiter: FixedWindow | SlidingWindow | TokenBucket
) -> None:
    limit = Ratelimit(redis=redis, limiter=limiter, prefix="limit")
    answers = [limit.limit("somebody") for _ in range(4)]
    assert [answer.allowed for answer in answers] == [True, True, True, False]
    assert [answer.remaining for answer in answers[:3]] == [2, 1, 0]
    assert limit.limit("somebody else").allowed


def test_concurrent_callers_get_their_own_answers(url: str, redis: Redis) -> None:
    with httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10) as client:

        def echo(number: int) -> bool:
            text = f"{number}-" + "x" * (number % 50)
            answer = client.post(f"{url}/pipeline", json=[["ECHO", text], ["PING"]])
            expected = [{"result": text}, {"result": "PONG"}]
            return bool(answer.json() == expected)

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(echo, range(200)))
    assert redis.ping() == "PONG"


def test_a_lost_redis_is_503_and_its_return_is_noticed(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("lost")
    with (
        Valkey() as server,
        run_module(
            "infra.local.upstash", folder, "--redis-port", str(server.port), "--token", TOKEN
        ) as bridge,
    ):
        port, url = server.port, f"http://127.0.0.1:{bridge}"
        assert post(url, "/", ["PING"]).json() == {"result": "PONG"}
        server.stop()
        assert post(url, "/", ["PING"]).status_code == 503
        with Valkey().start(port=port):
            assert post(url, "/", ["PING"]).json() == {"result": "PONG"}


def test_a_body_over_ten_megabytes_is_refused(url: str) -> None:
    assert post(url, "/", ["SET", "big", "x" * (10 * 1024 * 1024)]).status_code == 413
