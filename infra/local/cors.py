"""CORS as an HTTP API answers it: from its configuration, whatever the function says.

Source: "Configuring CORS for an HTTP API" in the API Gateway developer guide.
"""

from collections.abc import Mapping

from infra.local.asgi import Headers
from infra.local.template import Cors

_PREFIX = b"access-control-"


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a request is a browser's question before the real one."""
    return method == "OPTIONS" and "origin" in headers


def preflight_headers(cors: Cors, headers: Mapping[str, str]) -> Headers:
    """The headers of the 204 to a preflight; none for an origin that is not allowed."""
    allowed = _origin_headers(cors, headers)
    if not allowed:
        return []
    if cors.methods:
        allowed.append((b"access-control-allow-methods", ",".join(cors.methods).encode()))
    if cors.headers:
        allowed.append((b"access-control-allow-headers", ",".join(cors.headers).encode()))
    if cors.max_age_s is not None:
        allowed.append((b"access-control-max-age", str(cors.max_age_s).encode()))
    return allowed


def with_cors(cors: Cors | None, headers: Mapping[str, str], answer: Headers) -> Headers:
    """A function's answer with the API's CORS headers in place of its own."""
    if cors is None:
        return answer
    kept = [(name, value) for name, value in answer if not name.startswith(_PREFIX)]
    allowed = _origin_headers(cors, headers)
    if allowed and cors.expose:
        allowed.append((b"access-control-expose-headers", ",".join(cors.expose).encode()))
    return kept + allowed


def _origin_headers(cors: Cors, headers: Mapping[str, str]) -> Headers:
    origin = headers.get("origin")
    if origin is None or not ("*" in cors.origins or origin in cors.origins):
        return []
    value = "*" if "*" in cors.origins and not cors.credentials else origin
    allowed = [(b"access-control-allow-origin", value.encode())]
    if value != "*":
        allowed.append((b"vary", b"Origin"))
    if cors.credentials:
        allowed.append((b"access-control-allow-credentials", b"true"))
    return allowed
