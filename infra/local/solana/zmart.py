"""A market's life on `zmart_core` by the documented rules; trading has a module of its own.

Where the documentation is silent: `create_market` takes the initial liquidity from its creator.
"""

from typing import Any

from infra.local.solana.anchor import Frame, Rule
from infra.local.solana.derived import derived
from infra.local.solana.zmart_trades import TRADING_RULES
from presage.chain import accounts, events, lmsr
from presage.chain.accounts import GlobalConfig, MarketAccount, VoteRecord
from presage.chain.programme import MarketState, VoteType

NO_KEY = bytes(32)
BPS = 10_000
MAX_U32 = 2**32 - 1
MAX_AGE_S = 10 * 365 * 86_400
INITIAL_SHARES_DIVISOR = 1_000
FEES_BPS = (300, 200, 500)
APPROVAL_BPS = 7_000
DISPUTE_BPS = 6_000
RESOLUTION_DELAY_S = 86_400
DISPUTE_PERIOD_S = 259_200
RESOLVER_REPUTATION = 8_000


# The protocol


def initialize_global_config(frame: Frame, *, backend_authority: bytes) -> None:
    """Set the protocol up, once."""
    protocol_fee, resolver_reward, provider_fee = FEES_BPS
    config = GlobalConfig(
        admin=bytes(frame.key("admin")),
        backend_authority=backend_authority,
        protocol_fee_wallet=bytes(frame.key("protocol_fee_wallet")),
        protocol_fee_bps=protocol_fee,
        resolver_reward_bps=resolver_reward,
        liquidity_provider_fee_bps=provider_fee,
        proposal_approval_threshold=APPROVAL_BPS,
        dispute_success_threshold=DISPUTE_BPS,
        min_resolution_delay=RESOLUTION_DELAY_S,
        dispute_period=DISPUTE_PERIOD_S,
        min_resolver_reputation=RESOLVER_REPUTATION,
        is_paused=False,
        reserved=bytes(64),
        bump=0,
    )
    size = len(accounts.encode_account(config))
    bump = frame.create("global_config", derived(b"global-config"), "admin", size)
    frame.save("global_config", config._replace(bump=bump))
    frame.emit(
        events.GlobalConfigInitialized(config.admin, backend_authority, protocol_fee, frame.now)
    )


def update_global_config(
    frame: Frame,
    *,
    min_resolution_delay: int | None,
    dispute_period: int | None,
    **settings: Any,  # noqa: ANN401 - the other fields of the config, by name
) -> None:
    """Change fees, thresholds and periods."""
    config = _admin(frame)
    fees = ("protocol_fee_bps", "resolver_reward_bps", "liquidity_provider_fee_bps")
    frame.require(sum(settings[name] for name in fees) <= BPS, "InvalidFeeStructure")
    thresholds = ("proposal_approval_threshold", "dispute_success_threshold")
    frame.require(all(settings[name] <= BPS for name in thresholds), "InvalidThreshold")
    for period in (min_resolution_delay, dispute_period):
        frame.require(period is None or period > 0, "InvalidTimeLimit")
    if min_resolution_delay is None:
        min_resolution_delay = config.min_resolution_delay
    if dispute_period is None:
        dispute_period = config.dispute_period
    frame.save(
        "global_config",
        config._replace(
            min_resolution_delay=min_resolution_delay, dispute_period=dispute_period, **settings
        ),
    )
    frame.emit(
        events.ConfigUpdated(
            min_resolution_delay=min_resolution_delay,
            dispute_period=dispute_period,
            timestamp=frame.now,
            **settings,
        )
    )


def emergency_pause(frame: Frame) -> None:
    """Stop trading and proposing, or let it go on."""
    config = _admin(frame)
    config = config._replace(is_paused=not config.is_paused)
    frame.save("global_config", config)
    admin = bytes(frame.key("admin"))
    frame.emit(events.ProtocolPauseStatusChanged(config.is_paused, admin, frame.now))


