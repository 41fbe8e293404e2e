"""Trading on chain: quotes, transactions for wallets to sign, and relaying what they signed.

The platform never signs for a wallet. What it hands out is remembered by the hash of its message,
and only that, unmodified, is relayed; what then happened is known when the event is indexed.
"""

import base64
import hashlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from solders.pubkey import Pubkey
from solders.transaction import SanitizeError, VersionedTransaction

from presage.adapters import ipfs, solana_rpc
from presage.adapters.solana_rpc import TRADES, RefusedError
from presage.call import Call
from presage.chain import compiling, instructions, programme, quotes
from presage.chain.accounts import GlobalConfig, MarketAccount, decode_account
from presage.chain.models import (
    BuyShares,
    OnMarket,
    Quote,
    QuotedTransaction,
    ResolveOnChain,
    SellShares,
    SubmitTrade,
    TradeSubmitted,
    UnsignedTransaction,
)
from presage.db import connection
from presage.db.connection import Statement
from presage.db.queries import beside
from presage.errors import (
    ForbiddenError,
    InvalidStateError,
    NotFoundError,
    SolanaError,
    UnavailableError,
    UnprocessableError,
    ValidationFailedError,
)
from presage.identity.sign_in_message import chain_of
from presage.ipfs import cid as cids

# JSON-RPC's codes: a failed preflight, and a signature that does not verify.
_PREFLIGHT, _SIGNATURE = -32002, -32003
# What an account that may only close may not do.
_OPENING = frozenset({"buy_shares"})
_queries = beside(__file__)


@dataclass(frozen=True)
class Built:
    """A transaction to sign: its bytes, and until which block height they are good."""

    market_id: uuid.UUID
    purpose: str
    raw: bytes
    message_hash: bytes
    last_valid_block_height: int

    def view(self) -> UnsignedTransaction:
        """What the wallet is given."""
        return UnsignedTransaction(
            market_id=self.market_id,
            purpose=self.purpose,
            transaction=base64.b64encode(self.raw).decode(),
            last_valid_block_height=self.last_valid_block_height,
        )


@dataclass(frozen=True)
class _Place:
    venue: str
    chain_address: str | None
    closed_only: bool


@dataclass(frozen=True)
class _Known:
    purpose: str
    market_id: uuid.UUID
    last_valid_block_height: int
    closed_only: bool


@dataclass(frozen=True)
class _Publishable:
    """A text whose CID, version 0, the chain keeps. Nobody unpins it: only what is not refused."""

    data: bytes
    cid: bytes

    def pin(self) -> None:
        """Publish it.

        Raises:
            UpstreamError: the node did not take it.
        """
        ipfs.add(self.data, version=0)


@dataclass(frozen=True)
class _OnChain:
    """A market's account and the config, as the chain has them now."""

    address: Pubkey
    market: MarketAccount
    config: GlobalConfig


def buy_shares(call: Call, request: BuyShares) -> QuotedTransaction:
    """Quote a buy and make its transaction.

    Raises:
        NotFoundError, InvalidStateError, ForbiddenError: as `_read` says.
        UnprocessableError: the wallet is not Solana's, the programme would refuse it, or its
            prices would be wrong.
        SolanaError: the chain cannot be asked.
    """

    def quote(found: _OnChain) -> Quote:
        return quotes.quote_buy(
            found.market, found.config, request.target_cost, is_yes=request.outcome == "YES"
        )

    return _quoted(call, request, "buy_shares", quote, target_cost=request.target_cost)


def sell_shares(call: Call, request: SellShares) -> QuotedTransaction:
    """Quote a sale and make its transaction.

    Raises:
        NotFoundError, InvalidStateError: as `_read` says.
        UnprocessableError: the wallet is not Solana's, the programme would refuse it, or its
            prices would be wrong.
        SolanaError: the chain cannot be asked.
    """

    def quote(found: _OnChain) -> Quote:
        return quotes.quote_sell(
            found.market, found.config, request.shares, is_yes=request.outcome == "YES"
        )

    arguments = {"shares_to_sell": request.shares, "min_proceeds": request.min_proceeds}
    return _quoted(call, request, "sell_shares", quote, **arguments)


def claim_winnings(call: Call, request: OnMarket) -> UnsignedTransaction:
    """Make the transaction that claims what a final market owes the wallet."""
    wallet = wallet_of(call)
    found = _read(call, request.market_id)
    accounts = {
        "market": found.address,
        "position": programme.position_address(found.address, wallet),
        "user": wallet,
        "resolver": Pubkey(found.market.resolver),
    }
    return _made(call, request.market_id, "claim_winnings", wallet, accounts)


def activate_on_chain(call: Call, request: OnMarket) -> UnsignedTransaction:
    """Make the transaction with which a market's creator opens its trading."""
    wallet = wallet_of(call)
    accounts = {"authority": wallet, "market": _read(call, request.market_id).address}
    return _made(call, request.market_id, "activate_market", wallet, accounts)


