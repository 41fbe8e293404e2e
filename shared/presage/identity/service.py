"""Sign-in with a wallet (EIP-4361), the session behind it, and leaving."""

import secrets
import uuid
from dataclasses import dataclass
from datetime import timedelta

from presage import config
from presage.adapters import redis
from presage.call import Call
from presage.db import connection
from presage.db.queries import beside
from presage.errors import UnauthorizedError
from presage.identity import sessions
from presage.identity.models import (
    Connected,
    ConnectWallet,
    CreateNonce,
    LoggedOut,
    Nonce,
    SessionView,
    User,
)
from presage.identity.sessions import Session
from presage.identity.siwe import SiweMessage, checksum_address, nonce_of, recover_address
from presage.schema import Nothing

CHALLENGE_LIFETIME = timedelta(minutes=10)
STATEMENT = "Sign in to Presage."
_queries = beside(__file__)


@dataclass(frozen=True)
class _Revoked:
    revoked_sessions: int


def create_nonce(call: Call, request: CreateNonce) -> Nonce:
    """Store a single-use challenge and answer the exact message to sign."""
    message = SiweMessage(
        domain=config.get("SIWE_DOMAIN"),
        address=request.address,
        statement=STATEMENT,
        uri=config.get("PUBLIC_BASE_URL"),
        chain_id=config.integer("EVM_CHAIN_ID"),
        nonce=secrets.token_hex(16),
        issued_at=call.now,
        expires_at=call.now + CHALLENGE_LIFETIME,
    )
    connection.run(
        call,
        [
            (
                _queries["create_challenge"],
                None,
                {
                    "nonce": message.nonce,
                    "address": message.address,
                    "chain": request.chain,
                    "message": message.text(),
                    "now": call.now,
                    "expires_at": message.expires_at,
                },
            )
        ],
    )
    return Nonce(message=message.text(), nonce=message.nonce, expires_at=message.expires_at)


def connect_wallet(call: Call, request: ConnectWallet) -> Connected:
    """Check the signature, then consume the challenge and open a session in one transaction.

    The signature is checked first, so that a stranger cannot burn a nonce; the message must be
    the stored challenge to the letter, which compares every field of it at once.

    Raises:
        UnauthorizedError: the signature is another's, or the challenge is unknown, altered,
            expired or used.
    """
    nonce = nonce_of(request.message)
    if nonce is None or recover_address(request.message, request.signature) != request.address:
        raise UnauthorizedError("The signature does not match the address and message.")
    token = sessions.new_token()
    session = connection.fetch_one(
        call,
        _queries["sign_in"],
        Session,
        {
            "nonce": nonce,
            "address": request.address,
            "message": request.message,
            "user_id": uuid.uuid4(),
            "token_hash": sessions.hash_token(token),
            "is_bootstrap_admin": request.address == _bootstrap_admin(),
            "ip": call.ip,
            "request_id": call.request_id,
            "now": call.now,
            "expires_at": call.now + sessions.LIFETIME,
        },
    )
    if session is None:
        raise UnauthorizedError("The challenge is unknown, altered, expired or used.")
    call.cookies.append(sessions.cookie(token))
    return Connected(session=_view(session), token=token)


def get_session(call: Call, request: Nothing) -> SessionView:  # noqa: ARG001 - it has no fields
    """The caller's session as Postgres knows it."""
    session = sessions.find(call, call.user.session_hash)
    if session is None:
        raise UnauthorizedError("The session has ended.")
    return _view(session)


def logout(call: Call, request: Nothing) -> LoggedOut:  # noqa: ARG001 - it has no fields
    """Revoke every session of the caller, everywhere; Redis copies die within a minute anyway."""
    params = {"ip": call.ip, "request_id": call.request_id, "now": call.now}
    row = connection.fetch_one(call, _queries["revoke_sessions"], _Revoked, params)
    redis.flush([("DEL", sessions.redis_key(call.user.session_hash))])
    call.cookies.append(sessions.CLEAR_COOKIE)
    return LoggedOut(revoked_sessions=row.revoked_sessions if row else 0)


def _bootstrap_admin() -> str | None:
    address = config.get("BOOTSTRAP_ADMIN")
    return checksum_address(address) if address else None


def _view(session: Session) -> SessionView:
    return SessionView(
        user=User(
            id=session.user_id,
            address=session.address,
            display_name=session.display_name,
            role=session.role,
        ),
        expires_at=session.expires_at,
    )
