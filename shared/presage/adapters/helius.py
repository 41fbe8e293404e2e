"""Helius' own API: whether our webhook is on, and switching it on again.

Source: Helius' documentation of webhooks. One whose deliveries fail too often is switched off.
"""

from typing import Any

from presage import config
from presage.adapters import breaker
from presage.errors import UpstreamError

TIMEOUT_S = 4.0
_OK = 200


def is_configured() -> bool:
    """Whether there is a webhook to look after."""
    return bool(config.get("HELIUS_WEBHOOK_ID") and config.get("HELIUS_API_KEY"))


def enable_webhook() -> bool:
    """Switch the configured webhook on; whether it was off.

    Raises:
        UpstreamError: Helius did not answer, or does not know the webhook.
    """
    if _ask("GET", None).get("active") is not False:
        return False
    _ask("PATCH", {"active": True})
    return True


def _ask(method: str, body: dict[str, Any] | None) -> dict[str, Any]:
    return breaker.guarded("helius", lambda: _once(method, body))


def _once(method: str, body: dict[str, Any] | None) -> dict[str, Any]:
    import httpx

    url = f"{config.get('HELIUS_API_URL')}/v0/webhooks/{config.get('HELIUS_WEBHOOK_ID')}"
    key = {"api-key": config.get("HELIUS_API_KEY")}
    try:
        response = httpx.request(method, url, params=key, json=body, timeout=TIMEOUT_S)
        answer = response.json() if response.content else {}
    except httpx.HTTPError as error:
        # Not `from error`: its request holds the key.
        raise UpstreamError(f"Helius did not answer ({type(error).__name__}).") from None
    except ValueError:
        raise UpstreamError("Helius answered without JSON.") from None
    if response.status_code != _OK or not isinstance(answer, dict):
        raise UpstreamError(f"Helius refused ({response.status_code}).")
    return answer
