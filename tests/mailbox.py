"""SES v2 in the test's process: the mails that it took, and servers that take none."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SENDER = "presage@example.com"
_LINK = re.compile(r"https?://\S+")


class Mailbox:
    """What moto's SES has sent."""

    def __init__(self, url: str, backend: Any) -> None:
        self.url = url
        self._backend = backend

    @property
    def mails(self) -> list[Any]:
        """The mails sent since `clear`, oldest first."""
        return list(self._backend.sent_messages)

    def clear(self) -> None:
        """Forget what was sent."""
        self._backend.sent_messages.clear()

    def token(self) -> str:
        """The token of the link in the last mail."""
        found = _LINK.search(self.mails[-1].body)
        assert found is not None
        return found[0].rpartition("?token=")[2]


@contextmanager
def serve_mailbox() -> Iterator[Mailbox]:
    """Run moto's server on loopback, with the sender verified."""
    from moto.core.models import DEFAULT_ACCOUNT_ID  # noqa: PLC0415 - over a second to import
    from moto.server import ThreadedMotoServer  # noqa: PLC0415
    from moto.ses.models import ses_backends  # noqa: PLC0415

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        backend = ses_backends[DEFAULT_ACCOUNT_ID]["us-east-1"]
        backend.verify_email_identity(SENDER)
        yield Mailbox(f"http://127.0.0.1:{port}", backend)
    finally:
        server.stop()


class FaultyMailServer:
    """Answers every SES call with one status and error code, or not within `delay_s`."""

    def __init__(self, status: int, code: str, delay_s: float = 0.0) -> None:
        self.asked = 0
        self._released = threading.Event()
        self._answer = (status, code, delay_s)

    @contextmanager
    def serve(self) -> Iterator[str]:
        """Its address, while it runs."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            self._released.set()
            server.shutdown()
            thread.join()
            server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        faulty = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                faulty.asked += 1
                status, code, delay_s = faulty._answer
                if delay_s:
                    faulty._released.wait(delay_s)
                    self.close_connection = True
                    return
                body = json.dumps({"message": "no"}).encode()
                self.send_response(status)
                self.send_header("x-amzn-errortype", code)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler
