"""The API's own description: the OpenAPI document, and a page that lets people read and try it.

Both are the same for everybody until the next deployment. The page is Swagger UI as Powertools
brings it, all inside one answer, so that its policy names its scripts by hash and allows no other.
"""

import base64
import functools
import hashlib
from importlib import resources

from presage.call import Call
from presage.schema import Document, Nothing

_CACHED = {"Cache-Control": "public, max-age=300"}
_START = """
SwaggerUIBundle({url: "openapi.json", dom_id: "#ui", deepLinking: true,
  defaultModelsExpandDepth: 0, docExpansion: "none", filter: true});
"""


def get_openapi(call: Call, request: Nothing) -> Document:  # noqa: ARG001 - it has no fields
    """The OpenAPI document as `make docs` made it."""
    return Document(_openapi(), _CACHED)


def get_docs(call: Call, request: Nothing) -> Document:  # noqa: ARG001 - it has no fields
    """Swagger UI over `openapi.json` beside it, whatever prefix both are served under."""
    page, policy = _page()
    return Document(page, _CACHED | {"Content-Security-Policy": policy})


@functools.cache
def _openapi() -> str:
    return (resources.files("presage") / "openapi.json").read_text(encoding="utf-8")


@functools.cache
def _page() -> tuple[str, str]:
    """The page, and a content security policy that runs nothing but the page's own scripts."""
    ui = resources.files("aws_lambda_powertools.event_handler.openapi.swagger_ui")
    script = (ui / "swagger-ui-bundle.min.js").read_text(encoding="utf-8")
    style = (ui / "swagger-ui.min.css").read_text(encoding="utf-8")
    hashes = " ".join(f"'sha256-{_digest(one)}'" for one in (script, _START))
    page = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'><title>Presage API</title>"
        f"<style>{style}</style></head><body><div id='ui'></div>"
        f"<script>{script}</script><script>{_START}</script></body></html>"
    )
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src 'self' data:;"
        " connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return page, policy


def _digest(script: str) -> str:
    """What the policy calls an inline script by (CSP level 2)."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
