"""What routes of API keys and tickets take and answer."""

import ipaddress
import uuid
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, field_validator

from presage.call import KeyScope
from presage.schema import CursorRequest, Moment, RequestModel, ResponseModel

MAX_NETWORKS = 20


def _network(text: str) -> str:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        raise ValueError("must be an IPv4 or IPv6 address or network such as 10.0.0.0/8") from None
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped:
        raise ValueError("must be written as the IPv4 network it is")
    return str(network)


def _stands_alone(scopes: list[KeyScope]) -> list[KeyScope]:
    if len(set(scopes)) < len(scopes):
        raise ValueError("holds a scope twice")
    if "service" in scopes and len(scopes) > 1:
        raise ValueError("may hold nothing beside service")
    return scopes


# Without an IPv6 zone, which no address that reaches us has.
Network = Annotated[
    str, Field(max_length=50, pattern=r"^[0-9a-fA-F:./]+$"), AfterValidator(_network)
]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class ListApiKeys(CursorRequest):
    """One page of the caller's keys."""


class CreateApiKey(RequestModel):
    """A key to make. `trade` includes `read`, `admin` both; `service` reads, as its own kind.

    With an `ip_allow_list` it works from those networks only.
    """

    name: Name
    scopes: Annotated[list[KeyScope], Field(min_length=1, max_length=4)]
    expires_at: Moment | None = None
    ip_allow_list: Annotated[list[Network], Field(max_length=MAX_NETWORKS, default_factory=list)]

    _scopes_fit = field_validator("scopes")(_stands_alone)


class KeyPath(RequestModel):
    """One key of the caller."""

    key_id: uuid.UUID


class ApiKey(ResponseModel):
    """A key as lists show it: `prefix` is the part of its text that is no secret.

    `last_used_at` is exact to the minute.
    """

    id: uuid.UUID
    name: str
    prefix: str
    scopes: list[KeyScope]
    ip_allow_list: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class ApiKeyCreated(ResponseModel):
    """A new key; `key` is shown this once."""

    id: uuid.UUID
    key: str
    name: str
    prefix: str
    scopes: list[KeyScope]
    ip_allow_list: list[str]
    created_at: datetime
    expires_at: datetime | None


class ApiKeyRevoked(ResponseModel):
    """A key that has ended, and when it did."""

    id: uuid.UUID
    revoked_at: datetime


class WsTicket(ResponseModel):
    """What a browser shows in a WebSocket's handshake: good once, until `expires_at`."""

    ticket: str
    expires_at: datetime
