"""Deliveries at the webhook's door: the secret, the body, and what becomes of what is in it."""

import base64
import gzip
import hashlib
import hmac
import json
import zlib
from typing import Any

import pytest

from infra.local import deliveries
from infra.local.clock import set_clock
from infra.local.deliveries import GENESIS_S, key, market, of_events, wallet
from presage.chain import programme
from presage.chain.events import (
    DisputeAggregated,
    DisputeInitiated,
    Event,
    MarketActivated,
    MarketCancelled,
    MarketCreated,
    MarketFinalized,
    MarketResolved,
    ProposalAggregated,
    ProposalApproved,
    SharesBought,
    WinningsClaimed,
)
from presage.edge.request import MAX_BODY_BYTES
from tests.harness import WEBHOOK_SECRET, Answer, Platform, Wallet

MARKET = market("webhook")
ALICE, BOB = wallet("alice"), wallet("bob")
EVIDENCE = b"QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o"[:46]
CREATED = of_events(MarketCreated(MARKET, ALICE, 10**11, 0, GENESIS_S), name="created")


def _send(platform: Platform, raw: bytes, **headers: str) -> Answer:
    shown = {"authorization": WEBHOOK_SECRET} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return platform.invoke(
        "receive_helius", platform.event("receive_helius", raw=raw, headers=shown)
    )


def _rows(platform: Platform, query: str, *params: Any) -> list[tuple[Any, ...]]:
    with platform.database.connect() as owner:
        return owner.execute(query.encode(), params).fetchall()


def _count(platform: Platform, table: str) -> int:
    return int(_rows(platform, f"select count(*) from {table}")[0][0])  # noqa: S608 - ours


@pytest.mark.parametrize(
    "shown", ["", "Bearer x", WEBHOOK_SECRET[:-1], f"Bearer {WEBHOOK_SECRET}", "é", "a,b"]
)
def test_only_the_secret_opens(shown: str, platform: Platform) -> None:
    body = json.dumps([CREATED]).encode()
    assert _send(platform, body, authorization=shown).status == 401
    assert _count(platform, "chain_events") == 0