def resolve_on_chain(call: Call, request: ResolveOnChain) -> UnsignedTransaction:
    """Make the transaction that proposes an outcome, and pin the evidence.

    Raises:
        UnavailableError: no IPFS node is configured.
        UpstreamError: it did not take the evidence.
    """
    wallet = wallet_of(call)
    evidence = _publishable(request.evidence)
    accounts = {"market": _read(call, request.market_id).address, "resolver": wallet}
    unsigned = _made(
        call,
        request.market_id,
        "resolve_market",
        wallet,
        accounts,
        proposed_outcome=request.outcome == "YES",
        ipfs_evidence_hash=evidence.cid,
    )
    evidence.pin()
    return unsigned


def dispute_on_chain(call: Call, request: OnMarket) -> UnsignedTransaction:
    """Make the transaction that disputes a proposed outcome."""
    wallet = wallet_of(call)
    accounts = {"market": _read(call, request.market_id).address, "initiator": wallet}
    return _made(call, request.market_id, "initiate_dispute", wallet, accounts)


def withdraw_liquidity(call: Call, request: OnMarket) -> UnsignedTransaction:
    """Make the transaction with which a market's creator takes what is left of its liquidity."""
    wallet = wallet_of(call)
    accounts = {"market": _read(call, request.market_id).address, "creator": wallet}
    return _made(call, request.market_id, "withdraw_liquidity", wallet, accounts)


def build_creation(
    call: Call, market_id: uuid.UUID, question: str, b_parameter: int, initial_liquidity: int
) -> Built:
    """The transaction that creates a market on chain; then its question is pinned. Keeps nothing.

    Raises:
        UnprocessableError: the caller's wallet is not Solana's, or the programme would refuse it.
        UnavailableError: the chain or the IPFS node is not configured.
        UpstreamError: one of them cannot be asked.
    """
    wallet = wallet_of(call)
    _check_configured()
    published = _publishable(question)
    on_chain = programme.chain_market_id(market_id)
    built = _build(
        market_id,
        "create_market",
        wallet,
        {"creator": wallet, "market": programme.market_address(on_chain)},
        market_id=on_chain,
        b_parameter=b_parameter,
        initial_liquidity=initial_liquidity,
        ipfs_question_hash=published.cid,
    )
    published.pin()
    return built


def keeping(call: Call, built: Built) -> "Statement[object]":
    """The statement that remembers what a wallet was given to sign."""
    params = {
        "message_hash": built.message_hash,
        "purpose": built.purpose,
        "market_id": built.market_id,
        "last_valid_block_height": built.last_valid_block_height,
        "now": call.now,
    }
    return _queries["keep_unsigned"], None, params


def submit_trade(call: Call, request: SubmitTrade) -> TradeSubmitted:
    """Relay what the wallet has signed; the same again is relayed again and lands once.

    Raises:
        ValidationFailedError: it is no transaction, or not signed by the caller's wallet.
        NotFoundError: it was not made here for the caller, or was modified.
        ForbiddenError: it opens a position, and the caller's account may only close by now.
        InvalidStateError: it has expired.
        UnprocessableError: the programme would refuse it now.
        SolanaError: the chain cannot be asked; the same may be sent again.
    """
    transaction = _read_transaction(request.transaction)
    if not all(transaction.verify_with_results()):
        raise ValidationFailedError("A signature is missing or wrong.", field="transaction")
    message_hash = _hash(transaction)
    known = connection.fetch_one(
        call, _queries["find_unsigned"], _Known, {"message_hash": message_hash}
    )
    if known is None:
        raise NotFoundError("This transaction was not made for you here.", field="transaction")
    _check_may(known.purpose, closed_only=known.closed_only)
    signature = str(transaction.signatures[0])
    _relay(request.transaction, signature, known.last_valid_block_height)
    params = {
        "message_hash": message_hash,
        "signature": signature,
        "request_id": call.request_id,
        "ip": call.ip,
        "now": call.now,
    }
    connection.run(call, [(_queries["keep_submission"], None, params)])
    return TradeSubmitted(signature=signature, market_id=known.market_id, purpose=known.purpose)


def wallet_of(call: Call) -> Pubkey:
    """The caller's wallet.

    Raises:
        UnprocessableError: it is not one of Solana.
    """
    if chain_of(call.user.address) != "solana":
        raise UnprocessableError("Sign in with a Solana wallet to trade on Solana.")
    return Pubkey.from_string(call.user.address)


def _read(call: Call, market_id: uuid.UUID, *, purpose: str = "") -> _OnChain:
    """The market as the chain has it now.

    Raises:
        NotFoundError: there is no such market.
        InvalidStateError: it is not one of Solana, or not on chain yet.
        ForbiddenError: the purpose opens a position, and the caller's account may only close.
    """
    _check_configured()
    place = connection.fetch_one(call, _queries["find_place"], _Place, {"market_id": market_id})
    if place is None:
        raise NotFoundError("There is no such market.", field="marketId")
    if place.venue != "solana" or place.chain_address is None:
        raise InvalidStateError("The market does not trade on Solana.", field="marketId")
    _check_may(purpose, closed_only=place.closed_only)
    asked = [place.chain_address, str(programme.config_address())]
    market, config = solana_rpc.accounts(asked, line=TRADES)
    # Anybody may send lamports to where the account will be: without data it is none yet.
    if not market:
        raise InvalidStateError("The market is not on chain yet.", field="marketId")
    if not config:
        raise SolanaError("The programme is not set up on this cluster.")
    return _OnChain(
        Pubkey.from_string(place.chain_address),
        decode_account(MarketAccount, market),
        decode_account(GlobalConfig, config),
    )


