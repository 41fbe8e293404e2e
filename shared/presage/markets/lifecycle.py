"""A market's life: proposed, approved, activated, resolved, finalized, or cancelled.

The table of moves and the checks that guard each are in SQL (`market_moves`, `move_market`), under
the market's lock; these services say which move is meant.
"""

import re
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from presage.call import Call
from presage.chain.models import UnsignedTransaction
from presage.db import connection
from presage.db.connection import Statement
from presage.db.queries import beside
from presage.errors import ConflictError, ValidationFailedError
from presage.idempotency import request_hash
from presage.markets.models import (
    ApproveMarket,
    ClarifyMarket,
    CreateOutcomes,
    DecideDispute,
    DisputeMarket,
    MoveMarket,
    ProposeMarket,
    ResolveMarket,
    SetTickRange,
    SetTradingStatus,
)
from presage.markets.views import (
    Clarification,
    CreatedOutcome,
    DisputeDecided,
    MarketDisputed,
    MarketMoved,
    MarketProposed,
    TickRangeSet,
    TradingStatusChanged,
)
from presage.schema import Page, Pagination

_SLUG_CHARS = 80
_queries = beside(__file__)


@dataclass(frozen=True)
class _Taken:
    slug: str


@dataclass(frozen=True)
class _DisputedRow:
    id: uuid.UUID
    market_id: uuid.UUID
    slug: str
    previous_state: str
    state: str
    bond_micros: int
    changed_at: datetime
    replayed: bool


def propose_market(call: Call, request: ProposeMarket) -> MarketProposed:
    """Propose a market; on Solana, make the transaction that creates it there.

    Raises:
        ValidationFailedError: the close is not in the future.
        ConflictError: the slug is taken.
        UnprocessableError, UnavailableError, UpstreamError: on Solana, as
            `chain.service.build_creation` says.
    """
    if request.closes_at <= call.now:
        raise ValidationFailedError("closesAt must lie in the future.", field="closesAt")
    market_id = uuid.uuid4()
    slug = request.slug or _slug_from(request.question)
    rule = request.resolution_rule
    unsigned, keeping, place = _on_solana(call, market_id, request)
    params = (
        request.model_dump(exclude={"market_type", "resolution_rule", "image_url"})
        | {
            "id": market_id,
            "slug": slug,
            "image_url": str(request.image_url) if request.image_url else None,
            "resolution_rule": rule.model_dump_json() if rule else None,
        }
        | dict(place)
        | _traced(call)
    )
    connection.run(call, [(_queries["propose_market"], None, params), *keeping])
    call.changed_tags.append("markets")
    return MarketProposed(id=market_id, slug=slug, created_at=call.now, unsigned=unsigned)


def _on_solana(
    call: Call, market_id: uuid.UUID, request: ProposeMarket
) -> tuple[UnsignedTransaction | None, list[Statement[Any]], Mapping[str, str | None]]:
    """What a market on Solana needs beside its row: a transaction, its note, where it will be."""
    if request.venue == "native" or request.b_parameter is None or not request.initial_liquidity:
        return None, [], {"chain_market_id": None, "chain_address": None}
    from presage.chain import programme, service

    # Asked before anything is pinned; what takes it in between is met by its unique index.
    taken = {"slug": request.slug}
    if request.slug and connection.fetch_all(call, _queries["find_slug"], _Taken, taken):
        raise ConflictError("The slug is taken.", field="slug")
    question = {
        "market_id": str(market_id),
        "question": request.question,
        "description": request.description,
        "rules": request.rules,
        "closes_at": request.closes_at.isoformat(),
    }
    text = orjson.dumps(question, option=orjson.OPT_SORT_KEYS).decode()
    built = service.build_creation(
        call, market_id, text, request.b_parameter, request.initial_liquidity
    )
    on_chain = programme.chain_market_id(market_id)
    place = {
        "chain_market_id": on_chain.hex(),
        "chain_address": str(programme.market_address(on_chain)),
    }
    return built.view(), [service.keeping(call, built)], place


