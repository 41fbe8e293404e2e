"""`zmart_core` on the local cluster: a market's life, what it refuses, and what it leaves."""

import uuid
from functools import partial

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from presage.chain import events, instructions, programme
from presage.chain.accounts import GlobalConfig, VoteRecord
from presage.chain.programme import MarketState, VoteType
from tests.cluster import AUTHORITY, CID, SOL, B, Cluster

from .qstash_driver import START_MS
from .solana_scene import DAY_S, Scene, refused

ADMIN = {"admin": AUTHORITY.pubkey()}
BACKEND = {"backend_authority": AUTHORITY.pubkey()}
FEES = {
    "protocol_fee_bps": 300,
    "resolver_reward_bps": 200,
    "liquidity_provider_fee_bps": 500,
    "proposal_approval_threshold": 7_000,
    "dispute_success_threshold": 6_000,
    "min_resolution_delay": None,
    "dispute_period": None,
}


def test_genesis_has_the_config(cluster: Cluster) -> None:
    config = cluster.account(GlobalConfig, programme.config_address())
    assert (config.admin, config.backend_authority) == (bytes(AUTHORITY.pubkey()),) * 2
    assert config[3:8] == (300, 200, 500, 7_000, 6_000)
    assert (config.min_resolution_delay, config.dispute_period) == (DAY_S, 3 * DAY_S)
    [first] = cluster.rpc(
        "getSignaturesForAddress", str(programme.config_address()), {"commitment": "confirmed"}
    )[-1:]
    [event] = cluster.events(first["signature"])
    assert event == events.GlobalConfigInitialized(
        config.admin, config.backend_authority, 300, START_MS // 1_000
    )
    keys = ADMIN | {"protocol_fee_wallet": AUTHORITY.pubkey()}
    again = instructions.build(
        "initialize_global_config", keys, backend_authority=bytes(AUTHORITY.pubkey())
    )
    assert refused(lambda: cluster.send(AUTHORITY, again)) == "0"  # System: the account is in use


def test_a_market_is_created(scene: Scene) -> None:
    market_id = programme.chain_market_id(uuid.uuid4())
    before = scene.cluster.balance(scene.creator.pubkey())
    market = scene.cluster.create_market(scene.creator, market_id=market_id, liquidity=2 * SOL)
    info = scene.cluster.value(
        "getAccountInfo", str(market), {"encoding": "base64", "commitment": "confirmed"}
    )
    rent = scene.cluster.rpc("getMinimumBalanceForRentExemption", 488)
    assert (info["space"], info["owner"]) == (488, str(programme.program_id()))
    assert info["lamports"] == rent + 2 * SOL
    assert scene.cluster.balance(scene.creator.pubkey()) == before - info["lamports"] - 5_000
    found = scene.market(market)
    assert found.market_id == market_id
    assert found.state == MarketState.PROPOSED
    assert (found.initial_liquidity, found.current_liquidity) == (2 * SOL, 2 * SOL)
    assert (found.shares_yes, found.shares_no) == (B // 1_000, B // 1_000)
    assert (found.created_at, found.activated_at) == (scene.now_s(), 0)
    assert found.ipfs_evidence_hash == CID
    address, bump = Pubkey.find_program_address([b"market", market_id], programme.program_id())
    assert (market, found.bump) == (address, bump)


@pytest.mark.parametrize("gift", [900_000, SOL])
def test_a_market_is_created_where_somebody_has_sent_lamports(scene: Scene, gift: int) -> None:
    market_id = programme.chain_market_id(uuid.uuid4())
    address = programme.market_address(market_id)
    giver = TransferParams(from_pubkey=scene.trader.pubkey(), to_pubkey=address, lamports=gift)
    scene.cluster.send(scene.trader, transfer(giver))
    market = scene.cluster.create_market(scene.creator, market_id=market_id)
    assert scene.market(market).state == MarketState.PROPOSED
    rent = scene.cluster.rpc("getMinimumBalanceForRentExemption", 488)
    assert scene.cluster.balance(market) == max(rent, gift) + SOL
    again = partial(scene.cluster.create_market, scene.creator, market_id=market_id)
    assert refused(again) == "0"  # System: the account is in use


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"b_parameter": 0}, "InvalidBParameter"),
        ({"initial_liquidity": 0}, "InvalidLiquidity"),
        ({"ipfs_question_hash": bytes(46)}, "InvalidIpfsHash"),
        ({"initial_liquidity": 10**15}, "1"),  # System: not enough lamports
        ({"market_id": bytes(32)}, "2006"),  # the address is not that id's
    ],
    ids=str,
)
def test_bad_markets_are_refused(scene: Scene, changed: dict[str, object], error: str) -> None:
    market_id = programme.chain_market_id(uuid.uuid4())
    keys = {"creator": scene.creator.pubkey(), "market": programme.market_address(market_id)}
    arguments: dict[str, object] = {
        "market_id": market_id,
        "b_parameter": B,
        "initial_liquidity": SOL,
        "ipfs_question_hash": CID,
    }
    assert (
        refused(
            lambda: scene.cluster.run("create_market", scene.creator, keys, **arguments | changed)
        )
        == error
    )
    assert scene.cluster.balance(keys["market"]) == 0


