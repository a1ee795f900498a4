"""The ScaledObject: KEDA ignores what stands in the wrong place or has an unknown name, without a word."""

import re
from typing import Any

import pytest
import yaml

from infra.chart_defaults import default_values
from infra.config.scaling import HOLD_SECONDS, PRESETS, Scaling, rule_of
from test.charts.chart import Manifest, Refused, merged, render
from test.charts.cluster import mistakes
from test.charts.test_values import EVERY_OLD_KEY

READ_BY_KEDA = {
    "queueURL",
    "queueURLFromEnv",
    "queueLength",
    "activationQueueLength",
    "scaleOnInFlight",
    "scaleOnDelayed",
    "awsRegion",
    "awsEndpoint",
}
"""The trigger metadata of aws-sqs-queue in KEDA 2.20; identityOwner is deprecated."""


def test_scale_on_in_flight_stands_where_keda_reads_it() -> None:
    # When
    spec = render({"runtime": {"scaling": {"scaleOnInFlight": False}}}).one("ScaledObject")["spec"]

    # Then
    assert spec["triggers"][0]["metadata"]["scaleOnInFlight"] == "false"
    assert "scaleOnInFlight" not in spec


def test_the_trigger_says_nothing_that_keda_does_not_read() -> None:
    metadata = render().one("ScaledObject")["spec"]["triggers"][0]["metadata"]

    assert metadata.keys() <= READ_BY_KEDA
    assert all(isinstance(value, str) for value in metadata.values())


def test_every_scaling_value_arrives() -> None:
    # Given
    scaling = {
        "queueLength": 4,
        "cooldownPeriod": 2_000_000,
        "minReplicaCount": 1,
        "maxReplicaCount": 7,
        "pollingInterval": 5,
    }

    # When
    rendered = render({"runtime": {"scaling": scaling}})

    # Then
    spec = rendered.one("ScaledObject")["spec"]
    assert spec["triggers"][0]["metadata"]["queueLength"] == "4"
    assert spec["cooldownPeriod"] == 2_000_000
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (1, 7)
    assert spec["pollingInterval"] == 5
    assert spec["scaleTargetRef"] == {"name": rendered.deployment["metadata"]["name"]}


def test_keda_asks_the_queue_of_this_runtime_with_its_own_identity() -> None:
    # When
    rendered = render()

    # Then
    authentication = rendered.one("TriggerAuthentication")
    assert authentication["spec"] == {"podIdentity": {"provider": "aws"}}
    for trigger in rendered.one("ScaledObject")["spec"]["triggers"]:
        assert trigger["authenticationRef"] == {"name": authentication["metadata"]["name"]}
        assert trigger["metadata"]["queueURL"].endswith("/sdoneks-sdruntime")
        assert trigger["metadata"]["awsRegion"] == "us-west-2"


def test_the_users_hpa_behaviour_is_laid_over_the_charts() -> None:
    # When
    extra = {"scaleDown": {"stabilizationWindowSeconds": 600}}
    spec = render({"runtime": {"scaling": {"extraHPAConfig": extra}}}).one("ScaledObject")["spec"]

    # Then
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 600
    assert behavior["scaleDown"]["policies"]
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 0


def test_fewer_pods_at_most_than_at_least_is_refused() -> None:
    with pytest.raises(
        Refused, match=r"runtime\.scaling\.minReplicaCount: must not be above maxReplicaCount \(2\), got 3"
    ):
        render({"runtime": {"scaling": {"minReplicaCount": 3, "maxReplicaCount": 2}}})


def spec_of(**scaling: Any) -> Manifest:
    spec: Manifest = render({"runtime": {"scaling": scaling}}).one("ScaledObject")["spec"]
    return spec


@pytest.mark.parametrize(
    ("run", "preset", "length", "formula"),
    [
        (1.5, "quick", "20", None),
        (1.5, "balanced", "67", None),
        (1.5, "thrifty", "200", None),
        (8, "quick", "4", "max((tasks - waiting) * 0.9524, tasks / 4)"),
        (8, "balanced", "13", "max((tasks - waiting) * 0.9524, tasks / 13)"),
        (8, "thrifty", "38", "max((tasks - waiting) * 0.9524, tasks / 38)"),
        (60, "quick", "1", "max((tasks - waiting) * 0.9934, tasks / 1)"),
        (60, "balanced", "2", "max((tasks - waiting) * 0.9934, tasks / 2)"),
        (60, "thrifty", "5", "max((tasks - waiting) * 0.9934, tasks / 5)"),
    ],
)
def test_tasks_a_pod_follow_from_the_wait_and_the_run(
    run: float, preset: str, length: str, formula: str | None
) -> None:
    # When
    spec = spec_of(runSeconds=run, preset=preset)

    # Then
    assert spec["triggers"][0]["metadata"]["queueLength"] == length
    if formula is None:
        assert "scalingModifiers" not in spec["advanced"]
        assert len(spec["triggers"]) == 1
    else:
        assert spec["advanced"]["scalingModifiers"] == {"target": "1", "formula": formula}
        in_flight = {trigger["name"]: trigger["metadata"]["scaleOnInFlight"] for trigger in spec["triggers"]}
        assert in_flight == {"tasks": "true", "waiting": "false"}


