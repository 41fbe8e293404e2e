"""Sign-in with a wallet of Ethereum or Solana, the session behind it, and leaving."""

import secrets
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from presage import config
from presage.adapters import evm_rpc, redis
from presage.call import Call
from presage.db import connection
from presage.db.queries import beside
from presage.errors import UnauthorizedError, ValidationFailedError
from presage.identity import credentials, sessions
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
from presage.identity.sign_in_message import SignInMessage, chain_of, nonce_of
from presage.schema import Nothing

CHALLENGE_LIFETIME = timedelta(minutes=10)
STATEMENT = "Sign in to Presage."
_queries = beside(__file__)


@dataclass(frozen=True)
class _Visit(Session):
    """A session as its owner sees it."""

    polymarket_linked: bool


@dataclass(frozen=True)
class _Found:
    user_id: uuid.UUID | None


@dataclass(frozen=True)
class _Revoked:
    revoked_sessions: int


def create_nonce(call: Call, request: CreateNonce) -> Nonce:
    """Store a single-use challenge and answer the exact message to sign."""
    chain = chain_of(request.address)
    message = SignInMessage(
        domain=config.get("SIWE_DOMAIN"),
        address=request.address,
        statement=STATEMENT,
        uri=config.get("PUBLIC_BASE_URL"),
        chain_id=config.get("EVM_CHAIN_ID" if chain == "evm" else "SOLANA_CLUSTER"),
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
                    "chain": chain,
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
    the stored challenge to the letter, which compares every field of it at once. Polymarket
    credentials are stored in that transaction too, or the wallet does not come in.

    Raises:
        UnauthorizedError: the signature is another's, or the challenge is unknown, altered,
            expired or used.
        ValidationFailedError: some of the three credentials are given and others not.
        ConflictError: credentials are given and the wallet's first sign-in is under way elsewhere.
        UpstreamError: the node that knows contract wallets cannot be asked; the nonce stays good.
        UnavailableError: credentials are given and CREDENTIAL_KEYS is missing or malformed.
    """
    nonce = nonce_of(request.message)
    if nonce is None or not _is_signed(request):
        raise UnauthorizedError("The signature does not match the address and message.")
    given = _given_credentials(request)
    token = sessions.new_token()
    params = {
        "nonce": nonce,
        "address": request.address,
        "message": request.message,
        "token_hash": sessions.hash_token(token),
        "is_bootstrap_admin": _is_bootstrap_admin(request.address),
        "ip": call.ip,
        "request_id": call.request_id,
        "now": call.now,
        "expires_at": call.now + sessions.LIFETIME,
    }
    session = connection.fetch_one(
        call, _queries["sign_in"], _Visit, params | _for_user(call, request, given)
    )
    if session is None:
        raise UnauthorizedError("The challenge is unknown, altered, expired or used.")
    call.cookies.append(sessions.cookie(token))
    return Connected(session=_view(session), token=token)


def _is_signed(request: ConnectWallet) -> bool:
    """Whether the wallet signed the message: by its key, or by its contract's word (ERC-1271)."""
    if chain_of(request.address) == "solana":
        from presage.identity.siws import is_signed_by

        return is_signed_by(request.address, request.message, request.signature)
    from presage.identity.siwe import message_hash, recover_address

    if recover_address(request.message, request.signature) == request.address:
        return True
    if not evm_rpc.is_configured():
        return False
    try:
        signature = bytes.fromhex(request.signature.removeprefix("0x"))
    except ValueError:
        return False
    return evm_rpc.is_valid_signature(request.address, message_hash(request.message), signature)


def _given_credentials(request: ConnectWallet) -> credentials.PolymarketCredentials | None:
    given = {
        "polymarketApiKey": request.polymarket_api_key,
        "polymarketApiSecret": request.polymarket_api_secret,
        "polymarketPassphrase": request.polymarket_passphrase,
    }
    texts = [one.get_secret_value() for one in given.values() if one is not None]
    if not texts:
        return None
    if len(texts) < len(given):
        missing = next(name for name, one in given.items() if one is None)
        raise ValidationFailedError(
            f"{missing} is missing: give all three Polymarket credentials or none.", field=missing
        )
    return credentials.PolymarketCredentials(*texts)


def _for_user(
    call: Call, request: ConnectWallet, given: credentials.PolymarketCredentials | None
) -> dict[str, Any]:
    """The user's id, new unless credentials have to be sealed for one who exists."""
    if given is None:
        nothing = dict.fromkeys(("key_id", "credential_nonce", "ciphertext"))
        return {"user_id": uuid.uuid4(), **nothing}
    wallet = {"chain": chain_of(request.address), "address": request.address}
    found = connection.fetch_one(call, _queries["find_wallet"], _Found, wallet)
    user_id = (found and found.user_id) or uuid.uuid4()
    sealed = credentials.seal(user_id, given)
    return {
        "user_id": user_id,
        "key_id": sealed.key_id,
        "credential_nonce": sealed.nonce,
        "ciphertext": sealed.ciphertext,
    }


def get_session(call: Call, request: Nothing) -> SessionView:  # noqa: ARG001 - it has no fields
    """The caller's session as Postgres knows it."""
    params = {"token_hash": call.user.session_hash, "now": call.now}
    session = connection.fetch_one(call, _queries["get_session"], _Visit, params)
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


def _is_bootstrap_admin(address: str) -> bool:
    """Whether this is the wallet that BOOTSTRAP_ADMIN names, checksummed or not."""
    named = config.get("BOOTSTRAP_ADMIN")
    return address == named or (chain_of(address) == "evm" and address.lower() == named.lower())


def _view(session: _Visit) -> SessionView:
    return SessionView(
        user=User(
            id=session.user_id,
            address=session.address,
            display_name=session.display_name,
            role=session.role,
            polymarket_linked=session.polymarket_linked,
        ),
        expires_at=session.expires_at,
    )