def approve_market(call: Call, request: ApproveMarket) -> MarketMoved:
    """PROPOSED to APPROVED, with the fee schedule."""
    return move(
        call,
        request.market_id,
        "APPROVED",
        reason=request.reason,
        fee_bps=request.fee_bps,
        maker_rebate_bps=request.maker_rebate_bps,
    )


def activate_market(call: Call, request: MoveMarket) -> MarketMoved:
    """APPROVED to ACTIVE, by the creator or an admin."""
    return move(call, request.market_id, "ACTIVE", reason=request.reason)


def cancel_market(call: Call, request: MoveMarket) -> MarketMoved:
    """PROPOSED or APPROVED to CANCELLED."""
    return move(call, request.market_id, "CANCELLED", reason=request.reason)


def resolve_market(call: Call, request: ResolveMarket) -> MarketMoved:
    """ACTIVE to RESOLVING: an outcome is proposed and the dispute window opens."""
    return propose_outcome(
        call,
        request.market_id,
        request.outcome,
        reason=request.reason,
        evidence=request.evidence.model_dump(mode="json", exclude_none=True),
    )


def dispute_market(call: Call, request: DisputeMarket) -> MarketDisputed:
    """RESOLVING to DISPUTED, by a holder inside the dispute window, with a bond.

    Raises:
        ForbiddenError: the caller holds nothing of the market.
        InsufficientFundsError: the available money does not cover the bond.
        InvalidStateError: nothing is proposed, or the window is over.
    """
    fields = request.model_dump()
    params = fields | {
        "key": call.idempotency_key,
        "request_hash": request_hash(fields),
        "dispute_id": uuid.uuid4(),
    }
    row = connection.fetch_one(
        call, _queries["dispute_market"], _DisputedRow, params | _traced(call)
    )
    if row is None:
        raise LookupError("dispute_market answers a row or raises")
    if row.replayed:
        call.headers["Idempotent-Replayed"] = "true"
    call.changed_tags.extend(("markets", f"market:{request.market_id}"))
    return MarketDisputed(**{name: getattr(row, name) for name in MarketDisputed.model_fields})


def decide_dispute(call: Call, request: DecideDispute) -> DisputeDecided:
    """DISPUTED to FINALIZED: with another outcome when upheld, with the proposed one when not.

    On Solana only where nobody voted in the three days; market_monitor then sends it to the chain,
    whose answer moves the market.

    Raises:
        NotFoundError: there is no such market.
        InvalidStateError: it is not disputed or, on Solana, its votes decide or are not over.
        ValidationFailedError: an upheld dispute gives no other outcome that fits.
    """
    params = request.model_dump() | _traced(call)
    decided = connection.fetch_one(call, _queries["decide_dispute"], DisputeDecided, params)
    if decided is None:
        raise LookupError("decide_dispute answers a row or raises")
    call.changed_tags.extend(("markets", f"market:{request.market_id}"))
    return decided


def conclude_dispute(call: Call, market_id: uuid.UUID) -> None:
    """End a native dispute by its votes; one that they would uphold is put before an admin.

    Raises:
        InvalidStateError: the market is not disputed, or its three days are not over.
    """
    params = {"market_id": market_id} | _traced(call)
    connection.run(call, [(_queries["conclude_dispute"], None, params)])
    call.changed_tags.extend(("markets", f"market:{market_id}"))


def finalize_market(call: Call, request: MoveMarket) -> MarketMoved:
    """RESOLVING to FINALIZED, once the dispute window is over undisputed."""
    return move(call, request.market_id, "FINALIZED", reason=request.reason)


