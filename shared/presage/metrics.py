"""Counters and timings as CloudWatch embedded metrics (EMF), namespace `Presage`.

Each call writes one line to standard output, which is how a Lambda publishes a metric without a
network call. The Powertools provider is imported on first use: a quiet request never pays for it.
"""

from typing import Literal

NAMESPACE = "Presage"

type Unit = Literal["Count", "Milliseconds"]


def count(name: str, value: int = 1, **dimensions: str) -> None:
    """Add `value` to a counter."""
    _emit(name, value, "Count", dimensions)


def duration_ms(name: str, value: float, **dimensions: str) -> None:
    """Record how long something took, in milliseconds."""
    _emit(name, value, "Milliseconds", dimensions)


def _emit(name: str, value: float, unit: Unit, dimensions: dict[str, str]) -> None:
    from aws_lambda_powertools.metrics import EphemeralMetrics

    # Ephemeral: the shared provider keeps dimensions between the threads of a local gateway.
    metrics = EphemeralMetrics(namespace=NAMESPACE, service="presage")
    for key, text in dimensions.items():
        metrics.add_dimension(name=key, value=text)
    metrics.add_metric(name=name, unit=unit, value=value)
    metrics.flush_metrics()
