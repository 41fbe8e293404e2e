"""What sign-in takes and answers."""

import uuid
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo

from presage.identity.profile_models import ApiSecret
from presage.identity.sign_in_message import WalletChain, chain_of
from presage.schema import RequestModel, ResponseModel


def _spelled(address: str) -> str:
    """The address in its chain's one spelling: 0x begins an Ethereum one."""
    if address.startswith("0x"):
        from presage.identity.siwe import checksum_address

        return checksum_address(address)
    from presage.identity.siws import solana_address

    return solana_address(address)


def _on_its_chain(address: str, info: ValidationInfo) -> str:
    if info.data.get("chain") not in {None, chain_of(address)}:
        raise ValueError(f"is no address of {info.data['chain']}")
    return address


Address = Annotated[str, Field(max_length=44), AfterValidator(_spelled)]


class CreateNonce(RequestModel):
    """Who wants to sign in; `chain` need not be given, since an address tells it."""

    chain: WalletChain | None = None
    address: Annotated[Address, AfterValidator(_on_its_chain)]


class Nonce(ResponseModel):
    """The exact text to sign. Its nonce works once, until `expires_at`."""

    message: str
    nonce: str
    expires_at: datetime


class ConnectWallet(RequestModel):
    """The message of /auth/nonce, unaltered, and its signature.

    Ethereum: in hex, EIP-191 by the wallet's key, or what its contract accepts (ERC-1271), where a
    node can be asked. Solana: Ed25519, in base58 or base64. The three Polymarket credentials come
    together; they are encrypted and never answered.
    """

    address: Address
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