def create_outcomes(call: Call, request: CreateOutcomes) -> Page[CreatedOutcome]:
    """Give a market that nobody has traded several outcomes, each with a book of its own."""
    outcomes = [outcome.model_dump() for outcome in request.outcomes]
    params = {
        "market_id": request.market_id,
        "outcomes": orjson.dumps(outcomes).decode(),
        "exhaustive": request.exhaustive,
    } | _traced(call)
    created = connection.fetch_all(call, _queries["create_outcomes"], CreatedOutcome, params)
    call.changed_tags.extend(("markets", f"market:{request.market_id}"))
    return Page(created, Pagination(limit=len(created)))


def set_trading_status(call: Call, request: SetTradingStatus) -> TradingStatusChanged:
    """Change what a market that has not closed takes."""
    params = request.model_dump() | _traced(call)
    changed = connection.fetch_one(
        call, _queries["set_trading_status"], TradingStatusChanged, params
    )
    if changed is None:
        raise LookupError("set_trading_status answers a row or raises")
    call.changed_tags.extend(("markets", f"market:{request.market_id}"))
    return changed


def set_tick_range(call: Call, request: SetTickRange) -> TickRangeSet:
    """Bound a market's tick; it moves inside the range by volatility alone, after notice.

    Raises:
        ValidationFailedError: the smallest is above the largest.
        NotFoundError: there is no such market.
        InvalidStateError: the market is over, or its tick is outside the range.
    """
    if request.min_tick_bps > request.max_tick_bps:
        raise ValidationFailedError("minTick may not exceed maxTick.", field="minTick")
    params = request.model_dump() | _traced(call)
    changed = connection.fetch_one(call, _queries["set_tick_range"], TickRangeSet, params)
    if changed is None:
        raise LookupError("set_tick_range answers a row or raises")
    return changed


def clarify_market(call: Call, request: ClarifyMarket) -> Clarification:
    """Add a dated clarification to a market's rules."""
    params = request.model_dump() | _traced(call)
    clarified = connection.fetch_one(call, _queries["clarify_market"], Clarification, params)
    if clarified is None:
        raise LookupError("clarify_market answers a row or raises")
    call.changed_tags.append(f"market:{request.market_id}")
    return clarified


def propose_outcome(
    call: Call,
    market_id: uuid.UUID,
    outcome: str,
    *,
    reason: str | None,
    evidence: Mapping[str, Any],
) -> MarketMoved:
    """Propose an outcome (YES, NO, VOID, a label or a number) with the evidence for it."""
    return move(call, market_id, "RESOLVING", reason=reason, outcome=outcome, evidence=evidence)


def move(
    call: Call,
    market_id: uuid.UUID,
    to: str,
    *,
    reason: str | None,
    outcome: str | None = None,
    evidence: Mapping[str, Any] | None = None,
    fee_bps: int | None = None,
    maker_rebate_bps: int | None = None,
) -> MarketMoved:
    """Move a market to another state.

    Raises:
        NotFoundError: there is no such market.
        InvalidStateError: it cannot go there from where it is, or not yet.
        ForbiddenError: the caller may not move it.
    """
    moved = connection.fetch_one(
        call,
        _queries["move_market"],
        MarketMoved,
        {
            "market_id": market_id,
            "to": to,
            "reason": reason,
            "outcome": outcome,
            "evidence": orjson.dumps(dict(evidence), default=str).decode() if evidence else None,
            "fee_bps": fee_bps,
            "maker_rebate_bps": maker_rebate_bps,
            "as_admin": call.actor is not None and call.actor.acts_as_admin,
        }
        | _traced(call),
    )
    if moved is None:
        raise LookupError("move_market answers a row or raises")
    call.changed_tags.extend(("markets", f"market:{market_id}"))
    return moved


def _traced(call: Call) -> dict[str, Any]:
    """What the audit log keeps of a request."""
    return {"request_id": call.request_id, "ip": call.ip, "now": call.now}


def _slug_from(question: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", question.lower()).strip("-")[:_SLUG_CHARS].strip("-")
    return f"{words or 'market'}-{secrets.token_hex(4)}"