def _check_may(purpose: str, *, closed_only: bool) -> None:
    if closed_only and purpose in _OPENING:
        raise ForbiddenError("This account may only sell and cancel.")


def _publishable(text: str) -> _Publishable:
    if not ipfs.is_configured():
        raise UnavailableError("The setting IPFS_API_URL is missing.")
    data = text.encode()
    return _Publishable(data, str(cids.of_file(data)).encode())


def _check_configured() -> None:
    if not solana_rpc.is_configured():
        raise UnavailableError("The setting SOLANA_RPC_URL is missing.")


def _quoted(
    call: Call,
    request: BuyShares | SellShares,
    purpose: str,
    quote: Callable[[_OnChain], Quote],
    **arguments: int,
) -> QuotedTransaction:
    wallet = wallet_of(call)
    found = _read(call, request.market_id, purpose=purpose)
    quoted = quote(found)
    built = _build(
        request.market_id,
        purpose,
        wallet,
        {
            "market": found.address,
            "position": programme.position_address(found.address, wallet),
            "user": wallet,
            "protocol_fee_wallet": Pubkey(found.config.protocol_fee_wallet),
        },
        outcome=request.outcome == "YES",
        **arguments,
    )
    _keep(call, built)
    return QuotedTransaction(quote=quoted, unsigned=built.view())


def _made(
    call: Call,
    market_id: uuid.UUID,
    purpose: str,
    wallet: Pubkey,
    accounts: Mapping[str, Pubkey],
    **arguments: object,
) -> UnsignedTransaction:
    built = _build(market_id, purpose, wallet, accounts, **arguments)
    _keep(call, built)
    return built.view()


def _build(
    for_market: uuid.UUID,
    purpose: str,
    wallet: Pubkey,
    accounts: Mapping[str, Pubkey],
    **arguments: object,
) -> Built:
    instruction = instructions.build(purpose, accounts, **arguments)
    message, until = compiling.compile_message(wallet, [instruction], line=TRADES)
    transaction = compiling.unsigned(message)
    return Built(for_market, purpose, bytes(transaction), _hash(transaction), until)


def _keep(call: Call, built: Built) -> None:
    connection.run(call, [keeping(call, built)])


def _hash(transaction: VersionedTransaction) -> bytes:
    """What a transaction is known by: its message as wallets sign it."""
    from solders.message import to_bytes_versioned

    return hashlib.sha256(to_bytes_versioned(transaction.message)).digest()


def _read_transaction(text: str) -> VersionedTransaction:
    """A transaction as it was sent, to the last byte: what follows one is not relayed."""
    try:
        raw = base64.b64decode(text, validate=True)
        transaction = VersionedTransaction.from_bytes(raw)
        transaction.sanitize()
    except (ValueError, SanitizeError):  # the latter is no ValueError
        transaction = None
    if transaction is None or bytes(transaction) != raw:
        raise ValidationFailedError(
            "This is no versioned transaction in base64.", field="transaction"
        )
    return transaction


def _relay(text: str, signature: str, last_valid_block_height: int) -> None:
    """Hand a transaction to the network after a preflight; one that has landed is fine."""
    try:
        solana_rpc.relay(text, line=TRADES)
    except RefusedError as error:
        match error.rpc_code, error.err:
            case _, "AlreadyProcessed":
                return
            case _, "BlockhashNotFound":
                _check_landed(signature, last_valid_block_height)
                return
            case code, err if code == _PREFLIGHT:
                raise UnprocessableError(
                    f"The programme refuses this: {compiling.refusal(err)}."
                ) from None
            case code, _ if code == _SIGNATURE:
                raise ValidationFailedError(
                    "A signature is missing or wrong.", field="transaction"
                ) from None
        raise


def _check_landed(signature: str, last_valid_block_height: int) -> None:
    """What it means that a node does not know a blockhash.

    It looks at that before it looks whether it knows the transaction: of one that landed a while
    ago it says the same as of one that never did, and of one that is newer than what it knows.
    Whoever is told of an expired one makes another: only one that can never land is called so.
    """
    final = solana_rpc.finality(line=TRADES)
    searched = solana_rpc.statuses([signature], everything=True, line=TRADES)
    if searched.found[signature] is not None:
        return
    if searched.rule_out(signature, last_valid_block_height, final):
        raise InvalidStateError("The transaction has expired: make another.", field="transaction")
    raise SolanaError("The node cannot say yet whether this can land: send the same again.")
