"""`webhook()`: everything between a sender's delivery and a service.

The sender shows HELIUS_WEBHOOK_SECRET in Authorization, as it was told to when the webhook was
made; a relay may sign the raw body too. Nothing is read before that, and nobody is let in while the
secret is not configured.
"""

import hashlib
import hmac
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from presage import clock, config
from presage.call import Call
from presage.edge import auth, cache, http, origin, reporting
from presage.edge.request import MAX_BODY_BYTES, Request
from presage.errors import BadRequestError, PresageError, UnauthorizedError
from presage.routes import ROUTES, Route
from presage.schema import Nothing, ResponseModel

SIGNATURE_HEADER = "x-helius-signature"
_GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True)
class Webhook[ResponseT: ResponseModel]:
    """A Lambda handler that gets bytes: its service reads them."""

    route: Route
    service: Callable[[Call, bytes], ResponseT]
    response_model: type[ResponseT]
    request_model: type[Nothing] = Nothing

    def __call__(self, event: dict[str, Any], context: object) -> http.Answer:  # noqa: ARG002 - Lambda's
        """Serve one delivery (an API Gateway HTTP API event, payload 2.0)."""
        began = time.perf_counter()
        request = Request.from_event(event)
        call = Call(
            zone=self.route.zone, now=clock.now(), request_id=request.request_id, ip=request.ip
        )
        try:
            call.ip = origin.caller_ip(request, self.route)
            answer = self._serve(call, request)
        except PresageError as error:
            answer = http.failure(call, error)
        except Exception as error:  # noqa: BLE001 - the edge is where the unexpected ends
            reporting.unhandled(call, self.route.stem, error)
            answer = http.failure(call, PresageError())
        reporting.served(call, self.route.stem, answer["statusCode"], began)
        return answer

    def _serve(self, call: Call, request: Request) -> http.Answer:
        _require_secret(request.headers.get("authorization", ""))
        raw = request.body_bytes()
        _require_signature(request.headers.get(SIGNATURE_HEADER, ""), raw)
        body = _unpacked(raw, request.headers.get("content-encoding", ""))
        done = self.service(call, body)
        cache.drop(call)
        data = orjson.dumps(done.model_dump(by_alias=True))
        return http.success(call, self.route.status, data, None)


def _require_secret(shown: str) -> None:
    """Refuse a delivery that does not show the secret, or one of two while it changes."""
    secrets = [one for one in config.get("HELIUS_WEBHOOK_SECRET").split(",") if one]
    if not any(auth.same(shown, secret) for secret in secrets):
        raise UnauthorizedError("Only the configured webhook calls this.")


def _require_signature(shown: str, body: bytes) -> None:
    """Refuse a body that is not signed, where a relay signs: HMAC-SHA256 in hex."""
    key = config.get("HELIUS_HMAC_SECRET")
    if not key:
        return
    expected = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    if not auth.same(shown.removeprefix("sha256=").lower(), expected):
        raise UnauthorizedError("The body's signature is missing or wrong.")


def _unpacked(body: bytes, encoding: str) -> bytes:
    """The body itself; gzip is unpacked up to the limit and not a byte further.

    Raises:
        BadRequestError: it is over 1 MB unpacked, or not what its Content-Encoding says.
    """
    if encoding.strip().lower() in {"", "identity"}:
        return body
    if encoding.strip().lower() not in {"gzip", "x-gzip"}:
        raise BadRequestError("Content-Encoding may be gzip.", field="Content-Encoding")
    unpacker = zlib.decompressobj(_GZIP)
    try:
        unpacked = unpacker.decompress(body, MAX_BODY_BYTES + 1)
    except zlib.error:
        raise BadRequestError("The body is not gzip.", field="body") from None
    if len(unpacked) > MAX_BODY_BYTES:
        raise BadRequestError("The body is over 1 MB.", field="body")
    if not unpacker.eof or unpacker.unused_data:
        raise BadRequestError("The body is not one whole gzip.", field="body")
    return unpacked


def webhook[ResponseT: ResponseModel](
    stem: str, service: Callable[[Call, bytes], ResponseT], response_model: type[ResponseT]
) -> Webhook[ResponseT]:
    """The Lambda handler of the webhook `stem`."""
    response_model.model_rebuild()
    return Webhook(ROUTES[stem], service, response_model)