def _admin(frame: Frame) -> GlobalConfig:
    config = frame.config
    frame.require(bytes(frame.key("admin")) == config.admin, "Unauthorized")
    return config


def _backend(frame: Frame) -> GlobalConfig:
    config = frame.config
    authority = bytes(frame.key("backend_authority"))
    frame.require(authority == config.backend_authority, "Unauthorized")
    return config


# Proposing


def create_market(
    frame: Frame,
    *,
    market_id: bytes,
    b_parameter: int,
    initial_liquidity: int,
    ipfs_question_hash: bytes,
) -> None:
    """Propose a market."""
    bump = frame.create(
        "market", derived(b"market", market_id), "creator", accounts.MARKET_ACCOUNT_BYTES
    )
    frame.require(not frame.config.is_paused, "ProtocolPaused")
    frame.require(b_parameter > 0, "InvalidBParameter")
    frame.require(initial_liquidity > 0, "InvalidLiquidity")
    frame.require(ipfs_question_hash.startswith(b"Qm"), "InvalidIpfsHash")
    frame.pay_in("creator", "market", initial_liquidity)
    market = _new_market(market_id, bytes(frame.key("creator")), frame.now)._replace(
        b_parameter=b_parameter,
        initial_liquidity=initial_liquidity,
        current_liquidity=initial_liquidity,
        shares_yes=b_parameter // INITIAL_SHARES_DIVISOR,
        shares_no=b_parameter // INITIAL_SHARES_DIVISOR,
        ipfs_evidence_hash=ipfs_question_hash,
        bump=bump,
    )
    frame.save("market", market)
    frame.emit(
        events.MarketCreated(market_id, market.creator, b_parameter, market.state, frame.now)
    )


def _new_market(market_id: bytes, creator: bytes, now: int) -> MarketAccount:
    zeros: dict[str, Any] = {
        name: NO_KEY if name in {"resolver", "dispute_initiator"} else 0
        for name in MarketAccount._fields
    }
    return MarketAccount(
        **zeros
        | {
            "market_id": market_id,
            "creator": creator,
            "state": MarketState.PROPOSED,
            "created_at": now,
            "proposed_outcome": None,
            "final_outcome": None,
            "was_disputed": False,
            "is_cancelled": False,
            "cancelled_at": None,
            "is_locked": False,
            "reserved": bytes(119),
        }
    )


def submit_proposal_vote(frame: Frame, *, vote: bool) -> None:
    """Vote on a proposal: a record and an event, no count."""
    _vote(frame, MarketState.PROPOSED, VoteType.PROPOSAL, vote)
    user = bytes(frame.key("user"))
    frame.emit(events.ProposalVoteSubmitted(frame.market.market_id, user, vote, frame.now))


def submit_dispute_vote(frame: Frame, *, vote: bool) -> None:
    """Vote on a dispute: a record and an event, no count."""
    _vote(frame, MarketState.DISPUTED, VoteType.DISPUTE, vote)
    user = bytes(frame.key("user"))
    frame.emit(events.DisputeVoteSubmitted(frame.market.market_id, user, vote, frame.now))


def _vote(frame: Frame, state: MarketState, kind: VoteType, vote: bool) -> None:
    frame.require(frame.market.state == state, "InvalidStateForVoting")
    market, user = bytes(frame.key("market")), bytes(frame.key("user"))
    record = VoteRecord(market, user, kind, vote, frame.now, 0)
    place = derived(b"vote", market, user, bytes([kind]))
    bump = frame.create("vote_record", place, "user", len(accounts.encode_account(record)))
    frame.save("vote_record", record._replace(bump=bump))


