"""What is wrong with a config is named: every key with its value and what is allowed."""

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.config.errors import ConfigError
from infra.config.model import Config, load_config, parse_config
from infra.config.resources import MAX_RUNTIMES
from test.infra.config.raw import problems, raw_config, raw_runtime


def test_five_problems_print_all_five(tmp_path: Path) -> None:
    # Given
    path = tmp_path / "config.yaml"
    path.write_text("""
stackNam: mine
modelBucketArn: s3://my-models
APIGW: {throttle: {rateLimit: "30"}}
modelsRuntime:
- {name: sd, namespace: sd, type: sdwebui, modelFilename: sd.safetensors}
- {name: sd, namespace: sd, type: comfy}
""")

    # When
    with pytest.raises(ConfigError) as caught:
        load_config(path)

    # Then
    assert str(caught.value).splitlines() == [
        f"{path} has 5 problems:",
        "  modelBucketArn: must be 'arn:aws:s3:::BUCKET', or 'arn:aws-cn:s3:::BUCKET' in China, got 's3://my-models'",
        "  APIGW.throttle.rateLimit: must be a valid number, got '30'",
        "  modelsRuntime[1].type: must be 'sdwebui', 'comfyui', 'invokeai' or 'imagekit', got 'comfy'",
        "  stackNam: is not a known key; did you mean stackName?",
        "  modelsRuntime[1].name: this and modelsRuntime[0].name: both runtimes have the name 'sd'; each needs its own",
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"stackName": "1st"}, "stackName: must be a letter, then up to 31 letters, digits and '-', got '1st'"),
        ({"modelsRuntime": []}, "modelsRuntime: must hold at least one runtime, got []"),
        ({"modelsRuntime": "sd"}, "modelsRuntime: must be a list, got 'sd'"),
        ({"APIGW": []}, "APIGW: must be a mapping of keys, got []"),
        ({"APIGW": {"throttle": {"burstLimit": 0}}}, "APIGW.throttle.burstLimit: must be greater than or equal to 1"),
        ({"APIGW": {"throttle": {"rateLimit": 0}}}, "APIGW.throttle.rateLimit: must be greater than 0, got 0"),
        ({"APIGW": {"stageName": "a/b"}}, "APIGW.stageName: must be 1 to 128 letters, digits and '_', got 'a/b'"),
        ({"clusterComponents": {"instanceType": "large"}}, "clusterComponents.instanceType: must be an EC2 instance"),
        ({"clusterComponents": {"desiredCount": "2"}}, "clusterComponents.desiredCount: must be a whole number"),
        ({"taskTimeout": 86400}, "taskTimeout: must be less than or equal to 36000, got 86400"),
        ({"requestRetentionDays": 13}, "requestRetentionDays: must be greater than or equal to 14, got 13"),
        ({"inputBuckets": ["s3://in"]}, "inputBuckets[0]: must be the name of an S3 bucket, without 's3://'"),
        ({"allowedLinkHosts": ["10.0.0.0/33"]}, "allowedLinkHosts[0]: must be a host name such as"),
        ({"eks": {"version": 1.35}}, "eks.version: must be a string, got 1.35; put it in quotes"),
        ({"eks": {"publicAccessCidrs": ["10.0.0.1/8"]}}, "eks.publicAccessCidrs[0]: must be a CIDR such as"),
        ({"eks": {"adminArns": ["arn:aws-cn:iam::123456789012:role/x"]}}, "eks.adminArns[0]: must be in the partition"),
        ({"vpc": {"natGateways": 4}}, "vpc.natGateways: must be less than or equal to 3, got 4"),
        ({"vpc": {"cidr": "10.0.0.0/24"}}, "vpc.cidr: must be from /16 to /20"),
        ({"lambda": {"architecture": "arm"}}, "lambda.architecture: must be 'arm64' or 'x86_64', got 'arm'"),
        ({"addOns": {"keda": {"chartRepository": "ghcr.io/x"}}}, "addOns.keda.chartRepository: must be a chart's"),
        ({"alarms": {"emails": ["me"]}}, "alarms.emails[0]: must be an e-mail address, got 'me'"),
        ({"alarms": {"emails": "me@example.com"}}, "alarms.emails: must be a list, got 'me@example.com'"),
        ({"alarms": {"noPodsMinutes": 7}}, "alarms.noPodsMinutes: must be a multiple of 5, got 7"),
        ({"alarms": {"failurePercent": 101}}, "alarms.failurePercent: must be less than or equal to 100, got 101"),
        ({"alarms": {"deadLetters": 0}}, "alarms.deadLetters: must be greater than or equal to 1, got 0"),
        ({"alarms": {"enabled": "no"}}, "alarms.enabled: must be true or false, got 'no'"),
        ({"alarms": {"deadLetter": 1}}, "alarms.deadLetter: is not a known key; did you mean deadLetters?"),
        (
            {"alarms": {"oldestMessageSeconds": 300}},
            "alarms.oldestMessageSeconds: must be more than taskTimeout, 300, for a message is as old as the run",
        ),
        (
            {"taskTimeout": 3000, "alarms": {"oldestMessageSeconds": 1800}},
            "alarms.oldestMessageSeconds: must be more than taskTimeout, 3000,",
        ),
        ({"dashboard": {"gpuHourPrice": 0}}, "dashboard.gpuHourPrice: must be greater than 0, got 0"),
        ({"vpc": {"natGateway": 1}}, "vpc.natGateway: is not a known key; did you mean natGateways?"),
        (
            {"addOns": {"eksVersions": {"core-dns": "v1"}}},
            "addOns.eksVersions.core-dns: must be 'vpc-cni', 'kube-proxy',",
        ),
        ({"zzz": 1}, "zzz: is not a known key; known are stackName, modelBucketArn, APIGW,"),
    ],
)
def test_a_wrong_key_is_named_with_its_value_and_what_is_allowed(change: dict[str, Any], expected: str) -> None:
    found = problems(raw_config(**change))

    assert len(found) == 1
    assert found[0].startswith(expected)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"type": "sdweb"},
            "modelsRuntime[0].type: must be 'sdwebui', 'comfyui', 'invokeai' or 'imagekit', got 'sdweb'",
        ),
        ({"name": ""}, "modelsRuntime[0].name: must have at least 1 character, got ''"),
        ({"name": "sd_1"}, "modelsRuntime[0].name: must be lower-case letters"),
        ({"name": "s" * 41}, "modelsRuntime[0].name: must have at most 40 characters"),
        ({"namespace": "kube-system"}, "modelsRuntime[0].namespace: must not begin with 'kube-'"),
        ({"modelFilename": "../sd.ckpt"}, "modelsRuntime[0].modelFilename: must be the file name of a model"),
        ({"modelFilename": ""}, "modelsRuntime[0].modelFilename: is required for sdwebui, or set dynamicModel: true"),
        ({"dynamicModel": "true"}, "modelsRuntime[0].dynamicModel: must be true or false, got 'true'"),
        ({"extraValues": ["a"]}, "modelsRuntime[0].extraValues: must be a mapping of keys, got ['a']"),
        ({"chartVersion": "1.1.0"}, "modelsRuntime[0].chartVersion: needs chartRepository"),
        ({"chartRepository": "ftp://x"}, "modelsRuntime[0].chartRepository: must be a chart's address that begins"),
        ({"chart_repository": "x"}, "modelsRuntime[0].chart_repository: is not a known key; did you mean"),
        (
            {"type": "invokeai"},
            "modelsRuntime[0].modelFilename: is only for sdwebui; invokeai takes its models from the task",
        ),
        (
            {"type": "invokeai", "modelFilename": None, "dynamicModel": True},
            "modelsRuntime[0].dynamicModel: is only for sdwebui; leave it out for invokeai",
        ),
    ],
)
def test_a_wrong_runtime_is_named_with_its_number(change: dict[str, Any], expected: str) -> None:
    found = problems(raw_config(modelsRuntime=[raw_runtime(**change)]))

    assert len(found) == 1
    assert found[0].startswith(expected)


