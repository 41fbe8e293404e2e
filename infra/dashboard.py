"""The dashboards and alarms that are made from `METRICS`: one list, three places.

CloudWatch's dashboard and alarms go into template.yaml between its marks, Grafana's dashboard (for
its CloudWatch datasource) into infra/dashboards/presage.json; `python -m infra.docs` writes both.
Formats: CloudWatch "Dashboard Body Structure and Syntax" and search expressions, Grafana's
dashboard JSON model.
"""

import json
import re
from typing import Any

from presage.metrics import METRICS, NAMESPACE, SERVICE, Alarm, Metric, Panel

PERIOD_S = 60
WIDTH, HEIGHT, COLUMNS = 12, 6, 2
_MARKED = re.compile(
    r"(  # Generated from METRICS by `make docs`.\n).*?(  # End of what is generated.\n)", re.DOTALL
)
_DATASOURCE = {"type": "cloudwatch", "uid": "${datasource}"}
# What Grafana asks for in place of the template's resources.
_VARIABLES = {"PlaceOrderFunction": "place_order_function", "HttpApi": "api_id"}


def panels() -> dict[Panel, list[Metric]]:
    """The metrics by panel, as `METRICS` has them."""
    grouped: dict[Panel, list[Metric]] = {}
    for metric in METRICS:
        grouped.setdefault(metric.panel, []).append(metric)
    return grouped


def template_text(text: str) -> str:
    """template.yaml with its dashboard and alarms as they should be."""
    made = _dashboard() + "".join(_alarm(one, one.alarm) for one in METRICS if one.alarm)
    # A function as the replacement: the backslashes in it are text.
    return _MARKED.sub(lambda marks: f"{marks[1]}\n{made}{marks[2]}", text)


def grafana_text() -> str:
    """infra/dashboards/presage.json as it should be."""
    variables = [
        {"name": "datasource", "label": "Datasource", "type": "datasource", "query": "cloudwatch"},
        {"name": "region", "label": "Region", "type": "query", "query": "regions()"}
        | {"datasource": _DATASOURCE, "refresh": 1},
        *(
            {"name": name, "label": name.replace("_", " "), "type": "textbox", "query": ""}
            for name in _VARIABLES.values()
        ),
    ]
    board = {
        "uid": "presage",
        "title": "Presage",
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": variables},
        "panels": [_grafana_panel(*one) for one in enumerate(panels().items())],
    }
    return json.dumps(board, indent=2) + "\n"


def _search(metric: Metric) -> str:
    """Every value of a metric's dimension, as a search expression."""
    schema = f"{{{NAMESPACE},service,{metric.dimension}}}"
    terms = f'MetricName="{metric.name}" service="{SERVICE}"'
    return f"SEARCH('{schema} {terms}', '{metric.statistic}', {PERIOD_S})"


def _dimensions(metric: Metric) -> list[tuple[str, str]]:
    """The dimensions of a metric that is no search, its resource as `${...}`."""
    if metric.namespace != NAMESPACE:
        return [(metric.dimension, f"${{{metric.of}}}")]
    return [("service", SERVICE)]


def _is_search(metric: Metric) -> bool:
    return metric.namespace == NAMESPACE and bool(metric.dimension)


def _dashboard() -> str:
    """One widget a panel, each on a line of its own so that a change reads as one."""
    widgets = [
        {
            "type": "metric",
            "x": index % COLUMNS * WIDTH,
            "y": index // COLUMNS * HEIGHT,
            "width": WIDTH,
            "height": HEIGHT,
            "properties": {
                "title": title,
                "view": "timeSeries",
                "region": "${AWS::Region}",
                "period": PERIOD_S,
                "metrics": [_widget_metric(one) for one in metrics],
            },
        }
        for index, (title, metrics) in enumerate(panels().items())
    ]
    lines = ",\n".join(f"          {json.dumps(widget)}" for widget in widgets)
    return (
        "  Dashboard:\n"
        "    Type: AWS::CloudWatch::Dashboard\n"
        "    Properties:\n"
        "      DashboardName: !Sub presage-${Stage}\n"
        "      DashboardBody: !Sub |\n"
        '        {"widgets": [\n'
        f"{lines}\n"
        "        ]}\n\n"
    )


def _widget_metric(metric: Metric) -> list[Any]:
    if _is_search(metric):
        label = f"{metric.meaning}: ${{!PROP('Dim.{metric.dimension}')}}"
        return [{"expression": _search(metric), "label": label}]
    shown = {"stat": metric.statistic, "label": metric.meaning}
    flat = [part for pair in _dimensions(metric) for part in pair]
    return [metric.namespace, metric.name, *flat, shown]


