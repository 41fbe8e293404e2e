"""IPFS: a node that pins what we publish, and public gateways that give it back.

Protocols: Kubo RPC (`POST /api/v0/add` as multipart, `POST /api/v0/pin/rm`;
https://docs.ipfs.tech/reference/kubo/rpc/) and trustless retrieval from path gateways
(`GET /ipfs/{cid}`; https://specs.ipfs.tech/http-gateways/path-gateway/). Nobody is believed: the
node's CID must be ours, and a gateway's bytes must hash to the CID that was asked for. Off unless
IPFS_API_URL, and for reading IPFS_GATEWAYS, are set.
"""

import hashlib
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import urlsplit

from presage import config, metrics
from presage.adapters import breaker
from presage.errors import UnavailableError, UpstreamError
from presage.ipfs import cid as cids

_NODE = "ipfs_node"
NODE_TIMEOUT_S = 2.5
ATTEMPTS = 2
BACKOFF_S = 0.1
GATEWAY_TIMEOUT_S = 2.0
# A gateway that sends a byte now and then would keep within the timeout for ever.
GATEWAY_WHOLE_S = 2.5
# All gateways together stay inside an API route's 10 s.
FETCH_WITHIN_S = 5.0
MAX_BYTES = 5_000_000

_local = threading.local()


def is_configured() -> bool:
    """Whether there is a node to publish to."""
    return bool(config.get("IPFS_API_URL"))


def add(data: bytes, *, version: Literal[0, 1] = 1) -> str:
    """Have the node store and pin a block; answers its CID, which is the one that we compute.

    Version 1 is over the raw bytes, version 0 over a UnixFS file; adding again changes nothing.

    Raises:
        UpstreamError: the node did not take it, or named it otherwise.
        ValueError: it does not fit into a block.
    """
    return breaker.guarded(_NODE, lambda: _add(data, version))


def add_all(blocks: Sequence[bytes], added: list[str], *, until: float) -> None:
    """As `add`, version 1, of one after another until `time.monotonic` says `until`.

    `added` gets the CID of each that is pinned, whatever becomes of the next. For the breaker they
    are one question.
    """
    if not blocks or time.monotonic() > until:
        return  # who asked nothing has learnt nothing of the node

    def work() -> None:
        for data in blocks:
            if added and time.monotonic() > until:
                return
            added.append(_add(data, 1))

    breaker.guarded(_NODE, work)


@contextmanager
def connected() -> Iterator[None]:
    """Ask the node over one connection inside: to make one takes longer than to ask."""
    import httpx

    with httpx.Client() as client:
        _local.client = client
        try:
            yield
        finally:
            _local.client = None


def _add(data: bytes, version: Literal[0, 1]) -> str:
    expected = str(cids.of_raw(data) if version == 1 else cids.of_file(data))
    query = {
        "cid-version": str(version),
        "raw-leaves": "true" if version == 1 else "false",
        "pin": "true",
    }
    answer = _with_retries("add", query, data)
    if answer.get("Hash") != expected:
        raise UpstreamError("The IPFS node names the content otherwise.")
    return expected


def unpin(cid: str) -> None:
    """Let the node forget a block; one that is not pinned is forgotten already.

    Raises:
        UpstreamError: the node did not answer.
    """
    breaker.guarded(_NODE, lambda: _with_retries("pin/rm", {"arg": cid}, None))


def fetch(cid: str) -> bytes:
    """A block by its CID, from the first gateway that gives the right bytes.

    Raises:
        ValueError: it is no CID of ours.
        UnavailableError: no gateway is configured.
        UpstreamError: no gateway gave the right bytes.
    """
    wanted = cids.decode(cid)
    gateways = [one.strip() for one in config.get("IPFS_GATEWAYS").split(",") if one.strip()]
    if not gateways:
        raise UnavailableError("The setting IPFS_GATEWAYS is missing.")
    began = time.monotonic()
    for gateway in gateways:
        if time.monotonic() - began > FETCH_WITHIN_S:
            break
        # By hash: a breaker's name is shown, and an address may hold a key.
        name = f"ipfs-{hashlib.sha256(gateway.encode()).hexdigest()[:16]}"
        try:
            return breaker.guarded(name, lambda gateway=gateway: _get(gateway, cid, wanted))  # type: ignore[misc]
        except UpstreamError:
            metrics.count("IpfsGatewayFailures", gateway=urlsplit(gateway).hostname or "unknown")
    raise UpstreamError("No IPFS gateway gives this content.")


def _with_retries(command: str, query: dict[str, str], data: bytes | None) -> dict[str, Any]:
    import httpx

    url = f"{config.get('IPFS_API_URL').rstrip('/')}/api/v0/{command}"
    files = None if data is None else {"file": ("block", data, "application/octet-stream")}
    client: httpx.Client | None = getattr(_local, "client", None)
    post = client.post if client else httpx.post
    for attempt in range(1, ATTEMPTS + 1):
        try:
            response = post(url, params=query, files=files, timeout=NODE_TIMEOUT_S)
            answer = response.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            failed = UpstreamError(f"The IPFS node did not answer ({type(error).__name__}).")
        else:
            if isinstance(answer, dict) and response.status_code == HTTPStatus.OK:
                return answer
            # Kubo answers every failure with 500; this one is what was wanted.
            if isinstance(answer, dict) and "not pinned" in str(answer.get("Message")):
                return answer
            failed = UpstreamError(f"The IPFS node answered {response.status_code}.")
        if attempt < ATTEMPTS:
            time.sleep(BACKOFF_S * (1 + random.random()))  # noqa: S311 - jitter
    raise failed


def _get(gateway: str, cid: str, wanted: cids.Cid) -> bytes:
    import httpx

    began = time.monotonic()
    url = f"{gateway.rstrip('/')}/ipfs/{cid}"
    # Not compressed: a few bytes may swell to gigabytes before any limit sees them.
    headers = {"Accept-Encoding": "identity", "User-Agent": "Presage/1"}
    try:
        with httpx.stream("GET", url, headers=headers, timeout=GATEWAY_TIMEOUT_S) as response:
            if response.status_code != HTTPStatus.OK:
                raise UpstreamError(f"The gateway answered {response.status_code}.")
            body = bytearray()
            for chunk in response.iter_raw():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise UpstreamError("The gateway's answer is too large.")
                if time.monotonic() - began > GATEWAY_WHOLE_S:
                    raise UpstreamError("The gateway takes too long.")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UpstreamError(f"The gateway did not answer ({type(error).__name__}).") from error
    if not wanted.names(bytes(body)):
        raise UpstreamError("The gateway's answer is not what the CID names.")
    return bytes(body)
