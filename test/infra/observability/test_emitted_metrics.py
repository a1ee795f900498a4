"""Metrics of dashboard and alarms: the agent or AWS emits each of them, and none is emitted that nobody looks at."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData

from contract.metrics import METRICS, Kind
from infra.observability.collector import CONFIG_FILE, collector_objects
from queue_agent.telemetry.otel import DELTA, RESOURCE, SPREAD, ExportedMetrics
from test.infra.known_metrics import KNOWN
from test.infra.observability.dashboard import EVERY, FOUND, Seen, graphs, on_the_dashboard
from test.infra.reading import of_type, the_one
from test.support.emf import Written, written


def in_the_alarms(template: dict[str, Any]) -> Iterator[Seen]:
    for alarm in of_type(template, "AWS::CloudWatch::Alarm").values():
        for look in alarm["Metrics"]:
            if "MetricStat" in look:
                metric = look["MetricStat"]["Metric"]
                yield metric["Namespace"], metric["MetricName"], frozenset(one["Name"] for one in metric["Dimensions"])


@pytest.fixture(scope="module")
def sent() -> MetricsData:
    """What an agent sends when everything has happened once, by its own exporter's settings."""
    reader = InMemoryMetricReader(preferred_temporality=DELTA, preferred_aggregation=SPREAD)
    provider = MeterProvider([reader], RESOURCE, shutdown_on_exit=False)
    metrics = ExportedMetrics("sd", provider)
    for metric in METRICS:
        if metric.kind is Kind.HISTOGRAM:
            metrics.observe(metric, 1.5)
        elif metric.kind is Kind.COUNTER and metric not in metrics.gpu.values():  # the others are observed
            metrics.add(metric, *("x" for _ in metric.labels))
    data = reader.get_metrics_data()
    assert data is not None
    provider.shutdown()
    return data


@pytest.fixture(scope="module")
def arriving(sent: MetricsData) -> set[Written]:
    objects = collector_objects(region="us-west-2", metrics_namespace="x", log_group="y", registry=None)
    (config,) = [one["data"][CONFIG_FILE] for one in objects if one["kind"] == "ConfigMap"]
    return written(json.loads(config), sent)


@EVERY
def test_the_agent_or_aws_emits_every_metric_of_the_dashboard_and_the_alarms(
    name: str, arriving: set[Written], request: pytest.FixtureRequest
) -> None:
    # Given
    template = request.getfixturevalue(name)
    namespace = the_one(template, "AWS::EKS::Cluster")["Name"]
    own = {(namespace, metric, dimensions) for metric, dimensions in arriving}
    for counting in of_type(template, "AWS::Logs::MetricFilter").values():
        (counted,) = counting["MetricTransformations"]
        own.add((counted["MetricNamespace"], counted["MetricName"], frozenset()))

    # When
    seen = {*on_the_dashboard(template), *in_the_alarms(template)}

    # Then
    assert len(seen) > 5
    assert seen - own - KNOWN.keys() == set()


def test_nothing_is_written_and_paid_that_nobody_looks_at(default: dict[str, Any], arriving: set[Written]) -> None:
    seen = {*on_the_dashboard(default), *in_the_alarms(default)}

    assert {("sdoneksStack", metric, dimensions) for metric, dimensions in arriving} <= seen


def test_no_known_metric_of_aws_is_left_that_nobody_looks_at(default: dict[str, Any], china: dict[str, Any]) -> None:
    """The GPUs' own measure is on the dashboard where ``addOns.gpuMetrics`` asks for it."""
    seen = {*on_the_dashboard(default), *in_the_alarms(default)}

    assert KNOWN.keys() - seen == {("ContainerInsights", "node_gpu_utilization", frozenset({"ClusterName"}))}
    assert KNOWN.keys() - seen <= {*on_the_dashboard(china)}


def test_counters_arrive_as_what_was_added_and_times_with_their_spread(sent: MetricsData) -> None:
    kinds = {
        metric.name: (type(metric.data).__name__, getattr(metric.data, "aggregation_temporality", None))
        for resource in sent.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }

    for metric in METRICS:
        kind, temporality = kinds[metric.name]
        assert kind == {"counter": "Sum", "gauge": "Gauge", "histogram": "ExponentialHistogram"}[metric.kind.value]
        assert temporality is None or temporality.name == "DELTA"


def test_every_search_is_read_here(default: dict[str, Any]) -> None:
    for lines in graphs(default).values():
        for line in lines:
            expression = line[-1].get("expression", "")
            assert expression.count("SEARCH") == len(FOUND.findall(expression))
