"""Every metric that is emitted is in METRICS and the other way round, and is on the dashboards."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from infra import dashboard, docs
from infra.local import template
from infra.local.intrinsics import Resolver
from presage import metrics
from presage.metrics import METRICS, NAMESPACE, Metric

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template.yaml"
OURS = {one.name: one for one in METRICS if one.namespace == NAMESPACE}


def _emitted() -> dict[str, set[tuple[str, str]]]:
    """What the code emits: each metric's units and dimensions."""
    found: dict[str, set[tuple[str, str]]] = {}
    for path in (ROOT / "shared/presage").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="metrics"), attr=verb),
                    args=[ast.Constant(value=str(name)), *_],
                    keywords=keywords,
                ) if verb in {"count", "duration_ms"}:
                    unit = "Count" if verb == "count" else "Milliseconds"
                    dimensions = ",".join(str(one.arg) for one in keywords)
                    found.setdefault(name, set()).add((unit, dimensions))
    return found


def test_what_is_emitted_is_what_the_list_says() -> None:
    listed = {name: {(one.unit, one.dimension)} for name, one in OURS.items()}
    assert _emitted() == listed


def test_no_metrics_name_is_made_up_at_run_time() -> None:
    """Or the test above would not see it."""
    calls = re.compile(r"metrics\.(?:count|duration_ms)\(\s*(.)")
    firsts = [
        first
        for path in (ROOT / "shared/presage").rglob("*.py")
        for first in calls.findall(path.read_text(encoding="utf-8"))
    ]
    assert set(firsts) == {'"'}


def test_a_line_carries_the_dimensions_that_the_alarms_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    metrics.count("Alerts", severity="CRITICAL")
    line = json.loads(capsys.readouterr().out)
    (published,) = line["_aws"]["CloudWatchMetrics"]
    assert published["Namespace"] == NAMESPACE
    assert [sorted(names) for names in published["Dimensions"]] == [["service", "severity"]]
    assert (line["service"], line["severity"]) == (metrics.SERVICE, "CRITICAL")
    assert published["Metrics"] == [{"Name": "Alerts", "Unit": "Count"}]


def test_the_generated_texts_are_current() -> None:
    assert TEMPLATE.read_text(encoding="utf-8") == docs.template_text()
    grafana = (ROOT / "infra/dashboards/presage.json").read_text(encoding="utf-8")
    assert grafana == dashboard.grafana_text()


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    from samtranslator.yaml_helper import yaml_parse  # noqa: PLC0415 - over a second to import

    source = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))
    given = {"AlarmTopicArn": "arn:aws:sns:eu-central-1:000000000000:ops"}
    resolved: dict[str, Any] = Resolver(source, given).resolve(source["Resources"])
    return resolved


def test_each_alarm_watches_its_metric(resources: dict[str, Any]) -> None:
    alarms = {
        name: one["Properties"]
        for name, one in resources.items()
        if one["Type"] == "AWS::CloudWatch::Alarm"
    }
    expected = {f"{one.alarm.name}Alarm": one for one in METRICS if one.alarm}
    assert set(alarms) == set(expected)
    for name, metric in expected.items():
        properties = alarms[name]
        assert properties["AlarmActions"] == ["arn:aws:sns:eu-central-1:000000000000:ops"]
        assert _watched(properties)[0] == (metric.namespace, metric.name), name
    critical = alarms["CriticalAlertAlarm"]["Dimensions"]
    assert {one["Name"]: one["Value"] for one in critical} == {
        "service": "presage",
        "severity": "CRITICAL",
    }
    assert _watched(alarms["TransitionsFailAlarm"]) == [
        (NAMESPACE, "TransitionFailures"),
        (NAMESPACE, "Transitions"),
    ]


def _watched(properties: dict[str, Any]) -> list[tuple[str, str]]:
    if "Metrics" not in properties:
        return [(properties["Namespace"], properties["MetricName"])]
    stats = [one["MetricStat"]["Metric"] for one in properties["Metrics"] if "MetricStat" in one]
    return [(one["Namespace"], one["MetricName"]) for one in stats]


def test_both_dashboards_show_every_metric_once(resources: dict[str, Any]) -> None:
    body = json.loads(resources["Dashboard"]["Properties"]["DashboardBody"])
    widgets = [one for widget in body["widgets"] for one in widget["properties"]["metrics"]]
    board = json.loads((ROOT / "infra/dashboards/presage.json").read_text(encoding="utf-8"))
    targets = [one for panel in board["panels"] for one in panel["targets"]]
    assert len(widgets) == len(targets) == len(METRICS)
    for metric, widget, target in zip(_by_panel(), widgets, targets, strict=True):
        assert (target["namespace"], target["metricName"]) == (metric.namespace, metric.name)
        if isinstance(widget[0], dict):
            assert f'MetricName="{metric.name}"' in widget[0]["expression"]
            assert widget[0]["expression"] == target["expression"]
        else:
            assert widget[:2] == [metric.namespace, metric.name]
    references = [[one["refId"] for one in panel["targets"]] for panel in board["panels"]]
    assert all(len(set(one)) == len(one) for one in references)


def _by_panel() -> list[Metric]:
    return [metric for group in dashboard.panels().values() for metric in group]


def test_aws_own_metrics_name_resources_of_the_template() -> None:
    served = template.load(TEMPLATE)
    known = {served.logical_id, *served.functions}
    assert {one.of for one in METRICS if one.of} <= known
