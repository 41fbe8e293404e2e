"""What the platform itself does to markets on chain, as the programme's backend authority."""

import uuid
from dataclasses import dataclass

from solders.pubkey import Pubkey

from presage.call import Call
from presage.chain import instructions, sending
from presage.chain.sending import ChainTransaction, Counted


@dataclass(frozen=True)
class OnChain:
    """A market on chain: its id here, and where its account is (base58)."""

    market_id: uuid.UUID
    address: str

    @property
    def account(self) -> Pubkey:
        """The account's address as the instructions take it."""
        return Pubkey.from_string(self.address)


def tell_tally(call: Call, market: OnChain, counted: Counted) -> ChainTransaction:
    """Record a proposal's votes; it changes no state."""
    instruction = instructions.build(
        "aggregate_proposal_votes",
        {"market": market.account, "backend_authority": sending.authority().pubkey()},
        final_likes=int(counted.yes),
        final_dislikes=int(counted.no),
    )
    purpose = "aggregate_proposal_votes"
    return sending.submit(call, purpose, market.market_id, [instruction], counted)


def approve(call: Call, market: OnChain, counted: Counted) -> ChainTransaction:
    """Approve a proposal whose recorded votes pass; only the programme's admin may."""
    instruction = instructions.build(
        "approve_proposal", {"market": market.account, "admin": sending.authority().pubkey()}
    )
    return sending.submit(call, "approve_proposal", market.market_id, [instruction], counted)


def finalize(
    call: Call,
    market: OnChain,
    shares: tuple[int, int] | None = None,
    counted: Counted | None = None,
) -> ChainTransaction:
    """Make an outcome final: undisputed, or by votes for and against it being another one.

    The programme never sees counts over 32 bits: votes go as shares of 10,000.
    """
    agree, disagree = shares or (None, None)
    instruction = instructions.build(
        "finalize_market",
        {"market": market.account, "backend_authority": sending.authority().pubkey()},
        dispute_agree=agree,
        dispute_disagree=disagree,
    )
    return sending.submit(call, "finalize_market", market.market_id, [instruction], counted)
