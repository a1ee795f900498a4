"""config.yaml: what is taken, what is refused, and in which words."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from contract.policy import TaskPolicy
from contract.runtimes import RuntimeType
from infra.config.model import load_config, parse_config
from test.infra.config.raw import raw_config, raw_runtime

ROOT = Path(__file__).parents[3]


def test_the_repository_config_is_valid() -> None:
    # When
    config = load_config(ROOT / "config.yaml")

    # Then
    assert config.stack_name == "sdoneks"
    assert [runtime.type for runtime in config.models_runtime] == [RuntimeType.SDWEBUI]


def test_a_short_file_gets_every_default() -> None:
    # When
    config = parse_config(raw_config())

    # Then
    assert config.stack_name == "sdoneks"
    assert (config.apigw.stage_name, config.apigw.throttle.rate_limit, config.apigw.throttle.burst_limit) == (
        "dev",
        30,
        50,
    )
    assert (config.cluster_components.instance_type, config.cluster_components.desired_count) == ("m7g.large", 2)
    assert config.task_timeout == 300
    assert config.request_retention_days >= 14
    assert config.models_runtime[0].extra_values == {}
    assert config.models_runtime[0].dynamic_model is False
    assert config.alarms.enabled
    assert config.dashboard.enabled


def test_the_alarm_of_old_tasks_follows_the_task_timeout() -> None:
    assert parse_config(raw_config()).oldest_message_seconds == 1200
    assert parse_config(raw_config(taskTimeout=36_000)).oldest_message_seconds == 36_900
    assert parse_config(raw_config(alarms={"oldestMessageSeconds": 500})).oldest_message_seconds == 500


def test_a_file_of_the_guide_works_as_it_is(tmp_path: Path) -> None:
    # Given the guide's sample, with the optional keys left empty
    path = tmp_path / "config.yaml"
    path.write_text("""
stackName: sdoneks
modelBucketArn: arn:aws-cn:s3:::my-models
APIGW:
  stageName: dev
  throttle:
    rateLimit: 30
    burstLimit: 50
modelsRuntime:
- name: "sdruntime"
  namespace: "default"
  type: "sdwebui"
  modelFilename: "v1-5-pruned-emaonly.safetensors"
  dynamicModel: false
  chartRepository: ""
  chartVersion: ""
  extraValues:
    karpenter:
      nodeTemplate:
        amiFamily: Bottlerocket
        dataVolume:
          snapshotID: snap-0123456789
""")

    # When
    config = load_config(path)

    # Then
    assert config.partition == "aws-cn"
    assert config.model_bucket == "my-models"
    assert config.models_runtime[0].chart_repository is None
    assert config.models_runtime[0].extra_values["karpenter"]["nodeTemplate"]["amiFamily"] == "Bottlerocket"


def test_a_config_cannot_be_changed() -> None:
    config = parse_config(raw_config())

    with pytest.raises(ValidationError, match="frozen"):
        config.stack_name = "other"  # type: ignore[misc]  # the point of the test


def test_yaml_merge_keys_are_still_allowed(tmp_path: Path) -> None:
    # Given
    path = tmp_path / "config.yaml"
    first = raw_runtime()
    path.write_text(
        "modelBucketArn: arn:aws:s3:::models\n"
        f"modelsRuntime:\n- &base {yaml.safe_dump(first, default_flow_style=True).strip()}\n"
        "- <<: *base\n  name: other\n  modelFilename: other.ckpt\n"
    )

    # When
    config = load_config(path)

    # Then
    assert [runtime.name for runtime in config.models_runtime] == ["sd", "other"]
    assert config.models_runtime[1].namespace == "sd"


def test_a_runtimes_task_policy_wins_over_the_stacks_key_by_key() -> None:
    # Given
    runtime = raw_runtime(taskPolicy={"maxSteps": 800, "deniedNodes": []})
    config = parse_config(raw_config(taskPolicy={"maxSteps": 9, "maxRuns": 2}, modelsRuntime=[runtime]))

    # When
    policy = config.policy_of(config.models_runtime[0])

    # Then
    assert policy == TaskPolicy(max_steps=800, denied_nodes=(), max_runs=2)
