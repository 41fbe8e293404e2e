"""A Solana wallet for local programs and tests: signs in, and signs what the platform makes for it.

Beside client.py, which does without solders: most callers bring no Solana wallet.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from solders.keypair import Keypair
from solders.transaction import VersionedTransaction

from infra.local.client import ApiClient


class SolanaWallet:
    """An Ed25519 key and its address; the same seed makes the same wallet."""

    chain = "solana"

    def __init__(self, seed: str) -> None:
        self.key = Keypair.from_seed(hashlib.sha256(seed.encode()).digest())
        self.address = str(self.key.pubkey())

    def sign(self, text: str) -> str:
        """A signature of a text, in base58."""
        return str(self.key.sign_message(text.encode()))

    def sign_transaction(self, unsigned: str) -> str:
        """A transaction (base64) with this wallet's signature."""
        empty = VersionedTransaction.from_bytes(base64.b64decode(unsigned))
        return base64.b64encode(bytes(VersionedTransaction(empty.message, [self.key]))).decode()


class ChainTrader:
    """A signed-in Solana wallet."""

    def __init__(self, base_url: str, wallet: SolanaWallet) -> None:
        self.wallet = wallet
        self.api = ApiClient(base_url).sign_in(wallet)

    @property
    def address(self) -> str:
        """The wallet's address, in base58."""
        return self.wallet.address

    def close(self) -> None:
        """Let go of the connection."""
        self.api.close()

    def send(self, unsigned: Mapping[str, Any]) -> str:
        """Sign what the platform has made and have it relayed; the transaction's signature."""
        signed = self.wallet.sign_transaction(unsigned["transaction"])
        return str(self.api.post("/trades/submit", {"transaction": signed})["signature"])

    def propose(self, market: Mapping[str, Any]) -> str:
        """Propose a market and create it on chain; its id."""
        proposed = self.api.post("/markets", {"venue": "solana", **market})
        self.send(proposed["unsigned"])
        return str(proposed["id"])

    def buy(self, market_id: str, outcome: str, lamports: int) -> dict[str, Any]:
        """Buy for so much at most; the quote that was taken."""
        body = {"marketId": market_id, "outcome": outcome, "targetCost": lamports}
        return self._trade("buy", body)

    def sell(self, market_id: str, outcome: str, shares: int, least: int = 0) -> dict[str, Any]:
        """Sell shares (in 1/1,000,000,000) for so much at least; the quote that was taken."""
        body = {"marketId": market_id, "outcome": outcome, "shares": shares, "minProceeds": least}
        return self._trade("sell", body)

    def act(self, verb: str, market_id: str, **fields: str) -> str:
        """Activate, resolve, dispute, claim or withdraw-liquidity; the transaction's signature."""
        return self.send(self.api.post(f"/trades/{verb}", {"marketId": market_id, **fields}))

    def _trade(self, side: str, body: Mapping[str, Any]) -> dict[str, Any]:
        made = self.api.post(f"/trades/{side}", body)
        self.send(made["unsigned"])
        quote: dict[str, Any] = made["quote"]
        return quote
