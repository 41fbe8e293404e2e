"""Everything at once, in any order, killed anywhere: the books stay sound and pay out."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.integration.exchange_sql.exchange import Exchange
from tests.integration.exchange_sql.machine import TradingMachine

CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large]


def _run(exchange: Exchange, profile: str, examples: int, steps: int) -> Counter[str]:
    """Run the machine; returns how many calls died before writing which table."""
    killed = Counter[str]()
    machine = type("Machine", (TradingMachine,), {"exchange": exchange, "killed": killed})
    run_state_machine_as_test(
        machine,
        settings=settings(
            settings.get_profile(profile),
            max_examples=examples,
            stateful_step_count=steps,
            suppress_health_check=CHECKS,
        ),
    )
    return killed


def test_any_history_is_sound_and_solvent(exchange: Exchange) -> None:
    killed = _run(exchange, "suite", 25, 50)
    # The machine must reach what it is there for.
    assert sum(killed.values()) > 10, killed
    assert exchange.one("select count(*) from share_operations where kind <> 'split'") > 40
    assert exchange.one("select count(*) from fills") > 20


@pytest.mark.soak
def test_any_history_is_sound_and_solvent_for_long(exchange: Exchange) -> None:
    _run(exchange, "soak", 200, 60)
