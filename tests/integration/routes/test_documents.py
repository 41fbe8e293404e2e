"""The API's description as a browser and a generator get it."""

import base64
import hashlib
import json
import re

from presage.routes import ROUTES
from tests.harness import Platform


def test_the_openapi_document_names_every_route(platform: Platform) -> None:
    answer = platform.call("get_openapi")
    assert answer.headers["content-type"].startswith("application/vnd.oai.openapi+json")
    paths = json.loads(answer.text)["paths"]
    served = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert served == {(route.method, route.path) for route in ROUTES.values()}


def test_the_page_may_run_its_own_scripts_and_no_other(platform: Platform) -> None:
    answer = platform.call("get_docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    scripts = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    digests = [hashlib.sha256(script.encode()).digest() for script in scripts]
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    assert f"script-src {hashes};" in policy
    assert "SwaggerUIBundle({url" in scripts[1]
    assert len(scripts) == 2
    assert "default-src 'none'" in policy
