"""Where a request comes from: the gateway's own word, or the front's when it proves itself.

An HTTP API cannot carry a WAF, so CloudFront may stand before it. It sends ORIGIN_SECRET in
x-origin-secret and the caller in CloudFront-Viewer-Address (`address:port`); without the secret
neither header means anything.
"""

from presage import config
from presage.edge import auth
from presage.edge.request import Request
from presage.errors import ForbiddenError
from presage.routes import Route


def caller_ip(request: Request, route: Route) -> str:
    """The caller's address.

    Raises:
        ForbiddenError: ORIGIN_SECRET is set and the request does not carry it.
    """
    secrets = [secret for secret in config.get("ORIGIN_SECRET").split(",") if secret]
    if not secrets:
        return request.ip
    given = request.headers.get("x-origin-secret", "")
    if any(auth.same(given, secret) for secret in secrets):
        return _viewer(request.headers.get("cloudfront-viewer-address", "")) or request.ip
    if route.direct:
        return request.ip
    raise ForbiddenError("Requests must come through the platform's own domain.")


def _viewer(header: str) -> str | None:
    """The address in `198.51.100.10:46532`, `2001:db8::1:46532` or `[2001:db8::1]:46532`."""
    import ipaddress

    address, _, _port = header.rpartition(":")
    try:
        return str(ipaddress.ip_address(address.removeprefix("[").removesuffix("]")))
    except ValueError:
        return None
