"""What trading routes take and answer: lamports, and shares in 1/1,000,000,000 of one."""

import uuid
from typing import Annotated, Literal

from pydantic import Field

from presage.schema import RequestModel, ResponseModel

type Side = Literal["YES", "NO"]

# What JSON's readers hold exactly; no market on chain comes near it.
MAX_UNITS = 2**53 - 1
Units = Annotated[int, Field(ge=1, le=MAX_UNITS)]


class OnMarket(RequestModel):
    """Which market; one of the venue solana."""

    market_id: uuid.UUID


class BuyShares(OnMarket):
    """Buy for `targetCost` lamports at most, fees included."""

    outcome: Side
    target_cost: Units


class SellShares(OnMarket):
    """Sell so many shares for `minProceeds` lamports at least, fees deducted."""

    outcome: Side
    shares: Units
    min_proceeds: Annotated[int, Field(ge=0, le=MAX_UNITS)] = 0


class ResolveOnChain(OnMarket):
    """Propose an outcome; the evidence is pinned in IPFS, and the chain keeps its CID."""

    outcome: Side
    evidence: Annotated[str, Field(min_length=1, max_length=20_000)]


class SubmitTrade(RequestModel):
    """A transaction that was made here, unmodified, with the wallet's signature; in base64."""

    transaction: Annotated[str, Field(min_length=4, max_length=2_000)]


class UnsignedTransaction(ResponseModel):
    """A versioned transaction for the wallet to sign, in base64, with room for its signature.

    Good until the chain's block height passes `lastValidBlockHeight`, about a minute.
    """

    market_id: uuid.UUID
    purpose: str
    transaction: str
    last_valid_block_height: int


class TradeFees(ResponseModel):
    """What goes to the programme, to who resolves and to the provider of liquidity, in lamports."""

    protocol: int
    resolver: int
    provider: int
    total: int


class Quote(ResponseModel):
    """What the programme would do now, by its own arithmetic; other trades may come first.

    `cost` is the market maker's, without fees; `total` is what a buyer pays, or a seller gets.
    Prices are in 1/1,000,000,000 of 1.00 and of the outcome that is traded; `averagePrice` is
    `total` by `shares`, `priceImpactBps` how far the price moves by the trade, in 1/10,000 of 1.00.
    """

    outcome: Side
    shares: int
    cost: int
    fees: TradeFees
    total: int
    average_price: int
    price_before: int
    price_after: int
    price_impact_bps: int


class QuotedTransaction(ResponseModel):
    """A quote, and the transaction that takes it."""

    quote: Quote
    unsigned: UnsignedTransaction


class TradeSubmitted(ResponseModel):
    """The transaction's id on chain; the trade is recorded when its event is indexed."""

    signature: str
    market_id: uuid.UUID
    purpose: str