def test_proposal_votes(scene: Scene) -> None:
    market = scene.cluster.create_market(scene.creator)
    user = scene.trader.pubkey()
    record = programme.vote_address(market, user, VoteType.PROPOSAL)
    keys = {"market": market, "vote_record": record, "user": user}
    signature = scene.cluster.run("submit_proposal_vote", scene.trader, keys, vote=True)
    found = scene.cluster.account(VoteRecord, record)
    assert found[:5] == (bytes(market), bytes(user), VoteType.PROPOSAL, True, scene.now_s())
    assert scene.cluster.events(signature) == [
        events.ProposalVoteSubmitted(
            scene.market(market).market_id, bytes(user), vote=True, timestamp=scene.now_s()
        )
    ]
    assert (
        refused(lambda: scene.cluster.run("submit_proposal_vote", scene.trader, keys, vote=False))
        == "0"
    )
    disputing = keys | {"vote_record": programme.vote_address(market, user, VoteType.DISPUTE)}
    assert (
        refused(
            lambda: scene.cluster.run("submit_dispute_vote", scene.trader, disputing, vote=True)
        )
        == "InvalidStateForVoting"
    )


def test_approval_needs_the_tally_and_the_admin(scene: Scene) -> None:
    market = scene.cluster.create_market(scene.creator)
    approving = ADMIN | {"market": market}

    def approve() -> str:
        return scene.cluster.run("approve_proposal", AUTHORITY, approving)

    assert refused(approve) == "NoVotesRecorded"
    signature = scene.cluster.aggregate(market, 6_999, 3_001)
    assert scene.cluster.events(signature) == [
        events.ProposalAggregated(
            scene.market(market).market_id,
            likes=6_999,
            dislikes=3_001,
            approval_percentage=69,
            approved=False,
            timestamp=scene.now_s(),
        )
    ]
    assert scene.market(market).state == MarketState.PROPOSED
    assert refused(approve) == "InsufficientVotes"
    assert refused(lambda: scene.cluster.aggregate(market, 2**32 - 1, 1)) == "OverflowError"
    scene.cluster.aggregate(market, 7, 3)
    found = scene.market(market)
    assert (found.proposal_likes, found.proposal_dislikes, found.proposal_total_votes) == (7, 3, 10)
    stranger = {"admin": scene.trader.pubkey(), "market": market}
    assert (
        refused(lambda: scene.cluster.run("approve_proposal", scene.trader, stranger))
        == "Unauthorized"
    )
    [event] = scene.cluster.events(approve())
    assert event == events.ProposalApproved(
        found.market_id, bytes(AUTHORITY.pubkey()), scene.now_s()
    )
    assert scene.market(market).approved_at == scene.now_s()
    assert refused(approve) == "InvalidStateTransition"
    assert refused(lambda: scene.cluster.aggregate(market, 1, 1)) == "InvalidStateForVoting"


def test_only_the_backend_aggregates(scene: Scene) -> None:
    market = scene.cluster.create_market(scene.creator)
    keys = {"market": market, "backend_authority": scene.trader.pubkey()}
    votes = {"final_likes": 1, "final_dislikes": 0}
    assert (
        refused(lambda: scene.cluster.run("aggregate_proposal_votes", scene.trader, keys, **votes))
        == "Unauthorized"
    )
    signed = instructions.build("aggregate_proposal_votes", BACKEND | {"market": market}, **votes)
    metas = [AccountMeta(one.pubkey, False, one.is_writable) for one in signed.accounts]  # noqa: FBT003
    bare = Instruction(signed.program_id, bytes(signed.data), metas)
    assert refused(lambda: scene.cluster.send(scene.trader, bare)) == "3010"  # AccountNotSigner


