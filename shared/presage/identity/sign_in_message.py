"""What a wallet signs to come in: Sign-In with Ethereum (EIP-4361) and with Solana, laid out alike.

Source of the second: the Sign-In With Solana specification (wallet-standard, `solana:signIn`). All
of its optional lines that a verifier needs are there.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

type WalletChain = Literal["evm", "solana"]
_ACCOUNTS: dict[WalletChain, str] = {"evm": "Ethereum", "solana": "Solana"}


def chain_of(address: str) -> WalletChain:
    """Which chain's wallet this address is: 0x begins an Ethereum one."""
    return "evm" if address.startswith("0x") else "solana"


@dataclass(frozen=True, kw_only=True)
class SignInMessage:
    """What the wallet is asked to sign. `address` is in its chain's one spelling; times are UTC.

    `chain_id` is a number for Ethereum (EIP-155) and a cluster's name for Solana.
    """

    domain: str
    address: str
    statement: str
    uri: str
    chain_id: str
    nonce: str
    issued_at: datetime
    expires_at: datetime

    def text(self) -> str:
        """The message, line by line."""
        account = _ACCOUNTS[chain_of(self.address)]
        return (
            f"{self.domain} wants you to sign in with your {account} account:\n"
            f"{self.address}\n\n"
            f"{self.statement}\n\n"
            f"URI: {self.uri}\n"
            f"Version: 1\n"
            f"Chain ID: {self.chain_id}\n"
            f"Nonce: {self.nonce}\n"
            f"Issued At: {_iso(self.issued_at)}\n"
            f"Expiration Time: {_iso(self.expires_at)}"
        )


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def nonce_of(text: str) -> str | None:
    """The nonce line of a message, or None when it has none or several."""
    lines = [line for line in text.split("\n") if line.startswith("Nonce: ")]
    return lines[0].removeprefix("Nonce: ") if len(lines) == 1 else None