def aggregate_proposal_votes(frame: Frame, *, final_likes: int, final_dislikes: int) -> None:
    """Record the tally; the state stays."""
    market = frame.market
    frame.require(market.state == MarketState.PROPOSED, "InvalidStateForVoting")
    config = _backend(frame)
    total = _total(frame, final_likes, final_dislikes)
    frame.save(
        "market",
        market._replace(
            proposal_likes=final_likes,
            proposal_dislikes=final_dislikes,
            proposal_total_votes=total,
        ),
    )
    share = _share(final_likes, total)
    approved = share >= config.proposal_approval_threshold
    frame.emit(
        events.ProposalAggregated(
            market.market_id, final_likes, final_dislikes, share // 100, approved, frame.now
        )
    )


def approve_proposal(frame: Frame) -> None:
    """Let a market with enough recorded votes through."""
    market, config = frame.market, _admin(frame)
    frame.require(market.state == MarketState.PROPOSED, "InvalidStateTransition")
    frame.require(market.proposal_total_votes > 0, "NoVotesRecorded")
    share = _share(market.proposal_likes, market.proposal_total_votes)
    frame.require(share >= config.proposal_approval_threshold, "InsufficientVotes")
    frame.save("market", market._replace(state=MarketState.APPROVED, approved_at=frame.now))
    admin = bytes(frame.key("admin"))
    frame.emit(events.ProposalApproved(market.market_id, admin, frame.now))


def activate_market(frame: Frame) -> None:
    """Begin trading."""
    market, config = frame.market, frame.config
    authority = bytes(frame.key("authority"))
    frame.require(authority in {config.admin, market.creator}, "Unauthorized")
    frame.require(market.state == MarketState.APPROVED, "InvalidStateTransition")
    frame.require(market.current_liquidity >= market.initial_liquidity, "InsufficientLiquidity")
    frame.save("market", market._replace(state=MarketState.ACTIVE, activated_at=frame.now))
    frame.emit(
        events.MarketActivated(
            market.market_id, market.creator, market.initial_liquidity, frame.now
        )
    )


def cancel_market(frame: Frame) -> None:
    """End a market before it trades."""
    market = frame.market
    _admin(frame)
    frame.require(market.state != MarketState.CANCELLED, "MarketAlreadyCancelled")
    early = market.state in {MarketState.PROPOSED, MarketState.APPROVED}
    frame.require(early, "CannotCancelMarket")
    frame.save("market", market._replace(state=MarketState.CANCELLED, cancelled_at=frame.now))
    admin = bytes(frame.key("admin"))
    frame.emit(events.MarketCancelled(market.market_id, admin, frame.now))


# Resolving


def resolve_market(frame: Frame, *, proposed_outcome: bool, ipfs_evidence_hash: bytes) -> None:
    """Propose the outcome; any wallet may."""
    market = frame.market
    frame.require(market.state == MarketState.ACTIVE, "InvalidMarketState")
    frame.require(market.proposed_outcome is None, "AlreadyResolved")
    frame.require(ipfs_evidence_hash.startswith(b"Qm"), "InvalidIpfsHash")
    resolver = bytes(frame.key("resolver"))
    frame.save(
        "market",
        market._replace(
            state=MarketState.RESOLVING,
            proposed_outcome=proposed_outcome,
            resolver=resolver,
            ipfs_evidence_hash=ipfs_evidence_hash,
            resolution_proposed_at=frame.now,
        ),
    )
    frame.emit(
        events.MarketResolved(
            market.market_id, resolver, proposed_outcome, ipfs_evidence_hash, frame.now
        )
    )


def initiate_dispute(frame: Frame) -> None:
    """Dispute the proposed outcome; any wallet may, in time."""
    market, config = frame.market, frame.config
    frame.require(market.state == MarketState.RESOLVING, "InvalidMarketState")
    deadline = market.resolution_proposed_at + config.dispute_period
    frame.require(frame.now < deadline, "DisputePeriodEnded")
    initiator = bytes(frame.key("initiator"))
    frame.save(
        "market",
        market._replace(
            state=MarketState.DISPUTED,
            dispute_initiator=initiator,
            dispute_initiated_at=frame.now,
            dispute_agree=0,
            dispute_disagree=0,
            dispute_total_votes=0,
        ),
    )
    frame.emit(
        events.DisputeInitiated(market.market_id, initiator, market.proposed_outcome, frame.now)
    )