def test_activation_and_cancellation(scene: Scene) -> None:
    market = scene.cluster.create_market(scene.creator)
    activating = {"authority": scene.creator.pubkey(), "market": market}

    def activate() -> str:
        return scene.cluster.run("activate_market", scene.creator, activating)

    assert refused(activate) == "InvalidStateTransition"
    scene.cluster.aggregate(market, 1, 0)
    scene.cluster.run("approve_proposal", AUTHORITY, ADMIN | {"market": market})
    stranger = {"authority": scene.trader.pubkey(), "market": market}
    assert (
        refused(lambda: scene.cluster.run("activate_market", scene.trader, stranger))
        == "Unauthorized"
    )
    [event] = scene.cluster.events(activate())
    market_id = scene.market(market).market_id
    creator = bytes(scene.creator.pubkey())
    assert event == events.MarketActivated(market_id, creator, SOL, scene.now_s())

    def cancel(one: Pubkey) -> str:
        return scene.cluster.run("cancel_market", AUTHORITY, ADMIN | {"market": one})

    assert refused(lambda: cancel(market)) == "CannotCancelMarket"
    proposed = scene.cluster.create_market(scene.creator)
    [event] = scene.cluster.events(cancel(proposed))
    found = scene.market(proposed)
    assert event == events.MarketCancelled(
        found.market_id, bytes(AUTHORITY.pubkey()), scene.now_s()
    )
    assert (found.state, found.cancelled_at) == (MarketState.CANCELLED, scene.now_s())
    assert refused(lambda: cancel(proposed)) == "MarketAlreadyCancelled"


def test_a_pause_stops_trading_and_proposing(scene: Scene) -> None:
    market = scene.cluster.active_market(scene.creator)

    def pause() -> str:
        return scene.cluster.run("emergency_pause", AUTHORITY, ADMIN)

    [event] = scene.cluster.events(pause())
    admin = bytes(AUTHORITY.pubkey())
    assert event == events.ProtocolPauseStatusChanged(True, admin, scene.now_s())  # noqa: FBT003
    assert refused(lambda: scene.cluster.buy(scene.trader, market, SOL)) == "ProtocolPaused"
    assert refused(lambda: scene.cluster.create_market(scene.creator)) == "ProtocolPaused"
    pause()
    scene.cluster.buy(scene.trader, market, SOL)


def test_the_config_is_the_admins(scene: Scene) -> None:
    def update(**changed: object) -> str:
        return scene.cluster.run("update_global_config", AUTHORITY, ADMIN, **FEES | changed)

    assert refused(lambda: update(protocol_fee_bps=9_301)) == "InvalidFeeStructure"
    assert refused(lambda: update(dispute_success_threshold=10_001)) == "InvalidThreshold"
    assert refused(lambda: update(dispute_period=0)) == "InvalidTimeLimit"
    stranger = {"admin": scene.trader.pubkey()}
    assert (
        refused(lambda: scene.cluster.run("update_global_config", scene.trader, stranger, **FEES))
        == "Unauthorized"
    )
    [event] = scene.cluster.events(update(dispute_period=DAY_S))
    assert event == events.ConfigUpdated(300, 200, 500, 7_000, 6_000, DAY_S, DAY_S, scene.now_s())
    update(dispute_period=3 * DAY_S)


def test_an_undisputed_outcome(scene: Scene) -> None:
    market = scene.cluster.active_market(scene.creator)
    scene.cluster.buy(scene.trader, market, SOL)
    proposing = {"market": market, "resolver": scene.creator.pubkey()}
    no_cid = {"proposed_outcome": True, "ipfs_evidence_hash": bytes(46)}
    assert (
        refused(lambda: scene.cluster.run("resolve_market", scene.creator, proposing, **no_cid))
        == "InvalidIpfsHash"
    )
    [event] = scene.cluster.events(scene.cluster.resolve(scene.creator, market))
    found = scene.market(market)
    assert event == events.MarketResolved(
        found.market_id,
        bytes(scene.creator.pubkey()),
        outcome=True,
        evidence_hash=CID,
        timestamp=scene.now_s(),
    )
    assert refused(lambda: scene.cluster.resolve(scene.creator, market)) == "InvalidMarketState"
    assert refused(lambda: scene.cluster.finalize(market)) == "InvalidTimestamp"
    scene.days_later(2)
    assert refused(lambda: scene.cluster.finalize(market)) == "DisputePeriodNotEnded"
    scene.days_later(1)
    assert refused(lambda: scene.cluster.dispute(scene.trader, market)) == "DisputePeriodEnded"
    for votes in ((6_000, 4_000), (6_000, None), (None, 0)):
        assert refused(partial(scene.cluster.finalize, market, *votes)) == "InvalidInput"
    [event] = scene.cluster.events(scene.cluster.finalize(market))
    assert event == events.MarketFinalized(
        found.market_id, final_outcome=True, was_disputed=False, timestamp=scene.now_s()
    )
    found = scene.market(market)
    assert (found.state, found.final_outcome) == (MarketState.FINALIZED, True)
    assert refused(lambda: scene.cluster.finalize(market)) == "InvalidMarketState"


