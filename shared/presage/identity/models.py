"""What sign-in takes and answers."""

import uuid
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from presage.identity.siwe import checksum_address
from presage.schema import RequestModel, ResponseModel

EvmAddress = Annotated[str, Field(max_length=42), AfterValidator(checksum_address)]


class CreateNonce(RequestModel):
    """Who wants to sign in, with which kind of wallet."""

    address: EvmAddress
    chain: Literal["evm"] = "evm"


class Nonce(ResponseModel):
    """The exact text to sign. Its nonce works once, until `expires_at`."""

    message: str
    nonce: str
    expires_at: datetime


class ConnectWallet(RequestModel):
    """The message of /auth/nonce, unaltered, and its EIP-191 signature."""

    address: EvmAddress
    message: Annotated[str, Field(max_length=2_000)]
    signature: Annotated[str, Field(max_length=200)]


class User(ResponseModel):
    """The signed-in user."""

    id: uuid.UUID
    address: str
    display_name: str | None
    role: Literal["user", "admin", "super_admin"]
    wallet_connected: bool = True
    polymarket_linked: bool = False


class SessionView(ResponseModel):
    """Who is signed in, and until when."""

    user: User
    expires_at: datetime


class Connected(ResponseModel):
    """A new session; `token` is shown this once."""

    session: SessionView
    token: str


class LoggedOut(ResponseModel):
    """How many sessions were revoked."""

    revoked_sessions: int
