"""Sign-in by contract wallets (ERC-1271): what the contract says counts, and only that."""

from collections.abc import Iterator
from typing import get_args

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from presage.adapters import evm_rpc
from presage.adapters.breaker import FAILURES_TO_OPEN
from presage.identity.siwe import checksum_address
from tests.evm_node import EvmNode, Fault
from tests.harness import Answer, Platform

OWNER = Account.from_key("0x" + "e5" * 32)
SECOND = Account.from_key("0x" + "e6" * 32)
STRANGER = Account.from_key("0x" + "e7" * 32)
WALLET = checksum_address("0x" + "5a" * 20)
MULTISIG = checksum_address("0x" + "5b" * 20)
BROKEN = checksum_address("0x" + "5c" * 20)


@pytest.fixture
def node(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Iterator[EvmNode]:
    assert platform
    wallets = {WALLET: [OWNER.address], MULTISIG: [OWNER.address, SECOND.address], BROKEN: []}
    served = EvmNode(wallets)
    with served.serve() as url:
        monkeypatch.setenv("EVM_RPC_URL", url)
        yield served


def _challenge(platform: Platform, address: str) -> str:
    answered = platform.call("create_nonce", body={"address": address}).data["message"]
    assert isinstance(answered, str)
    return answered


def _signature(message: str, *signers: object) -> str:
    signable = encode_defunct(text=message)
    return "0x" + "".join(
        signer.sign_message(signable).signature.hex()  # type: ignore[attr-defined]
        for signer in signers
    )


def _connect(platform: Platform, address: str, message: str, signature: str) -> Answer:
    body = {"address": address, "message": message, "signature": signature}
    return platform.call("connect_wallet", body=body)


@pytest.mark.parametrize(("address", "owners"), [(WALLET, [OWNER]), (MULTISIG, [OWNER, SECOND])])
def test_a_contract_wallet_comes_in(
    address: str, owners: list[object], platform: Platform, node: EvmNode
) -> None:
    message = _challenge(platform, address)
    connected = _connect(platform, address, message, _signature(message, *owners))
    assert connected.data["session"]["user"]["address"] == address
    assert _connect(platform, address, message, _signature(message, *owners)).status == 401
    token = connected.data["token"]
    assert platform.call("get_session", token=token).data["user"]["address"] == address
    assert node.calls[0]["to"] == address
    assert int(node.calls[0]["gas"], 16) == evm_rpc.GAS


def test_what_the_contract_refuses_is_refused(platform: Platform, node: EvmNode) -> None:
    message = _challenge(platform, WALLET)
    for address, signature in (
        (WALLET, _signature(message, STRANGER)),
        (WALLET, _signature(message + " ", OWNER)),
        (WALLET, _signature(message, OWNER, SECOND)),
        (BROKEN, _signature(message, OWNER)),
        # No code stands there: an ordinary wallet has nobody to speak for it.
        (STRANGER.address, _signature(message, OWNER)),
    ):
        assert _connect(platform, address, message, signature).status == 401
    asked = len(node.calls)
    assert asked == 5
    assert _connect(platform, WALLET, message, "0xzz").status == 401
    assert len(node.calls) == asked
    assert _connect(platform, WALLET, message, _signature(message, OWNER)).status == 200


def test_a_contracts_word_for_another_message_opens_nothing(
    platform: Platform, node: EvmNode
) -> None:
    """The contract vouches for the text; the challenge must still be ours."""
    message = _challenge(platform, WALLET)
    altered = message.replace("app.example.com wants", "evil.example.com wants")
    assert _connect(platform, WALLET, altered, _signature(altered, OWNER)).status == 401
    other = _challenge(platform, MULTISIG)
    assert _connect(platform, WALLET, other, _signature(other, OWNER)).status == 401
    assert len(node.calls) == 2


def test_an_ordinary_wallet_asks_nobody(platform: Platform, node: EvmNode) -> None:
    platform.sign_in()
    assert node.calls == []


def test_without_a_node_contracts_stay_out(platform: Platform) -> None:
    message = _challenge(platform, WALLET)
    assert _connect(platform, WALLET, message, _signature(message, OWNER)).status == 401


@pytest.mark.parametrize("fault", get_args(Fault.__value__))
def test_a_node_that_cannot_answer_keeps_the_nonce_good(
    fault: Fault, platform: Platform, node: EvmNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evm_rpc, "TIMEOUT_S", 0.3)
    message = _challenge(platform, WALLET)
    node.fault = fault
    failed = _connect(platform, WALLET, message, _signature(message, OWNER))
    assert (failed.status, failed.body["code"]) == (502, "UPSTREAM_ERROR")
    assert failed.body["retryable"] is True
    # It is asked once: whoever wants to try again does.
    assert len(node.calls) == 1
    node.fault = None
    assert _connect(platform, WALLET, message, _signature(message, OWNER)).status == 200


def test_a_node_that_is_down_is_left_alone(platform: Platform, node: EvmNode) -> None:
    message = _challenge(platform, WALLET)
    node.fault = "server error"
    statuses = [
        _connect(platform, WALLET, message, _signature(message, OWNER)).status
        for _ in range(FAILURES_TO_OPEN + 2)
    ]
    assert statuses == [502] * (FAILURES_TO_OPEN + 2)
    assert len(node.calls) == FAILURES_TO_OPEN
    # Ordinary wallets come in as ever.
    assert platform.sign_in().token


def test_contracts_that_refuse_do_not_open_the_breaker(platform: Platform, node: EvmNode) -> None:
    message = _challenge(platform, WALLET)
    for _ in range(FAILURES_TO_OPEN + 1):
        assert _connect(platform, BROKEN, message, _signature(message, OWNER)).status == 401
    assert _connect(platform, WALLET, message, _signature(message, OWNER)).status == 200
    assert len(node.calls) == FAILURES_TO_OPEN + 2


def test_a_signature_has_a_bound(platform: Platform, node: EvmNode) -> None:
    message = _challenge(platform, WALLET)
    refused = _connect(platform, WALLET, message, "0x" + "00" * 2_049)
    assert (refused.status, refused.body["details"]["field"]) == (400, "signature")
    assert node.calls == []
