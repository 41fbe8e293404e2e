"""API keys: `psg_` and 43 characters in the caller's hands, their SHA-256 in ours.

What edge needs of them on every request; making and ending them is in `api_keys`.
"""

import re
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from presage.call import Call, KeyScope, Role
from presage.db import connection
from presage.db.queries import beside

_SHAPE = re.compile(r"psg_[A-Za-z0-9_-]{43}")
_INCLUDES: dict[KeyScope, frozenset[str]] = {
    "read": frozenset({"read"}),
    "trade": frozenset({"read", "trade"}),
    "admin": frozenset({"read", "trade", "admin"}),
    "service": frozenset({"read"}),
}
_queries = beside(__file__)


@dataclass(frozen=True)
class KeyOwner:
    """A live key, as Postgres knows it: whose it is and what it was made for."""

    user_id: uuid.UUID
    address: str
    role: Role
    expires_at: datetime | None
    scopes: list[KeyScope]
    ip_allow_list: list[str]


def is_key(token: str) -> bool:
    """Whether a token is shaped like a key; a session's is shorter."""
    return _SHAPE.fullmatch(token) is not None


def find(call: Call, key_hash: bytes) -> KeyOwner | None:
    """Whose live key this is, from Postgres, which notes that it was used."""
    params = {"key_hash": key_hash, "now": call.now}
    return connection.fetch_one(call, _queries["find_api_key"], KeyOwner, params)


def granted(scopes: Collection[KeyScope], role: Role) -> frozenset[str]:
    """What a key is good for while its owner has this role: `admin` dies with an admin's."""
    lasting = {
        scope
        for scope in scopes
        if not (scope == "admin" and role == "user")
        and not (scope == "service" and role != "super_admin")
    }
    return frozenset().union(*(_INCLUDES[scope] for scope in lasting))


def allows(networks: Collection[str], ip: str) -> bool:
    """Whether an address is in the allow-list; an empty list allows all."""
    if not networks:
        return True
    import ipaddress

    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in ipaddress.ip_network(network) for network in networks)
