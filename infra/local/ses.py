"""Amazon SES v2 for a developer: moto's server, which prints every mail instead of sending it.

Run: `python -m infra.local.ses --port N --sender ADDRESS`. It has its port at once and imports moto
then: a mail that comes in the second between waits in the queue of connections.
"""

import argparse
import io
import json
import os
import socket
from collections.abc import Callable, Iterable
from typing import Any

from infra.local.asgi import end_with_parent, listening_line
from infra.local.ports import LOOPBACK

REGION = "us-east-1"
SEND_PATH = "/v2/email/outbound-emails"

type Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Printed:
    """A WSGI application whose mails are printed as they come."""

    def __init__(self, application: Wsgi) -> None:
        self._application = application

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Serve one request, and print it when it is a mail."""
        if environ["PATH_INFO"] == SEND_PATH:
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(body)
            print(_shown(json.loads(body)), flush=True)
        return self._application(environ, start_response)


def _shown(request: dict[str, Any]) -> str:
    mail = request["Content"]["Simple"]
    to = ", ".join(request["Destination"]["ToAddresses"])
    return f"mail to {to}: {mail['Subject']['Data']}\n{mail['Body']['Text']['Data']}"


def main() -> None:
    """Serve until the supervisor ends it, or is gone."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--sender", required=True, help="the identity that may send")
    options = parser.parse_args()
    end_with_parent()
    listener = socket.create_server((LOOPBACK, options.port), backlog=128)
    print(listening_line(os.getpid()), flush=True)

    from moto.core.models import DEFAULT_ACCOUNT_ID  # noqa: PLC0415 - a second, after the port
    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from moto.ses.models import ses_backends  # noqa: PLC0415
    from werkzeug.serving import make_server  # noqa: PLC0415

    ses_backends[DEFAULT_ACCOUNT_ID][REGION].verify_email_identity(options.sender)
    make_server(
        LOOPBACK,
        options.port,
        Printed(DomainDispatcherApplication(create_backend_app)),
        threaded=True,
        request_handler=MotoRequestHandler,
        fd=listener.fileno(),
    ).serve_forever()


if __name__ == "__main__":
    main()
