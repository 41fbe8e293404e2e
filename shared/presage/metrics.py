"""Counters and timings as CloudWatch embedded metrics (EMF), namespace `Presage`.

Each call writes one line to standard output, which is how a Lambda publishes a metric without a
network call. The Powertools provider is imported on first use: a quiet request never pays for it.
`METRICS` says what there is to see; the dashboards and the template's alarms are made from it.
"""

from dataclasses import dataclass
from typing import Literal

NAMESPACE = "Presage"
SERVICE = "presage"

type Unit = Literal["Count", "Milliseconds"]
type Panel = Literal[
    "Trade", "Markets", "Chain", "Queues", "Workflows", "Operators", "Requests", "Around us"
]


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """When a metric wakes somebody.

    Attributes:
        of: the value of the metric's dimension that it watches, where it has one.
        against: another metric; watched is then this one's share of both, in percent.
        is_silence: it is the missing of any value that wakes.
    """

    name: str
    meaning: str
    threshold: float
    period_s: int = 300
    of: str = ""
    against: str = ""
    is_silence: bool = False


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric. A namespace that is not ours names what AWS publishes by itself.

    Attributes:
        statistic: how it is read: counts are summed, depths are at their highest.
        dimension: what it is broken down by, beside the service.
        of: for AWS's own, the resource of the template that is the dimension's value.
    """

    name: str
    meaning: str
    panel: Panel
    unit: Unit = "Count"
    statistic: Literal["Sum", "Maximum", "p50", "p99"] = "Sum"
    dimension: str = ""
    namespace: str = NAMESPACE
    of: str = ""
    alarm: Alarm | None = None


METRICS: tuple[Metric, ...] = (
    Metric(name="Orders", meaning="orders placed", panel="Trade"),
    Metric(name="Fills", meaning="fills", panel="Trade"),
    Metric(
        name="Duration",
        meaning="latency of an order (p99)",
        panel="Trade",
        unit="Milliseconds",
        statistic="p99",
        namespace="AWS/Lambda",
        dimension="FunctionName",
        of="PlaceOrderFunction",
    ),
    Metric(name="Transitions", meaning="markets that moved by themselves", panel="Markets"),
    Metric(
        name="TransitionFailures",
        meaning="markets that should have moved and did not",
        panel="Markets",
        alarm=Alarm(
            name="TransitionsFail",
            meaning="Less than 99 % of the markets that were due within an hour have moved",
            threshold=1,
            period_s=3600,
            against="Transitions",
        ),
    ),
    Metric(
        name="StuckMarkets",
        meaning="markets that wait too long",
        panel="Markets",
        statistic="Maximum",
    ),
    Metric(
        name="TidiedOneByOne",
        meaning="closed markets that could not be tidied together",
        panel="Markets",
    ),
    Metric(
        name="IndexLag",
        meaning="from an event's block to its indexing",
        panel="Chain",
        unit="Milliseconds",
        statistic="Maximum",
        alarm=Alarm(
            name="IndexingLags",
            meaning="An event was indexed more than 10 seconds after its block",
            threshold=10_000,
        ),
    ),
    Metric(
        name="UnknownEvents",
        meaning="events of the programme that this code does not know",
        panel="Chain",
    ),
    Metric(
        name="IncompleteTransactions",
        meaning="transactions whose logs were cut off",
        panel="Chain",
    ),
    Metric(
        name="MalformedTransactions",
        meaning="deliveries that could not be read",
        panel="Chain",
    ),
    Metric(
        name="Discrepancies",
        meaning="fields that differed from the chain's accounts",
        panel="Chain",
    ),
    Metric(
        name="MissedTransactions",
        meaning="transactions that no delivery brought",
        panel="Chain",
    ),
    Metric(
        name="VoteLatency",
        meaning="from a vote to the count that has it (largest)",
        panel="Markets",
        unit="Milliseconds",
        statistic="Maximum",
    ),
    Metric(name="AggregationFailures", meaning="votes that could not be counted", panel="Markets"),
    Metric(
        name="UnsettledMarkets",
        meaning="final markets not yet paid",
        panel="Queues",
        statistic="Maximum",
    ),
    Metric(
        name="OutboxDepth",
        meaning="messages that nobody has relayed",
        panel="Queues",
        statistic="Maximum",
        # send_alerts publishes it every minute: without it no alert goes out either.
        alarm=Alarm(
            name="NobodySendsAlerts",
            meaning="send_alerts has not run for five minutes",
            threshold=0,
            is_silence=True,
        ),
    ),
    Metric(
        name="DeadLetters",
        meaning="items that failed and are not decided",
        panel="Queues",
        statistic="Maximum",
        alarm=Alarm(name="DeadLettersWait", meaning="The dead letters are not empty", threshold=0),
    ),
    Metric(
        name="TransactionsToFetch",
        meaning="transactions that wait to be fetched again",
        panel="Queues",
        statistic="Maximum",
        # event_reconciliation publishes it every ten minutes, and fetches some thousands in them.
        alarm=Alarm(
            name="TransactionsPileUp",
            meaning="More than a thousand transactions wait to be fetched again",
            threshold=1_000,
            period_s=900,
        ),
    ),
    Metric(name="DeliveriesGivenUp", meaning="messages that QStash gave up", panel="Queues"),
    Metric(
        name="LiveTransactions",
        meaning="transactions of ours on their way to the chain",
        panel="Queues",
        statistic="Maximum",
    ),
    Metric(
        name="ChainTransactions",
        meaning="transactions of ours that became final, expired or failed",
        panel="Markets",
        dimension="status",
    ),
    Metric(
        name="StoppedSchedules",
        meaning="schedules that are missing, paused or do not deliver",
        panel="Workflows",
        dimension="workflow",
    ),
    Metric(
        name="OpenEscalations",
        meaning="questions that wait for a human",
        panel="Queues",
        statistic="Maximum",
    ),
    Metric(
        name="WorkflowFailures", meaning="runs that broke", panel="Workflows", dimension="workflow"
    ),
    Metric(
        name="WorkflowItemFailures",
        meaning="items that failed in a run",
        panel="Workflows",
        dimension="workflow",
    ),
    Metric(
        name="WorkflowDuration",
        meaning="time of a run (p99)",
        panel="Workflows",
        unit="Milliseconds",
        statistic="p99",
        dimension="workflow",
    ),
    Metric(
        name="Alerts",
        meaning="alerts raised, repeats too",
        panel="Operators",
        dimension="severity",
        alarm=Alarm(
            name="CriticalAlert",
            meaning="A CRITICAL alert was raised",
            threshold=0,
            period_s=60,
            of="CRITICAL",
        ),
    ),
    Metric(
        name="AlertChannelFailures",
        meaning="alerts that a channel did not take",
        panel="Operators",
        dimension="channel",
    ),
    Metric(name="Escalations", meaning="escalations opened", panel="Operators", dimension="kind"),
    Metric(
        name="CredentialsUnreadable",
        meaning="stored credentials that no key opens",
        panel="Operators",
    ),
    Metric(
        name="Count",
        meaning="requests",
        panel="Requests",
        namespace="AWS/ApiGateway",
        dimension="ApiId",
        of="HttpApi",
    ),
    Metric(
        name="5xx",
        meaning="answers of 500 and above, by the gateway",
        panel="Requests",
        namespace="AWS/ApiGateway",
        dimension="ApiId",
        of="HttpApi",
        alarm=Alarm(
            name="ServerErrors",
            meaning="More than five answers of 500 and above within five minutes",
            threshold=5,
        ),
    ),
    Metric(
        name="ServerErrors",
        meaning="answers of 500 and above",
        panel="Requests",
        dimension="route",
    ),
    Metric(name="RateLimited", meaning="requests over their limit", panel="Requests"),
    Metric(name="DatabaseUnreachable", meaning="Postgres out of reach", panel="Around us"),
    Metric(name="DatabaseRetry", meaning="transactions done again", panel="Around us"),
    Metric(name="DatabaseRefusedValue", meaning="values no column holds", panel="Around us"),
    Metric(name="RedisUnavailable", meaning="Redis out of reach", panel="Around us"),
    Metric(
        name="SolanaRpcFailures",
        meaning="calls that the Solana RPC did not answer",
        panel="Around us",
        dimension="method",
    ),
    Metric(
        name="BreakerOpened",
        meaning="services left alone for a while",
        panel="Around us",
        dimension="breaker",
    ),
    Metric(name="EmailRefused", meaning="mails refused", panel="Around us", dimension="reason"),
    Metric(
        name="PriceSourceFailures",
        meaning="price sources that failed",
        panel="Around us",
        dimension="source",
    ),
    Metric(
        name="PriceSourceStale",
        meaning="prices too old to use",
        panel="Around us",
        dimension="source",
    ),
    Metric(
        name="RateSourceFailures",
        meaning="exchange rate sources that did not answer",
        panel="Around us",
        dimension="source",
    ),
    Metric(
        name="RateSourceStale",
        meaning="exchange rates too old to use",
        panel="Around us",
        dimension="source",
    ),
    Metric(
        name="ExchangeRateRefused",
        meaning="exchange rates that jumped and were not taken",
        panel="Around us",
    ),
    Metric(
        name="NewsFeedFailures",
        meaning="news feeds that did not answer, or not with news",
        panel="Around us",
        dimension="feed",
    ),
    Metric(
        name="IpfsGatewayFailures",
        meaning="IPFS gateways that did not answer, or not with what the CID names",
        panel="Around us",
        dimension="gateway",
    ),
)


def count(name: str, value: int = 1, **dimensions: str) -> None:
    """Add `value` to a counter of `METRICS`."""
    _emit(name, value, "Count", dimensions)


def duration_ms(name: str, value: float, **dimensions: str) -> None:
    """Record how long something took, in milliseconds."""
    _emit(name, value, "Milliseconds", dimensions)


def _emit(name: str, value: float, unit: Unit, dimensions: dict[str, str]) -> None:
    from aws_lambda_powertools.metrics import EphemeralMetrics

    # Ephemeral: the shared provider keeps dimensions between the threads of a local gateway.
    metrics = EphemeralMetrics(namespace=NAMESPACE, service=SERVICE)
    for key, text in dimensions.items():
        metrics.add_dimension(name=key, value=text)
    metrics.add_metric(name=name, unit=unit, value=value)
    metrics.flush_metrics()
