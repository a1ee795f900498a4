"""The network policy: nothing connects to the pods; what they reach is limited where the values ask for it."""

from typing import Any

import pytest

from test.charts.chart import env, render
from test.charts.cluster import mistakes


def policy(**values: Any) -> dict[str, Any]:
    return render({"networkPolicy": {"restrictEgress": True, **values}}).one("NetworkPolicy")


def test_the_policy_can_be_turned_off() -> None:
    assert render({"networkPolicy": {"enabled": False, "restrictEgress": True}}).all("NetworkPolicy") == []


def test_by_default_nothing_may_connect_to_the_runtime_from_outside_its_pod() -> None:
    # When
    rendered = render()

    # Then
    found = rendered.one("NetworkPolicy")
    assert mistakes(found) == []
    assert found["spec"]["ingress"] == []
    assert found["spec"]["policyTypes"] == ["Ingress"]
    assert "egress" not in found["spec"]
    assert found["spec"]["podSelector"]["matchLabels"].items() <= rendered.pod["metadata"]["labels"].items()
    # The agent does not leave the pod to reach the runtime.
    assert env(rendered.agent)["API_BASE_URL"] == "http://127.0.0.1:8080"


def test_the_pods_reach_names_credentials_and_https_and_not_the_nodes_metadata() -> None:
    # When
    found = policy()
    names, credentials, https = found["spec"]["egress"]

    # Then
    assert mistakes(found) == []
    assert found["spec"]["ingress"] == []
    assert found["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert {port["port"] for port in names["ports"]} == {53}
    assert credentials["to"] == [{"ipBlock": {"cidr": "169.254.170.23/32"}}]
    assert https["to"] == [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}}]
    assert https["ports"] == [{"protocol": "TCP", "port": 443}]


def test_the_internet_can_be_closed() -> None:
    egress = policy(egressCidrs=["10.0.0.0/16"])["spec"]["egress"]

    assert egress[-1]["to"] == [{"ipBlock": {"cidr": "10.0.0.0/16"}}]


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [
        ("http://collector.telemetry:4318", 4318),
        ("http://$(HOST_IP):4318", 4318),
        ("https://otel.example.com/otlp", 443),
        ("http://collector.telemetry", 80),
    ],
)
def test_the_agent_reaches_its_collector_in_the_cluster(endpoint: str, port: int) -> None:
    # When
    values = {"networkPolicy": {"restrictEgress": True}, "runtime": {"queueAgent": {"otlp": {"endpoint": endpoint}}}}
    found = render(values).one("NetworkPolicy")

    # Then
    rule = {"to": [{"namespaceSelector": {}}], "ports": [{"protocol": "TCP", "port": port}]}
    assert rule in found["spec"]["egress"]
    assert mistakes(found) == []


def test_more_rules_can_be_added() -> None:
    rule = {"to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}], "ports": [{"protocol": "TCP", "port": 80}]}

    found = policy(egressCidrs=[], extraEgress=[rule])

    assert found["spec"]["egress"][-1] == rule
    assert mistakes(found) == []
