"""Slack and PagerDuty on loopback: what they were sent, checked as they check it, and faults."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SLACK_PATH = "/services/T000/B000/webhook"
PAGERDUTY_PATH = "/v2/enqueue"
ROUTING_KEY = "0123456789abcdef0123456789abcdef"
_SEVERITIES = {"critical", "error", "warning", "info"}


@dataclass
class Receiver:
    """One server for both. `faults` are answered first, one a request: a status, or a delay."""

    url: str = ""
    slack: list[dict[str, Any]] = field(default_factory=list)
    pagerduty: list[dict[str, Any]] = field(default_factory=list)
    faults: dict[str, list[int | float]] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    retry_after: str | None = None
    released: threading.Event = field(default_factory=threading.Event)

    def take(self, path: str, body: dict[str, Any]) -> tuple[int, str]:
        """The status and body for a post, by the rules of whom it is for."""
        match path:
            case "/services/T000/B000/webhook":
                problem = _slack_problem(body)
                if problem:
                    return 400, problem
                self.slack.append(body)
                return 200, "ok"
            case "/v2/enqueue":
                problem = _pagerduty_problem(body)
                if problem:
                    invalid = {"status": "invalid event", "errors": [problem]}
                    return 400, json.dumps(invalid)
                self.pagerduty.append(body)
                done = {"status": "success", "message": "Event processed"}
                return 202, json.dumps(done | {"dedup_key": body["dedup_key"]})
        return 404, "no_service"


def _slack_problem(body: dict[str, Any]) -> str | None:
    """What a webhook refuses: no text, over 50 blocks, block texts that are empty or too long."""
    if not body.get("text") or not 1 <= len(body.get("blocks", [])) <= 50:
        return "invalid_payload"
    for block in body["blocks"]:
        match block:
            case {"type": "header", "text": {"type": "plain_text", "text": str(text)}}:
                most = 150
            case {"type": "section", "text": {"type": "mrkdwn", "text": str(text)}}:
                most = 3_000
            case {"type": "context", "elements": [{"type": "mrkdwn", "text": str(text)}]}:
                most = 3_000
            case _:
                return "invalid_blocks"
        if not 1 <= len(text) <= most:
            return "invalid_blocks"
    return None


def _pagerduty_problem(body: dict[str, Any]) -> str | None:
    """What Events API v2 requires of a trigger, and of an acknowledgement."""
    payload = body.get("payload", {})
    if body.get("routing_key") != ROUTING_KEY:
        return "'routing_key' is invalid"
    action, key = body.get("event_action"), body.get("dedup_key", "")
    if action == "acknowledge" and 1 <= len(key) <= 255:
        return None
    if action != "trigger" or len(key) > 255:
        return "'event_action' or 'dedup_key' is invalid"
    if not 1 <= len(payload.get("summary", "")) <= 1024 or not payload.get("source"):
        return "'payload.summary' or 'payload.source' is invalid"
    return None if payload.get("severity") in _SEVERITIES else "'payload.severity' is invalid"


@contextmanager
def serve_receiver() -> Iterator[Receiver]:
    """Run it on loopback."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            receiver.asked[self.path] = receiver.asked.get(self.path, 0) + 1
            faults = receiver.faults.get(self.path, [])
            fault = faults.pop(0) if faults else None
            if isinstance(fault, float):
                receiver.released.wait(fault)
                self.close_connection = True
                return
            status, text = (fault, "no") if fault else receiver.take(self.path, body)
            self.send_response(status)
            if fault and receiver.retry_after:
                self.send_header("retry-after", receiver.retry_after)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield receiver
    finally:
        receiver.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
