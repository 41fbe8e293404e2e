"""What sign-in takes and answers."""

import uuid
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from presage.identity.profile_models import ApiSecret
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
    """The message of /auth/nonce, unaltered, and its signature in hex.

    EIP-191 by the wallet's key, or what its contract accepts (ERC-1271), where a node can be asked.
    The three Polymarket credentials come together; they are encrypted and never answered.
    """

    address: EvmAddress
    message: Annotated[str, Field(max_length=2_000)]
    signature: Annotated[str, Field(max_length=4_098)]
    polymarket_api_key: ApiSecret | None = None
    polymarket_api_secret: ApiSecret | None = None
    polymarket_passphrase: ApiSecret | None = None


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