@pytest.mark.parametrize("configured", ["", ","])
def test_nobody_is_let_in_without_a_configured_secret(
    configured: str, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HELIUS_WEBHOOK_SECRET", configured)
    for shown in ("", ",", WEBHOOK_SECRET):
        assert _send(platform, b"[]", authorization=shown).status == 401


def test_two_secrets_open_while_one_replaces_the_other(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HELIUS_WEBHOOK_SECRET", "old,new")
    for shown, status in (("old", 200), ("new", 200), ("old,new", 401), ("", 401)):
        assert _send(platform, b"[]", authorization=shown).status == status


def test_a_relays_signature_is_asked_for_beside_the_secret(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HELIUS_HMAC_SECRET", "relay")
    body = json.dumps([CREATED]).encode()
    signed = hmac.new(b"relay", body, hashlib.sha256).hexdigest()
    assert _send(platform, body).status == 401
    assert _send(platform, body, x_helius_signature=signed[:-1] + "x").status == 401
    assert _send(platform, body + b" ", x_helius_signature=signed).status == 401
    assert _send(platform, body, x_helius_signature=signed, authorization="").status == 401
    assert _send(platform, body, x_helius_signature=f"sha256={signed}").status == 200
    assert _send(platform, body, x_helius_signature=signed).status == 200


def test_gzip_is_unpacked_and_never_further_than_the_limit(platform: Platform) -> None:
    packed = gzip.compress(json.dumps([CREATED]).encode())
    assert _send(platform, packed, content_encoding="gzip").data["indexed"] == 1
    bomb = gzip.compress(b"[" + b" " * 200_000_000)
    assert len(bomb) < 250_000
    for body in (
        bomb,
        packed[:-3],
        packed + b"x",
        zlib.compress(b"[]"),
        b"[]",
        b"",
        gzip.compress(b" " * MAX_BODY_BYTES + b"[]"),
    ):
        assert _send(platform, body, content_encoding="gzip").status == 400
    assert _send(platform, packed, content_encoding="br").status == 400
    assert _send(platform, b"[" + b" " * MAX_BODY_BYTES + b"]").status == 400


def test_both_paths_take_the_same_deliveries(platform: Platform) -> None:
    event = platform.event(
        "receive_events", body=[CREATED], headers={"authorization": WEBHOOK_SECRET}
    )
    assert platform.invoke("receive_events", event).data["indexed"] == 1
    assert platform.index(CREATED).data["indexed"] == 0
    event["headers"]["authorization"] = "x"
    assert platform.invoke("receive_events", event).status == 401


def test_a_delivery_is_counted_and_a_duplicate_changes_nothing(platform: Platform) -> None:
    failed = deliveries.transaction(
        deliveries.ours(deliveries.data_line(SharesBought(MARKET, BOB, True, 1, 1, 1, GENESIS_S))),  # noqa: FBT003
        name="failed",
        err={"InstructionError": [0, "Custom"]},
    )
    cut = deliveries.transaction(["Log truncated"], name="cut")
    strange = {"slot": "no"}
    expected = {
        "transactions": 4,
        "events": 1,
        "indexed": 1,
        "failed": 1,
        "incomplete": 1,
        "malformed": 1,
        "unknown": 0,
    }
    assert platform.index(CREATED, failed, cut, strange).data == expected
    before = _rows(platform, "select * from chain_markets")
    assert platform.index(CREATED, failed, cut, strange).data == expected | {"indexed": 0}
    assert _rows(platform, "select * from chain_markets") == before
    assert _rows(platform, "select signature from chain_events") == [
        (deliveries.signature("created"),)
    ]
    assert _rows(platform, "select signature from chain_incomplete") == [
        (deliveries.signature("cut"),)
    ]
    [(workflow, payload)] = _rows(platform, "select workflow, payload from dead_letters")
    assert workflow == "event_reconciliation"
    assert base64.b64decode(payload["base64"]) == b'{"slot": "no"}'  # as it came


def test_what_comes_again_is_not_late(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    """A delivery whose answer was lost is tried again for a day."""

    def lags() -> list[float]:
        told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return [one["IndexLag"][0] for one in told if "IndexLag" in one]

    set_clock(platform.clock_file, 1000 * (GENESIS_S + 3))
    platform.index(CREATED)
    assert lags() == [3_000]
    platform.advance(600)
    platform.index(CREATED)
    assert lags() == []
    later = SharesBought(MARKET, BOB, True, 1, 1, 1, GENESIS_S)  # noqa: FBT003
    platform.index(CREATED, of_events(later, name="later", slot=deliveries.GENESIS_SLOT + 1_500))
    assert lags() == [3_000]


def test_what_is_new_is_found_behind_much_that_is_known(platform: Platform) -> None:
    made = [
        of_events(
            MarketCreated(market(str(n)), ALICE, 10**11, 0, GENESIS_S), name=f"m {n}", index=n
        )
        for n in range(200)
    ]
    assert platform.index(*made[:150]).data["indexed"] == 150
    assert platform.index(*made).data["indexed"] == 50
    assert platform.index(*made, *made).data["indexed"] == 0
    assert _count(platform, "chain_markets") == 200


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b"null", b"\xff\xfe", b'["\\ud800"]', b"[" * 9])
def test_what_is_no_array_of_transactions_is_a_dead_letter(body: bytes, platform: Platform) -> None:
    answer = _send(platform, body).data
    assert (answer["malformed"], answer["indexed"]) == (1, 0)
    assert _count(platform, "dead_letters") == 1


def test_a_markets_life_is_followed(platform: Platform, admin: Wallet) -> None:
    """A market that began here moves as the chain says, and says so as any other."""
    market_id, this = _proposed_on_chain(platform, admin, ALICE)
    steps: list[tuple[Event, str]] = [
        (MarketCreated(this, ALICE, 10**11, 0, GENESIS_S), "PROPOSED"),
        (ProposalAggregated(this, 7, 3, 70, approved=True, timestamp=GENESIS_S), "PROPOSED"),
        (ProposalApproved(this, BOB, GENESIS_S), "APPROVED"),
        (MarketActivated(this, ALICE, 10**10, GENESIS_S), "ACTIVE"),
        (MarketResolved(this, BOB, outcome=True, evidence_hash=EVIDENCE, timestamp=GENESIS_S),
         "RESOLVING"),
        (DisputeInitiated(this, ALICE, disputed_outcome=True, timestamp=GENESIS_S), "DISPUTED"),
        (DisputeAggregated(this, 6, 4, 60, dispute_succeeded=True, timestamp=GENESIS_S),
         "RESOLVING"),
        (MarketFinalized(this, final_outcome=False, was_disputed=True, timestamp=GENESIS_S),
         "FINALIZED"),
    ]  # fmt: skip
    for number, (event, state) in enumerate(steps):
        platform.index(of_events(event, name=f"step {number}", slot=2_000 + number))
        market = platform.call("get_market", market_id=market_id).data
        assert market["state"] == state
    payout = _rows(platform, "select final_payout_bps from markets where id = %s", market_id)
    assert payout == [([0, 10000],)]
    moves = _rows(
        platform,
        "select from_state, to_state from market_state_changes where market_id = %s order by id",
        market_id,
    )
    assert moves == [
        (None, "PROPOSED"),
        ("PROPOSED", "APPROVED"),
        ("APPROVED", "ACTIVE"),
        ("ACTIVE", "RESOLVING"),
        ("RESOLVING", "DISPUTED"),
        ("DISPUTED", "RESOLVING"),
        ("RESOLVING", "FINALIZED"),
    ]
    told = _rows(platform, "select payload ->> 'newState' from outbox where topic = 'market_state'")
    assert [state for (state,) in told] == [to for _, to in moves[1:]]
    [row] = _rows(
        platform,
        "select claims_enabled, chain_address, last_state_change_tx from markets where id = %s",
        market_id,
    )
    assert row == (True, str(programme.market_address(this)), deliveries.signature("step 7"))
    # Once more, older first: nothing moves back, and nothing is told twice.
    platform.index(*[of_events(one, name=f"step {n}", slot=2_000 + n) for n, (one, _) in
                     enumerate(steps)])  # fmt: skip
    assert platform.call("get_market", market_id=market_id).data["state"] == "FINALIZED"
    assert len(_rows(platform, "select from outbox where topic = 'market_state'")) == 6


def test_a_dispute_that_fails_on_chain_leaves_no_outcome(platform: Platform) -> None:
    lost = DisputeAggregated(MARKET, 1, 2, 33, dispute_succeeded=False, timestamp=GENESIS_S)
    resolved = MarketResolved(
        MARKET, BOB, outcome=True, evidence_hash=EVIDENCE, timestamp=GENESIS_S
    )
    platform.index(CREATED, of_events(resolved, lost, name="lost", slot=3_000))
    rows = _rows(platform, "select state, final_payout_bps, proposed_payout_bps from markets")
    assert rows == [("FINALIZED", [5000, 5000], [10000, 0])]


def _proposed_on_chain(platform: Platform, admin: Wallet, creator: bytes) -> tuple[str, bytes]:
    """A market of the venue solana that waits for its creator's transaction: its ids."""
    market_id = platform.proposed_market(admin)
    with platform.database.connect() as owner:
        owner.execute("update markets set venue = 'solana' where id = %s", (market_id,))
        owner.execute(
            "update users set address = %s where id = (select creator from markets where id = %s)",
            (key(creator), market_id),
        )
    return market_id, bytes.fromhex(market_id.replace("-", "")) + bytes(16)


def test_nobody_takes_over_what_somebody_proposed(platform: Platform, admin: Wallet) -> None:
    """A proposal's id is public before its creator has sent it: another may create it first."""
    market_id, this = _proposed_on_chain(platform, admin, ALICE)
    platform.index(
        of_events(MarketCreated(this, BOB, 10**11, 0, GENESIS_S), name="1", slot=1_001),
        of_events(ProposalApproved(this, BOB, GENESIS_S), name="2", slot=1_002),
    )
    shown = _rows(platform, "select state, chain_address, last_state_change_tx from markets")
    assert shown == [("CANCELLED", None, None)]
    [(reason,)] = _rows(
        platform, "select reason from market_state_changes where to_state = 'CANCELLED'"
    )
    assert reason == "Its id was taken on chain by another creator."
    platform.index(of_events(MarketActivated(this, BOB, 10**10, GENESIS_S), name="3", slot=1_003))
    assert platform.call("get_market", market_id=market_id).data["state"] == "CANCELLED"


def test_what_nobody_creates_on_chain_is_cancelled_after_thirty_days(
    platform: Platform, admin: Wallet
) -> None:
    created, this = _proposed_on_chain(platform, admin, ALICE)
    unsigned, late = _proposed_on_chain(platform, admin, ALICE)
    dropped, _ = _proposed_on_chain(platform, admin, ALICE)
    platform.index(of_events(MarketCreated(this, ALICE, 10**11, 0, GENESIS_S), name="1"))
    cancelled = {
        market: platform.call("cancel_market", token=admin.token, market_id=market).status
        for market in (created, dropped)
    }
    assert cancelled == {created: 409, dropped: 200}

    def states_after(passed_s: int) -> dict[str, str]:
        platform.advance(passed_s)
        assert platform.deliver("market_monitor").status == 200
        return dict(_rows(platform, "select id::text, state from markets"))

    states = {created: "PROPOSED", unsigned: "PROPOSED", dropped: "CANCELLED"}
    assert states_after(30 * 86_400 - 60) == states
    assert states_after(60) == states | {unsigned: "CANCELLED"}
    # What waits on chain is not told either: there is nothing that an operator could do.
    assert _count(platform, "ops_alerts") == 0
    platform.index(of_events(MarketCreated(late, ALICE, 10**11, 0, GENESIS_S), name="2"))
    assert states_after(60) == states


def test_a_native_market_is_nobodys_on_chain(platform: Platform, admin: Wallet) -> None:
    """Whoever makes a market on chain chooses its id, and may choose one of ours."""
    market_id = platform.active_market(admin, admin)
    this = bytes.fromhex(market_id.replace("-", "")) + bytes(16)
    before = _rows(platform, "select * from markets")
    platform.index(
        of_events(MarketCreated(this, BOB, 10**11, 0, GENESIS_S), name="1", slot=1_001),
        of_events(SharesBought(this, BOB, True, 5, 5, 10**8, GENESIS_S), name="2", slot=1_002),  # noqa: FBT003
        of_events(DisputeInitiated(this, BOB, None, GENESIS_S), name="3", slot=1_003),
        of_events(MarketCancelled(this, BOB, GENESIS_S), name="4", slot=1_004),
    )
    assert _rows(platform, "select * from markets") == before
    assert _rows(platform, "select last_price_bps from outcomes") == [(None,)]
    assert _count(platform, "dispute_weights") == 0
    assert _rows(platform, "select state from chain_markets") == [("CANCELLED",)]


def test_a_market_from_elsewhere_gets_a_row(platform: Platform) -> None:
    platform.index(CREATED)
    [market_id] = _rows(platform, "select id from markets")[0]
    shown = platform.call("get_market", market_id=market_id).data
    assert (shown["slug"], shown["venue"]) == (f"solana-{MARKET.hex()}", "solana")
    assert MARKET.hex() in shown["question"]
    assert [one["label"] for one in shown["outcomes"]] == ["YES", "NO"]
    # Another one whose id begins alike is not hidden by it.
    twin = MARKET[:8] + bytes(24)
    platform.index(of_events(MarketCreated(twin, BOB, 10**11, 0, GENESIS_S), name="twin"))
    slugs = {slug for (slug,) in _rows(platform, "select slug from markets")}
    assert slugs == {f"solana-{MARKET.hex()}", f"solana-{twin.hex()}"}


def test_a_market_that_begins_on_chain_is_listed_at_once(platform: Platform) -> None:
    def listed() -> list[str]:
        shown = platform.call("list_markets").data
        return [one["slug"] for one in shown]

    assert listed() == []
    platform.index(CREATED)
    assert listed() == [f"solana-{MARKET.hex()}"]


def test_no_id_on_chain_hides_another_market(platform: Platform) -> None:
    """The id that is derived for a market from elsewhere is nobody's own."""
    derived = programme.platform_market_id(MARKET).bytes + bytes(16)
    both = [MarketCreated(one, BOB, 10**11, 0, GENESIS_S) for one in (derived, MARKET)]
    for number, event in enumerate(both):
        platform.index(of_events(event, name=f"{number}"))
    assert _count(platform, "markets") == _count(platform, "chain_markets") == 2


def test_a_claim_finds_its_market_whichever_comes_first(platform: Platform) -> None:
    for number, order in enumerate(((0, 1), (1, 0))):
        this = market(f"claimed {number}")
        address = bytes(programme.market_address(this))
        both = [
            of_events(MarketCreated(this, ALICE, 10**11, 0, GENESIS_S), name=f"market {number}"),
            of_events(
                WinningsClaimed(address, BOB, outcome=True, amount=7, timestamp=GENESIS_S),
                name=f"claim {number}",
                slot=5_000,
            ),
        ]
        for place in order:
            platform.index(both[place])
        claimed = _rows(
            platform,
            "select claimed, has_claimed from chain_positions where market = %s",
            this.hex(),
        )
        assert claimed == [(7, True)]
        listed = platform.call("list_market_events", market_id=this.hex()).data["events"]
        assert [one["eventType"] for one in listed] == ["WinningsClaimed", "MarketCreated"]


def test_what_a_vote_weighs_is_what_its_wallet_holds(platform: Platform) -> None:
    def bought(who: bytes, shares: int, *, outcome: bool) -> SharesBought:
        return SharesBought(MARKET, who, outcome, shares, 1, 10**8, GENESIS_S)

    disputed = DisputeInitiated(MARKET, BOB, disputed_outcome=True, timestamp=GENESIS_S)
    platform.index(
        CREATED,
        of_events(bought(ALICE, 70, outcome=True), name="a", slot=1_001),
        of_events(disputed, name="d", slot=1_009),
    )
    # Arrived late: what they bought, they bought before.
    platform.index(
        of_events(bought(ALICE, 30, outcome=False), name="a2", slot=1_002),
        of_events(
            bought(BOB, 5, outcome=True), bought(BOB, 5, outcome=False), name="b", slot=1_003
        ),
    )
    weights = _rows(platform, "select wallet, weight from dispute_weights order by weight")
    assert weights == [(deliveries.key(BOB), 0), (deliveries.key(ALICE), 40)]


def test_a_transaction_that_comes_again_with_another_time_is_the_same(platform: Platform) -> None:
    created = deliveries.of_events(MarketCreated(MARKET, ALICE, 10**12, 0, GENESIS_S), name="one")
    assert platform.index(created).data["indexed"] == 1
    other = deliveries.of_events(
        MarketCreated(deliveries.market("two"), ALICE, 10**12, 0, GENESIS_S), name="two"
    )
    later = created | {"blockTime": created["blockTime"] + 3_600}
    assert platform.index(later, other).data["indexed"] == 1
    assert platform.index(later).data["indexed"] == 0
    with platform.database.connect() as owner:
        kept = owner.execute("select count(*), max(block_time) from chain_events").fetchone()
    assert kept is not None
    assert (kept[0], kept[1].timestamp()) == (2, created["blockTime"])
