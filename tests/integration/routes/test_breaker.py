"""The circuit breaker: five failures open it, a minute later one probe decides."""

import httpx
import pytest

from presage.adapters.breaker import FAILURES_TO_OPEN, guarded
from presage.errors import UpstreamError
from tests.harness import Platform


class Service:
    """A foreign service that works or does not, and counts how often it was asked."""

    def __init__(self) -> None:
        self.works = False
        self.asked = 0

    def __call__(self) -> str:
        """One call of it."""
        self.asked += 1
        if not self.works:
            raise UpstreamError
        return "fine"


def _ask(service: Service, times: int) -> None:
    for _ in range(times):
        with pytest.raises(UpstreamError):
            guarded("venue", service)


@pytest.mark.usefixtures("platform")
def test_five_failures_open_it_and_a_probe_closes_it(redis_url: str) -> None:
    service = Service()
    _ask(service, FAILURES_TO_OPEN + 3)
    assert service.asked == FAILURES_TO_OPEN
    _expire(redis_url, "breaker:venue:open")
    _ask(service, 1)
    # The probe failed, so it is open again.
    _ask(service, 3)
    assert service.asked == FAILURES_TO_OPEN + 1
    _expire(redis_url, "breaker:venue:open")
    service.works = True
    assert [guarded("venue", service) for _ in range(3)] == ["fine"] * 3
    service.works = False
    _ask(service, 1)
    service.works = True
    assert guarded("venue", service) == "fine"


@pytest.mark.usefixtures("platform")
def test_only_one_probe_goes_through(redis_url: str) -> None:
    service = Service()
    _ask(service, FAILURES_TO_OPEN)
    _expire(redis_url, "breaker:venue:open")

    def slow() -> str:
        _ask(service, 2)
        return "fine"

    asked = service.asked
    assert guarded("venue", slow) == "fine"
    assert service.asked == asked


def test_without_redis_every_call_is_tried(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPSTASH_REDIS_REST_URL", "http://127.0.0.1:9")
    platform.close()
    service = Service()
    _ask(service, FAILURES_TO_OPEN + 2)
    assert service.asked == FAILURES_TO_OPEN + 2


def _expire(redis_url: str, key: str) -> None:
    """Let a key run out now."""
    authorized = {"Authorization": "Bearer test-token"}
    httpx.post(redis_url, json=["DEL", key], headers=authorized).raise_for_status()