def _alarm(metric: Metric, alarm: Alarm | None) -> str:
    if alarm is None:
        return ""
    missing = "breaching" if alarm.is_silence else "notBreaching"
    head = (
        f"  {alarm.name}Alarm:\n"
        "    Type: AWS::CloudWatch::Alarm\n"
        "    Properties:\n"
        f"      AlarmName: !Sub presage-${{Stage}}-{alarm.name}\n"
        f"      AlarmDescription: {alarm.meaning}\n"
        "      AlarmActions: !If [HasAlarmTopic, [!Ref AlarmTopicArn], !Ref AWS::NoValue]\n"
        f"      TreatMissingData: {missing}\n"
        "      EvaluationPeriods: 1\n"
        f"      Threshold: {alarm.threshold:g}\n"
        f"      ComparisonOperator: {_comparison(alarm)}\n"
    )
    return head + (_share(metric, alarm) if alarm.against else _plain(metric, alarm)) + "\n"


def _comparison(alarm: Alarm) -> str:
    return "LessThanOrEqualToThreshold" if alarm.is_silence else "GreaterThanThreshold"


def _plain(metric: Metric, alarm: Alarm) -> str:
    dimensions = _dimensions(metric)
    if alarm.of:
        dimensions.append((metric.dimension, alarm.of))
    rows = "".join(
        f"        - {{Name: {name}, Value: {_value(text)}}}\n" for name, text in dimensions
    )
    statistic = "SampleCount" if alarm.is_silence else metric.statistic
    return (
        f"      Namespace: {metric.namespace}\n"
        f"      MetricName: {metric.name}\n"
        f"      Statistic: {statistic}\n"
        f"      Period: {alarm.period_s}\n"
        f"      Dimensions:\n{rows}"
    )


def _share(metric: Metric, alarm: Alarm) -> str:
    """This metric's share of itself and another, in percent; nothing at all is a share of none."""

    def summed(name: str, identity: str) -> str:
        return (
            f"        - Id: {identity}\n"
            "          ReturnData: false\n"
            "          MetricStat:\n"
            f"            Metric: {{Namespace: {metric.namespace}, MetricName: {name}, Dimensions:"
            f" [{{Name: service, Value: {SERVICE}}}]}}\n"
            f"            Period: {alarm.period_s}\n"
            "            Stat: Sum\n"
        )

    return (
        "      Metrics:\n"
        "        - Id: share\n"
        '          Expression: "IF(bad + good > 0, 100 * bad / (bad + good), 0)"\n'
        f"{summed(metric.name, 'bad')}{summed(alarm.against, 'good')}"
    )


def _value(text: str) -> str:
    """A dimension's value in YAML: a resource as its reference."""
    return f"!Ref {text[2:-1]}" if text.startswith("${") else text


def _grafana_panel(index: int, panel: tuple[Panel, list[Metric]]) -> dict[str, Any]:
    title, metrics = panel
    return {
        "id": index + 1,
        "title": title,
        "type": "timeseries",
        "datasource": _DATASOURCE,
        "gridPos": {
            "x": index % COLUMNS * WIDTH,
            "y": index // COLUMNS * HEIGHT,
            "w": WIDTH,
            "h": HEIGHT,
        },
        "fieldConfig": {
            "defaults": {},
            "overrides": [
                {
                    "matcher": {"id": "byFrameRefID", "options": _reference(number)},
                    "properties": [{"id": "unit", "value": "ms"}],
                }
                for number, metric in enumerate(metrics)
                if metric.unit == "Milliseconds"
            ],
        },
        "targets": [_grafana_target(number, metric) for number, metric in enumerate(metrics)],
    }


def _reference(number: int) -> str:
    return chr(ord("A") + number)


def _grafana_target(number: int, metric: Metric) -> dict[str, Any]:
    target: dict[str, Any] = {
        "refId": _reference(number),
        "id": "",
        "expression": "",
        "datasource": _DATASOURCE,
        "queryMode": "Metrics",
        "metricQueryType": 0,
        "region": "$region",
        "period": str(PERIOD_S),
        "statistic": metric.statistic,
        "label": metric.meaning,
        "namespace": metric.namespace,
        "metricName": metric.name,
    }
    if _is_search(metric):
        label = f"{metric.meaning}: ${{PROP('Dim.{metric.dimension}')}}"
        return target | {"metricEditorMode": 1, "expression": _search(metric), "label": label}
    dimensions = {name: [_asked(text)] for name, text in _dimensions(metric)}
    return target | {"metricEditorMode": 0, "matchExact": True, "dimensions": dimensions}


def _asked(text: str) -> str:
    """A resource of the template as the variable that Grafana has for it."""
    return f"${_VARIABLES[text[2:-1]]}" if text.startswith("${") else text
