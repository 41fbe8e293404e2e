"""Random faults of node and network: what the platform signs lands once, and nothing is stuck."""

import contextlib
import random
from typing import Any

import pytest

from presage.adapters import breaker, solana_rpc
from presage.errors import UnprocessableError, UpstreamError
from tests.integration.routes.chain_sender import Sender

SEEDS = 8  # of the suite; `make soak` has all
WEATHER: tuple[dict[str, Any], ...] = (
    {},
    {"drop": -1},
    {"drop": 1, "land_after_slots": 30},
    {"land_after_slots": 140},
    {"land_after_slots": 160},
    {"lag_slots": 60},
    {"lag_slots": 900, "lag_methods": ["getSignatureStatuses"]},
    {"lag_slots": 300, "lag_methods": ["getEpochInfo"]},
    {"lag_slots": 100, "lag_methods": ["getLatestBlockhash"]},
    {"status": 503, "times": 2},
    {"status": 429, "methods": ["sendTransaction"]},
    {"lose_answers": -1, "methods": ["sendTransaction"]},
    {"lose_answers": 3},
)


@pytest.mark.parametrize(
    "seed", [pytest.param(n, marks=[] if n < SEEDS else pytest.mark.soak) for n in range(200)]
)
def test_whatever_the_weather_it_lands_once(
    sender: Sender, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faults at random, and a next tally whenever nothing is live.

    In the end the chain has exactly what is final here: nothing expired here that landed there.
    """
    monkeypatch.setattr(solana_rpc, "BACKOFF_S", 0.0)
    dice = random.Random(seed)  # noqa: S311 - repeatable

    def step() -> None:
        sender.redis("DEL", breaker.open_key(solana_rpc.NAME))  # its five minutes are over
        with contextlib.suppress(UpstreamError, UnprocessableError):
            sender.submit()
        sender.cluster.advance_slots(dice.choice((10, 40, 90, 160, 250)))
        sender.confirm()

    for _ in range(15):
        sender.cluster.control("faults", **dice.choice(WEATHER))
        step()
    sender.cluster.control("faults")
    sender.cluster.advance_slots(400)
    for _ in range(2):
        step()
    sender.cluster.advance_slots(400)
    sender.confirm()
    final = {signature for signature, status in sender.rows() if status == "finalized"}
    assert {status for _, status in sender.rows()} <= {"finalized", "expired"}
    assert (len(final) > 0, set(sender.landed())) == (True, final)