def aggregate_dispute_votes(frame: Frame, *, final_agrees: int, final_disagrees: int) -> None:
    """Record the tally, which ends the dispute at once: RESOLVING again, or FINALIZED."""
    market = frame.market
    frame.require(market.state == MarketState.DISPUTED, "InvalidStateForVoting")
    config = _backend(frame)
    total = _total(frame, final_agrees, final_disagrees)
    succeeded = total > 0 and _share(final_agrees, total) >= config.dispute_success_threshold
    frame.save(
        "market",
        market._replace(
            state=MarketState.RESOLVING if succeeded else MarketState.FINALIZED,
            resolved_at=market.resolved_at if succeeded else frame.now,
            was_disputed=True,
            dispute_agree=final_agrees,
            dispute_disagree=final_disagrees,
            dispute_total_votes=total,
        ),
    )
    percentage = final_agrees * 100 // total if total else 0
    frame.emit(
        events.DisputeAggregated(
            market.market_id, final_agrees, final_disagrees, percentage, succeeded, frame.now
        )
    )


def finalize_market(
    frame: Frame, *, dispute_agree: int | None, dispute_disagree: int | None
) -> None:
    """Make the outcome final: undisputed after its period, disputed by the votes told.

    Which error meets votes on an undisputed one is not documented.
    """
    market = frame.market
    is_disputed = market.state == MarketState.DISPUTED
    frame.require(is_disputed or market.state == MarketState.RESOLVING, "InvalidMarketState")
    config = _backend(frame)
    in_time = market.created_at <= frame.now <= market.created_at + MAX_AGE_S
    frame.require(in_time and frame.now > market.resolution_proposed_at, "InvalidTimestamp")
    outcome = market.proposed_outcome
    if is_disputed:
        if dispute_agree is None or dispute_disagree is None:
            frame.fail("NoVotesRecorded")
        total = _total(frame, dispute_agree, dispute_disagree)
        frame.require(total > 0, "NoVotesRecorded")
        market = market._replace(
            dispute_agree=dispute_agree,
            dispute_disagree=dispute_disagree,
            dispute_total_votes=total,
        )
        flips = _share(dispute_agree, total) >= config.dispute_success_threshold
        outcome = not outcome if flips and outcome is not None else outcome
    else:
        frame.require(dispute_agree is None and dispute_disagree is None, "InvalidInput")
        over = frame.now >= market.resolution_proposed_at + config.dispute_period
        frame.require(over, "DisputePeriodNotEnded")
    lost = max(0, market.initial_liquidity - market.current_liquidity)
    bound = market.b_parameter * lmsr.LN_2 // lmsr.ONE
    frame.require(lost <= bound, "BoundedLossExceeded")
    market = market._replace(
        state=MarketState.FINALIZED,
        final_outcome=outcome,
        was_disputed=is_disputed,
        finalized_at=frame.now,
    )
    frame.save("market", market)
    frame.emit(events.MarketFinalized(market.market_id, outcome, is_disputed, frame.now))


def _total(frame: Frame, yes: int, no: int) -> int:
    frame.require(yes + no <= MAX_U32, "OverflowError")
    return yes + no


def _share(yes: int, total: int) -> int:
    """In 1/10,000."""
    return yes * BPS // total if total else 0


RULES: dict[str, Rule] = TRADING_RULES | {
    rule.__name__: rule
    for rule in (
        activate_market,
        aggregate_dispute_votes,
        aggregate_proposal_votes,
        approve_proposal,
        cancel_market,
        create_market,
        emergency_pause,
        finalize_market,
        initialize_global_config,
        initiate_dispute,
        resolve_market,
        submit_dispute_vote,
        submit_proposal_vote,
        update_global_config,
    )
}
