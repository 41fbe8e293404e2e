"""Asking a public JSON service: a timeout, two bounded retries with jitter, and a breaker."""

import random
import time
from collections.abc import Mapping
from typing import Any

from presage.adapters import breaker
from presage.errors import UnprocessableError, UpstreamError

TIMEOUT_S = 4.0
ATTEMPTS = 3
BACKOFF_S = 0.2
_TOO_MANY = 429
_SERVER_ERROR = 500


def ask(
    source: str,
    url: str,
    *,
    params: Mapping[str, str | int] | None = None,
    body: Mapping[str, Any] | None = None,
) -> Any:  # noqa: ANN401 - the caller checks
    """The JSON that GET answers, or POST when there is a `body`; `source` names the breaker.

    Raises:
        UpstreamError: it did not answer, or not with JSON, or is overloaded.
        UnprocessableError: it refuses what was asked.
    """
    return breaker.guarded(source, lambda: _with_retries(source, url, params, body))


def _with_retries(
    source: str,
    url: str,
    params: Mapping[str, str | int] | None,
    body: Mapping[str, Any] | None,
) -> Any:  # noqa: ANN401 - as above
    import httpx

    for attempt in range(1, ATTEMPTS + 1):
        try:
            response = httpx.request(
                "GET" if body is None else "POST", url, params=params, json=body, timeout=TIMEOUT_S
            )
            if response.status_code != _TOO_MANY and response.status_code < _SERVER_ERROR:
                response.raise_for_status()
                return response.json()
        except httpx.HTTPStatusError as error:
            # Ours to mend and no outage: the breaker must not count it.
            raise UnprocessableError(f"{source} does not know what was asked for.") from error
        except (httpx.HTTPError, ValueError) as error:
            if attempt == ATTEMPTS:
                raise UpstreamError(f"{source} did not answer.") from error
        time.sleep(BACKOFF_S * attempt * (1 + random.random()))  # noqa: S311 - jitter
    raise UpstreamError(f"{source} is overloaded.")