@pytest.mark.parametrize("run", [0.4, 1.5, 4.9, 5, 8, 60, 700])
@pytest.mark.parametrize(
    "scaling",
    [
        {},
        {"preset": "thrifty"},
        {"targetWaitSeconds": 20},
        {"queueLength": 7},
        {"keepBusyPods": "on"},
        {"keepBusyPods": "off"},
        {"scaleOnInFlight": False},
    ],
    ids=str,
)
def test_the_planner_and_the_chart_have_one_rule(run: float, scaling: dict[str, Any]) -> None:
    # Given
    values = {**scaling, "runSeconds": run}
    rule = rule_of(merged(default_values()["runtime"]["scaling"], values))

    # When
    spec = spec_of(**values)

    # Then
    assert spec["triggers"][0]["metadata"]["queueLength"] == str(rule.queue_length)
    formula = spec["advanced"].get("scalingModifiers", {}).get("formula")
    expected = f"max((tasks - waiting) * {rule.busy_weight or 0:.4f}, tasks / {rule.queue_length})"
    assert formula == (expected if rule.busy_weight else None)


def test_what_a_message_in_flight_counts_is_the_runs_share_of_its_flight() -> None:
    rule = rule_of(merged(default_values()["runtime"]["scaling"], {"runSeconds": 8}))

    assert rule.busy_weight == round(8 / (8 + HOLD_SECONDS), 4)
    assert set(PRESETS) == {"quick", "balanced", "thrifty"}


@pytest.mark.parametrize("run", [1.5, 60])
def test_pods_by_a_schedule_are_part_of_the_formula_or_a_trigger_of_their_own(run: float) -> None:
    # Given
    warm = {"start": "0 8 * * 1-5", "end": "0 20 * * 1-5", "timezone": "Europe/Berlin", "replicas": 2}
    scaling = Scaling.model_validate({"runSeconds": run, "warm": [warm, {**warm, "replicas": 1}]})

    # When
    rendered = render({"runtime": {"scaling": scaling.chart_values()}})

    # Then
    manifest = rendered.one("ScaledObject")
    assert mistakes(manifest) == []
    crons = [trigger for trigger in manifest["spec"]["triggers"] if trigger["type"] == "cron"]
    assert [trigger["name"] for trigger in crons] == ["warm0", "warm1"]
    assert crons[0]["metadata"] == {
        "timezone": "Europe/Berlin",
        "start": "0 8 * * 1-5",
        "end": "0 20 * * 1-5",
        "desiredReplicas": "2",
    }
    formula = manifest["spec"]["advanced"].get("scalingModifiers", {}).get("formula", "")
    assert formula == ("max((tasks - waiting) * 0.9934, tasks / 2, warm0, warm1)" if run > 5 else "")


def test_a_file_that_sets_every_old_key_is_rendered_as_before() -> None:
    # When
    rendered = render(yaml.safe_load(EVERY_OLD_KEY))

    # Then
    assert rendered.one("ScaledObject")["spec"] == _former(
        window=30, in_flight="false", polling=1, cooldown=60, length="10"
    )
    assert rendered.one("NodePool")["spec"]["disruption"]["consolidateAfter"] == "30s"


def test_a_file_that_sets_none_gets_the_documented_defaults_and_nothing_else() -> None:
    # When
    rendered = render()

    # Then
    spec = rendered.one("ScaledObject")["spec"]
    assert spec["advanced"].pop("scalingModifiers")["formula"] == "max((tasks - waiting) * 0.9615, tasks / 10)"
    tasks, waiting = spec["triggers"]
    assert (tasks.pop("name"), waiting["name"]) == ("tasks", "waiting")
    spec["triggers"] = [tasks]
    assert spec == _former(window=120, in_flight="true", polling=2, cooldown=120, length="10")
    assert rendered.one("NodePool")["spec"]["disruption"]["consolidateAfter"] == "10s"


def _former(*, window: int, in_flight: str, polling: int, cooldown: int, length: str) -> Manifest:
    """What the chart rendered when ``queueLength`` was all that one could say."""
    down = [{"type": "Percent", "value": 20, "periodSeconds": 60}, {"type": "Pods", "value": 1, "periodSeconds": 60}]
    up = [{"type": "Pods", "value": 20, "periodSeconds": 15}]
    return {
        "scaleTargetRef": {"name": "sdruntime"},
        "pollingInterval": polling,
        "cooldownPeriod": cooldown,
        "minReplicaCount": 0,
        "maxReplicaCount": 20,
        "advanced": {
            "horizontalPodAutoscalerConfig": {
                "behavior": {
                    "scaleUp": {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": up},
                    "scaleDown": {"stabilizationWindowSeconds": window, "selectPolicy": "Max", "policies": down},
                }
            }
        },
        "triggers": [
            {
                "type": "aws-sqs-queue",
                "authenticationRef": {"name": "sdruntime"},
                "metadata": {
                    "queueURL": "https://sqs.us-west-2.amazonaws.com/123456789012/sdoneks-sdruntime",
                    "awsRegion": "us-west-2",
                    "queueLength": length,
                    "scaleOnInFlight": in_flight,
                },
            }
        ],
    }


@pytest.mark.parametrize("warm", [0, 2])
def test_the_formula_names_triggers_only_and_gives_pods(warm: int) -> None:
    """KEDA compiles it with expr, with the names of the triggers as numbers; for this formula expr and Python agree.
    Seen with expr 1.17.8: 12 tasks of which 4 wait give 7.6192 for 8 s."""
    # Given
    schedule = {"start": "0 8 * * *", "end": "0 9 * * *", "timezone": "UTC", "replicas": 9}
    spec = spec_of(runSeconds=8, warm=[schedule] * warm)
    formula = spec["advanced"]["scalingModifiers"]["formula"]
    names = {trigger["name"] for trigger in spec["triggers"]}

    # When
    used = set(re.findall(r"[a-z_]\w*", formula)) - {"max"}

    # Then
    assert used == names
    values = {"tasks": 12.0, "waiting": 4.0, **{f"warm{number}": 9.0 for number in range(warm)}}
    assert eval(formula, {"max": max}, values) == (9.0 if warm else pytest.approx(7.6192))