def test_two_runtimes_of_one_name_are_refused() -> None:
    # Given
    other = raw_runtime(type="comfyui", modelFilename=None)

    # When
    found = problems(raw_config(modelsRuntime=[raw_runtime(), other]))

    # Then
    assert found == [
        "modelsRuntime[1].name: this and modelsRuntime[0].name: both runtimes have the name 'sd'; each needs its own"
    ]


def test_one_runtime_more_than_a_stack_holds_is_refused() -> None:
    # Given
    runtimes = [raw_runtime(name=f"sd-{n}", modelFilename=f"{n}.safetensors") for n in range(MAX_RUNTIMES + 1)]

    # When
    found = problems(raw_config(modelsRuntime=runtimes))

    # Then
    assert len(found) == 1
    counted = f"has room for {MAX_RUNTIMES} runtimes, got {MAX_RUNTIMES + 1}"
    assert found[0].startswith(f"modelsRuntime: a stack {counted}; put the others into a second")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("modelsRuntime: [", "is not YAML"),
        ("- a\n- b\n", "must be a mapping of keys, got ['a', 'b']"),
        ("", "must be a mapping of keys, got None"),
        ("stackName: a\nstackName: b\n", "the key 'stackName' is there twice in one place"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)

    with pytest.raises(ConfigError, match="has 1 problem:") as caught:
        load_config(path)

    assert expected in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml has 1 problem:\n  cannot be read: No such file"):
        load_config(tmp_path / "none.yaml")


def _raw_configs(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    runtime_keys = st.sampled_from(["name", "namespace", "type", "modelFilename", "dynamicModel", "chartVersion"])
    keys = st.sampled_from(["stackName", "modelBucketArn", "APIGW", "modelsRuntime", "eks", "adminArns", "throttle"])
    runtimes = st.lists(st.dictionaries(runtime_keys, inner | st.just("sdwebui")) | inner)
    return st.dictionaries(keys, inner | runtimes) | st.lists(inner)


def test_a_runtime_type_that_is_a_list_is_refused_by_its_key() -> None:
    with pytest.raises(ConfigError, match=r"modelsRuntime\[0\]\.type"):
        parse_config(raw_config(modelsRuntime=[{**raw_runtime(), "type": [[]]}]))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), _raw_configs))
def test_any_yaml_gives_a_config_or_a_config_error(raw: Any) -> None:
    with contextlib.suppress(ConfigError):
        assert isinstance(parse_config(raw), Config)


def test_problems_in_a_task_policy_are_named_with_what_is_allowed() -> None:
    policy = {"maxStep": 1, "maxLinks": 65, "allowedNodes": "KSampler"}

    assert problems(raw_config(taskPolicy=policy)) == [
        "taskPolicy.maxLinks: must be less than or equal to 64, got 65",
        "taskPolicy.allowedNodes: must be a list, got 'KSampler'",
        "taskPolicy.maxStep: is not a known key; did you mean maxSteps?",
    ]
