"""A local Solana cluster for tests: starts the emulator, signs and sends what tests tell it to."""

import base64
import os
import sys
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, cast

import httpx
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from infra.local.asgi import listening_line
from infra.local.homes import PROJECT_ROOT
from infra.local.ports import free_port
from infra.local.process import ChildProcess
from infra.local.stack import PROGRAM_ID
from presage.chain import accounts, events, instructions, programme

HELIUS_API_KEY = "helius-api-key"
WEBHOOK_SECRET = "helius-webhook-secret"
SOL = 1_000_000_000
CID = b"QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"
B = 1_000 * SOL
# The authority of every test's cluster.
AUTHORITY = Keypair.from_seed(bytes(range(32)))


class RpcFailureError(Exception):
    """The RPC answered with an error."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.code = error["code"]
        self.data = error.get("data")


@dataclass
class Cluster:
    """A cluster of its own. Set ZMART_PROGRAM_ID before (`environment` has it)."""

    clock_file: Path | None = None
    webhook: str = ""
    state_file: Path | None = None
    url: str = ""
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30, trust_env=False))
    _child: ChildProcess | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What handlers need to reach this cluster."""
        return {
            "SOLANA_RPC_URL": self.url,
            "SOLANA_CLUSTER": "localnet",
            "SOLANA_AUTHORITY_KEY": str(AUTHORITY),
            "ZMART_PROGRAM_ID": PROGRAM_ID,
            "HELIUS_API_URL": self.url,
            "HELIUS_API_KEY": HELIUS_API_KEY,
            "HELIUS_WEBHOOK_SECRET": WEBHOOK_SECRET,
        }

    def __enter__(self) -> Self:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        clock = {"PRESAGE_CLOCK_FILE": str(self.clock_file), "STAGE": "test"}
        paths = {"PYTHONPATH": f"{PROJECT_ROOT}/shared:{PROJECT_ROOT}"}
        options = ["--port", str(port)]
        options += ["--webhook", self.webhook] if self.webhook else []
        options += ["--state", str(self.state_file)] if self.state_file else []
        log_folder = Path(tempfile.mkdtemp(prefix="presage-solana-"))
        child = ChildProcess(
            name="solana",
            argv=[sys.executable, "-m", "infra.local.solana", *options],
            log_file=log_folder / "solana.log",
            env=os.environ | paths | self.environment | (clock if self.clock_file else {}),
            cwd=PROJECT_ROOT,
        )
        child.start()
        self._child = child
        try:
            child.wait_ready(lambda: listening_line(child.pid) in child.tail(), 20)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            self._child.stop(grace_s=5)
            self._child.log_file.unlink(missing_ok=True)
            self._child.log_file.parent.rmdir()
        self.http.close()

    def rpc(self, method: str, *params: Any) -> Any:
        """The result of a method; RpcFailureError for an error."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        response = self.http.post(self.url, json=body)
        response.raise_for_status()
        answer = response.json()
        if "error" in answer:
            raise RpcFailureError(answer["error"])
        return answer["result"]

    def value(self, method: str, *params: Any) -> Any:
        """The value of a result with a context."""
        return self.rpc(method, *params)["value"]

    def control(self, command: str, **given: Any) -> dict[str, Any]:
        """Use a switch of the emulator: faults, deliveries, slots, deliver, flush, state."""
        response = self.http.post(f"{self.url}/_local/{command}", json=given)
        assert response.status_code == 200, response.text
        return cast("dict[str, Any]", response.json())

    def advance_slots(self, count: int) -> None:
        """Let slots pass: 32 finalize what has landed, 151 expire a blockhash."""
        self.control("slots", advance=count)

    def wallet(self, sol: float = 10) -> Keypair:
        """A new wallet with money."""
        made = Keypair()
        self.rpc("requestAirdrop", str(made.pubkey()), round(sol * SOL))
        return made

    def blockhash(self) -> Hash:
        """A fresh blockhash."""
        latest = self.value("getLatestBlockhash", {"commitment": "confirmed"})
        return Hash.from_string(latest["blockhash"])

    def signed(
        self,
        payer: Keypair,
        *given: Instruction,
        signers: Sequence[Keypair] = (),
        blockhash: Hash | None = None,
        legacy: bool = False,
    ) -> VersionedTransaction:
        """A signed transaction of these instructions."""
        blockhash = blockhash or self.blockhash()
        message: Message | MessageV0
        if legacy:
            message = Message.new_with_blockhash(list(given), payer.pubkey(), blockhash)
        else:
            message = MessageV0.try_compile(payer.pubkey(), list(given), [], blockhash)
        return VersionedTransaction(message, [payer, *signers])

    def submit(self, transaction: VersionedTransaction, **options: Any) -> str:
        """Send a signed transaction; its signature."""
        raw = base64.b64encode(bytes(transaction)).decode()
        settings = {"encoding": "base64", "preflightCommitment": "confirmed"} | options
        return cast("str", self.rpc("sendTransaction", raw, settings))

    def send(
        self,
        payer: Keypair,
        *given: Instruction,
        signers: Sequence[Keypair] = (),
        skip_preflight: bool = False,
    ) -> str:
        """Sign and send instructions; the signature."""
        transaction = self.signed(payer, *given, signers=signers)
        return self.submit(transaction, skipPreflight=skip_preflight)

    def run(
        self, name: str, payer: Keypair, keys: Mapping[str, Pubkey], **arguments: object
    ) -> str:
        """Send one instruction of the programme."""
        return self.send(payer, instructions.build(name, keys, **arguments))

    def account[
        AccountT: (
            accounts.GlobalConfig,
            accounts.MarketAccount,
            accounts.UserPosition,
            accounts.VoteRecord,
        )
    ](self, kind: type[AccountT], address: Pubkey) -> AccountT:
        """An account of the programme, decoded."""
        options = {"encoding": "base64", "commitment": "processed"}
        found = self.value("getAccountInfo", str(address), options)
        return accounts.decode_account(kind, base64.b64decode(found["data"][0]))

    def balance(self, address: Pubkey) -> int:
        """An account's lamports."""
        return cast("int", self.value("getBalance", str(address), {"commitment": "processed"}))

    def transaction(self, signature: str) -> dict[str, Any]:
        """A landed transaction."""
        options = {"commitment": "confirmed", "maxSupportedTransactionVersion": 0}
        return cast("dict[str, Any]", self.rpc("getTransaction", signature, options))

    def events(self, signature: str) -> list[events.Event]:
        """The events that a transaction logged."""
        prefix = "Program data: "
        lines = self.transaction(signature)["meta"]["logMessages"]
        found = [
            events.decode_event(base64.b64decode(line.removeprefix(prefix)))
            for line in lines
            if line.startswith(prefix)
        ]
        return [one for one in found if one is not None]

    # A market's life

    def create_market(
        self, creator: Keypair, *, market_id: bytes | None = None, liquidity: int = SOL, b: int = B
    ) -> Pubkey:
        """A proposed market's address."""
        market_id = market_id or programme.chain_market_id(uuid.uuid4())
        market = programme.market_address(market_id)
        self.run(
            "create_market",
            creator,
            {"creator": creator.pubkey(), "market": market},
            market_id=market_id,
            b_parameter=b,
            initial_liquidity=liquidity,
            ipfs_question_hash=CID,
        )
        return market

    def aggregate(self, market: Pubkey, likes: int, dislikes: int) -> str:
        """Record a proposal's tally."""
        return self.run(
            "aggregate_proposal_votes",
            AUTHORITY,
            {"market": market, "backend_authority": AUTHORITY.pubkey()},
            final_likes=likes,
            final_dislikes=dislikes,
        )

    def active_market(self, creator: Keypair, **given: Any) -> Pubkey:
        """The address of a market that trades."""
        market = self.create_market(creator, **given)
        self.aggregate(market, 7, 3)
        self.run("approve_proposal", AUTHORITY, {"admin": AUTHORITY.pubkey(), "market": market})
        self.run("activate_market", creator, {"authority": creator.pubkey(), "market": market})
        return market

    def trading_keys(self, market: Pubkey, user: Pubkey) -> dict[str, Pubkey]:
        """The accounts of a trade."""
        config = self.account(accounts.GlobalConfig, programme.config_address())
        return {
            "market": market,
            "position": programme.position_address(market, user),
            "user": user,
            "protocol_fee_wallet": Pubkey(config.protocol_fee_wallet),
        }

    def buy(self, user: Keypair, market: Pubkey, target_cost: int, *, outcome: bool = True) -> str:
        """Buy shares."""
        keys = self.trading_keys(market, user.pubkey())
        return self.run("buy_shares", user, keys, outcome=outcome, target_cost=target_cost)

    def sell(
        self, user: Keypair, market: Pubkey, shares: int, *, outcome: bool = True, least: int = 0
    ) -> str:
        """Sell shares."""
        keys = self.trading_keys(market, user.pubkey())
        return self.run(
            "sell_shares", user, keys, outcome=outcome, shares_to_sell=shares, min_proceeds=least
        )

    def resolve(self, resolver: Keypair, market: Pubkey, *, outcome: bool = True) -> str:
        """Propose the outcome."""
        keys = {"market": market, "resolver": resolver.pubkey()}
        return self.run(
            "resolve_market", resolver, keys, proposed_outcome=outcome, ipfs_evidence_hash=CID
        )

    def dispute(self, wallet: Keypair, market: Pubkey) -> str:
        """Dispute the proposed outcome."""
        keys = {"market": market, "initiator": wallet.pubkey()}
        return self.run("initiate_dispute", wallet, keys)

    def finalize(
        self, market: Pubkey, agree: int | None = None, disagree: int | None = None
    ) -> str:
        """Make the outcome final."""
        keys = {"market": market, "backend_authority": AUTHORITY.pubkey()}
        return self.run(
            "finalize_market", AUTHORITY, keys, dispute_agree=agree, dispute_disagree=disagree
        )

    def claim(self, user: Keypair, market: Pubkey) -> str:
        """Claim winnings."""
        resolver = self.account(accounts.MarketAccount, market).resolver
        keys = {
            "market": market,
            "position": programme.position_address(market, user.pubkey()),
            "user": user.pubkey(),
            "resolver": Pubkey(resolver),
        }
        return self.run("claim_winnings", user, keys)