@pytest.mark.parametrize(
    ("agree", "outcome"), [(5_999, True), (6_000, False)], ids=["stays", "flips"]
)
def test_a_dispute_is_decided_by_its_votes(scene: Scene, agree: int, outcome: bool) -> None:
    market = scene.disputed()
    found = scene.market(market)
    assert (found.state, found.dispute_initiated_at) == (MarketState.DISPUTED, scene.now_s())
    assert found.dispute_initiator == bytes(scene.trader.pubkey())
    scene.days_later(0.1)
    assert refused(lambda: scene.cluster.finalize(market)) == "NoVotesRecorded"
    assert refused(lambda: scene.cluster.finalize(market, 0, 0)) == "NoVotesRecorded"
    [event] = scene.cluster.events(scene.cluster.finalize(market, agree, 10_000 - agree))
    assert event == events.MarketFinalized(
        found.market_id, final_outcome=outcome, was_disputed=True, timestamp=scene.now_s()
    )
    found = scene.market(market)
    assert (found.dispute_agree, found.dispute_total_votes) == (agree, 10_000)


@pytest.mark.parametrize(
    ("agrees", "state"), [(6, MarketState.RESOLVING), (5, MarketState.FINALIZED)], ids=str
)
def test_aggregating_a_dispute_ends_it(scene: Scene, agrees: int, state: MarketState) -> None:
    market = scene.disputed()
    signature = scene.cluster.run(
        "aggregate_dispute_votes",
        AUTHORITY,
        BACKEND | {"market": market},
        final_agrees=agrees,
        final_disagrees=10 - agrees,
    )
    found = scene.market(market)
    succeeded = state == MarketState.RESOLVING
    assert scene.cluster.events(signature) == [
        events.DisputeAggregated(
            found.market_id, agrees, 10 - agrees, agrees * 10, succeeded, scene.now_s()
        )
    ]
    assert (found.state, found.final_outcome, found.was_disputed) == (state, None, True)


def test_a_dispute_vote_is_a_record(scene: Scene) -> None:
    market, user = scene.disputed(), scene.trader.pubkey()
    record = programme.vote_address(market, user, VoteType.DISPUTE)
    keys = {"market": market, "vote_record": record, "user": user}
    signature = scene.cluster.run("submit_dispute_vote", scene.trader, keys, vote=False)
    [event] = scene.cluster.events(signature)
    assert event == events.DisputeVoteSubmitted(
        scene.market(market).market_id, bytes(user), vote=False, timestamp=scene.now_s()
    )
    assert scene.cluster.account(VoteRecord, record).vote_type == VoteType.DISPUTE


def test_instructions_that_are_none(scene: Scene) -> None:
    known = instructions.build("emergency_pause", ADMIN)
    for data, code in ((bytes(8), "101"), (b"", "101"), (bytes(known.data) + b"x", "102")):
        broken = Instruction(known.program_id, data, list(known.accounts))
        assert refused(partial(scene.cluster.send, AUTHORITY, broken)) == code
    few = Instruction(known.program_id, bytes(known.data), [])
    assert refused(lambda: scene.cluster.send(AUTHORITY, few)) == "3005"
    market = scene.cluster.create_market(scene.creator)
    keys = {"market": scene.trader.pubkey(), "initiator": scene.trader.pubkey()}
    assert refused(lambda: scene.cluster.run("initiate_dispute", scene.trader, keys)) == "3012"
    keys = {"market": market, "initiator": scene.trader.pubkey()}
    assert refused(lambda: scene.cluster.dispute(scene.trader, market)) == "InvalidMarketState"
    wrong = keys | {"global_config": market}  # no GlobalConfig lies there
    assert refused(lambda: scene.cluster.run("initiate_dispute", scene.trader, wrong)) == "3002"
