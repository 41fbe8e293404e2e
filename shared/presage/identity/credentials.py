"""People's own credentials at other venues: stored encrypted, read by the trading desk alone.

No route answers a secret; `load` is for services that act for the user.
"""

import uuid
from dataclasses import dataclass
from typing import Any

import orjson

from presage import metrics
from presage.call import Call
from presage.db import connection
from presage.db.queries import beside
from presage.errors import InvalidStateError
from presage.identity.profile_models import LinkPolymarket, PolymarketLink
from presage.identity.sealing import Sealed, SealError, keyring
from presage.schema import Nothing

POLYMARKET = "polymarket"
_queries = beside(__file__)


@dataclass(frozen=True, repr=False)
class PolymarketCredentials:
    """What signs a user's requests to Polymarket's CLOB (level 2)."""

    api_key: str
    api_secret: str
    passphrase: str


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A row of venue_credentials."""

    user_id: uuid.UUID
    venue: str
    key_id: str
    nonce: bytes
    ciphertext: bytes

    @property
    def sealed(self) -> Sealed:
        """What a keyring opens."""
        return Sealed(key_id=self.key_id, nonce=self.nonce, ciphertext=self.ciphertext)


def seal(user_id: uuid.UUID, credentials: PolymarketCredentials) -> Sealed:
    """Credentials as they are stored, for this user alone.

    Raises:
        UnavailableError: CREDENTIAL_KEYS is missing or malformed.
    """
    fields = {
        "api_key": credentials.api_key,
        "api_secret": credentials.api_secret,
        "passphrase": credentials.passphrase,
    }
    return keyring().seal(user_id, POLYMARKET, orjson.dumps(fields))


def load(call: Call, user_id: uuid.UUID) -> PolymarketCredentials | None:
    """A user's credentials, or None when they have linked none.

    In the api zone row security shows a caller their own only; workers see everybody's.

    Raises:
        InvalidStateError: what is stored does not open; linking again mends it.
        UnavailableError: CREDENTIAL_KEYS is missing or malformed.
    """
    params = {"user_id": user_id, "venue": POLYMARKET}
    row = connection.fetch_one(call, _queries["load_credentials"], Stored, params)
    if row is None:
        return None
    try:
        text = keyring().open(row.user_id, row.venue, row.sealed)
    except SealError as error:
        metrics.count("CredentialsUnreadable")
        raise InvalidStateError("The Polymarket credentials must be linked again.") from error
    return PolymarketCredentials(**orjson.loads(text))


def link_polymarket(call: Call, request: LinkPolymarket) -> PolymarketLink:
    """Store or replace the caller's Polymarket credentials, encrypted.

    Raises:
        UnavailableError: CREDENTIAL_KEYS is missing or malformed.
    """
    given = PolymarketCredentials(
        api_key=request.api_key.get_secret_value(),
        api_secret=request.api_secret.get_secret_value(),
        passphrase=request.passphrase.get_secret_value(),
    )
    sealed = seal(call.user.user_id, given)
    params = _marked(call) | {
        "key_id": sealed.key_id,
        "nonce": sealed.nonce,
        "ciphertext": sealed.ciphertext,
    }
    connection.run(call, [(_queries["link_venue"], None, params)])
    return PolymarketLink(polymarket_linked=True, updated_at=call.now)


def unlink_polymarket(call: Call, request: Nothing) -> PolymarketLink:  # noqa: ARG001 - no fields
    """Forget the caller's Polymarket credentials; what is not linked stays so."""
    connection.run(call, [(_queries["unlink_venue"], None, _marked(call))])
    return PolymarketLink(polymarket_linked=False)


def _marked(call: Call) -> dict[str, Any]:
    return {
        "venue": POLYMARKET,
        "ip": call.ip,
        "request_id": call.request_id,
        "now": call.now,
    }
