"""The local programs' client: its signatures, and what it counts as what."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from infra.local.client import ApiClient, ApiError, OrderRefusedError, Traffic, Wallet
from infra.local.ports import free_port
from presage.identity.siwe import recover_address

ANSWERS = {
    "/wallet": (200, b'{"success":true,"data":{"available":0.1,"locked":2}}'),
    "/refused": (409, b'{"success":false,"error":"No.","code":"CONFLICT"}'),
    "/broken": (503, b'{"message":"Service Unavailable"}'),
    "/garbled": (502, b"<html>"),
}


class Handler(BaseHTTPRequestHandler):
    """Answers reads by path and refuses orders."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """A fixed answer."""
        self._answer(*ANSWERS[self.path])

    def do_POST(self) -> None:
        """A refusal."""
        self.rfile.read(int(self.headers["content-length"]))
        self._answer(402, b'{"success":false,"error":"No.","code":"INSUFFICIENT_FUNDS"}')

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def api() -> Iterator[ApiClient]:
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        with ApiClient(f"http://127.0.0.1:{server.server_port}") as client:
            yield client
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_wallet_is_its_seeds_and_signs_as_the_library_does() -> None:
    one, again, other = Wallet("seed"), Wallet("seed"), Wallet("other")
    assert one.address == again.address != other.address
    text = "Sign in.\n\nবাংলা"
    assert recover_address(text, one.sign(text)) == one.address
    recovered = Account.recover_message(encode_defunct(text=text), signature=one.sign(text))
    assert recovered == one.address


def test_decimals_are_exact(api: ApiClient) -> None:
    assert [str(amount) for amount in api.wallet()] == ["0.1", "2"]
    assert (api.traffic.requests, api.traffic.errors) == (1, 0)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [("/refused", 409, "CONFLICT"), ("/broken", 503, "GATEWAY"), ("/garbled", 502, "GATEWAY")],
)
def test_what_was_not_expected_is_an_error(
    api: ApiClient, path: str, status: int, code: str
) -> None:
    with pytest.raises(ApiError) as caught:
        api.get(path)
    assert (caught.value.status, caught.value.code) == (status, code)
    assert (api.traffic.errors, len(api.traffic.samples)) == (1, 1)


def test_an_orders_refusal_is_a_reject_and_no_error(api: ApiClient) -> None:
    with pytest.raises(OrderRefusedError):
        api.place_order({"marketId": "m"})
    assert api.traffic.rejects == {"INSUFFICIENT_FUNDS": 1}
    assert (api.traffic.orders, api.traffic.errors, len(api.traffic.order_ms)) == (0, 0, 1)


def test_a_refused_slip_or_change_is_a_reject_and_no_error(api: ApiClient) -> None:
    with pytest.raises(OrderRefusedError):
        api.place_slip([{"marketId": "m"}], "atomic", "k1")
    with pytest.raises(OrderRefusedError):
        api.change_shares("split", "m", None, "1", "k2")
    assert api.traffic.rejects == {"INSUFFICIENT_FUNDS": 2}
    assert (api.traffic.orders, api.traffic.errors, api.traffic.changes) == (0, 0, {})
    assert api.traffic.order_ms == []


def test_nobody_at_the_door_is_an_error() -> None:
    traffic = Traffic()
    with (
        ApiClient(f"http://127.0.0.1:{free_port()}", traffic) as nobody,
        pytest.raises(ApiError) as caught,
    ):
        nobody.place_order({})
    assert (caught.value.code, traffic.errors, traffic.rejects) == ("TRANSPORT", 1, {})


def test_percentiles_are_of_the_orders() -> None:
    traffic = Traffic(order_ms=[5.0, 1.0, 3.0, 2.0, 4.0])
    assert [traffic.percentile_ms(percent) for percent in (0, 50, 95, 100)] == [1.0, 3.0, 4.0, 5.0]
    assert Traffic().percentile_ms(50) == 0.0
