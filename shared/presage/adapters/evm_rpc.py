"""An EVM node's JSON-RPC: asking a contract wallet whether a signature is its own (ERC-1271).

Protocols: ERC-1271 `isValidSignature(bytes32,bytes)`, magic value 0x1626ba7e; Ethereum JSON-RPC
`eth_call`. Off unless EVM_RPC_URL is set. One bounded try under a breaker: a stranger may ask for
it, so it is never repeated, and the gas it may burn is limited.
"""

from typing import Any

from presage import config
from presage.adapters import breaker
from presage.errors import UpstreamError

TIMEOUT_S = 2.0
GAS = 5_000_000
MAX_ANSWER_BYTES = 100_000
_SELECTOR = bytes.fromhex("1626ba7e")
_WORD = 32
# bytes4 as an ABI word: the selector, then zeros.
_VALID = _SELECTOR + bytes(_WORD - len(_SELECTOR))
# The contract ran and failed: revert (3), geth's failed execution (-32000), Nethermind's (-32015).
_FAILED_CALLS = frozenset({3, -32000, -32015})
_OK = 200


def is_configured() -> bool:
    """Whether there is a node to ask."""
    return bool(config.get("EVM_RPC_URL"))


def is_valid_signature(address: str, digest: bytes, signature: bytes) -> bool:
    """Whether the contract at `address` says that `signature` of the 32-byte `digest` is its own.

    An address without code, a call that reverts and any other answer are a no.

    Raises:
        UpstreamError: the node did not answer, or not as a node does.
    """
    data = call_data(digest, signature)
    params = [{"to": address, "data": f"0x{data.hex()}", "gas": hex(GAS)}, "latest"]
    return breaker.guarded("evm_rpc", lambda: _eth_call(params)) == _VALID


def call_data(digest: bytes, signature: bytes) -> bytes:
    """The call `isValidSignature(digest, signature)` by the ABI: hash, offset, length, bytes."""
    padding = bytes(-len(signature) % _WORD)
    head = digest + (2 * _WORD).to_bytes(_WORD) + len(signature).to_bytes(_WORD)
    return _SELECTOR + head + signature + padding


def _eth_call(params: list[Any]) -> bytes:
    """What the call returned, empty when it failed in the contract."""
    import httpx

    request = {"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": params}
    try:
        response = httpx.post(config.get("EVM_RPC_URL"), json=request, timeout=TIMEOUT_S)
        if response.status_code != _OK or len(response.content) > MAX_ANSWER_BYTES:
            raise UpstreamError("The EVM node refused the call.")
        answer = response.json()
        if "error" in answer:
            if answer["error"]["code"] in _FAILED_CALLS:
                return b""
            raise UpstreamError("The EVM node refused the call.")
        return bytes.fromhex(answer["result"].removeprefix("0x"))
    except httpx.HTTPError as error:
        raise UpstreamError("The EVM node did not answer.") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UpstreamError("The EVM node's answer has another shape.") from error
