"""The app makes an assembly of every config that it takes, and says why it takes one not."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.app import ROOT, check_region
from infra.config.errors import ConfigError
from infra.config.model import parse_config
from infra.config.resources import MAX_RUNTIMES, RUNTIME_RESOURCES, platform_resources
from test.infra.configs import CHINA, EVERYTHING, MOST, ONE, OPEN, SIGNED, THREE
from test.infra.reading import of_type, the_one
from test.infra.synthesis import Refused, Synthesis

MAX_RESOURCES = 500
MAX_TEMPLATE_BYTES = 1024 * 1024
"""CloudFormation's limits."""

ROOM = 5
"""Resources that are left free with the most runtimes."""


def test_the_default_config_makes_one_stack(default: dict[str, Any]) -> None:
    assert len(of_type(default, "AWS::EKS::Cluster")) == 1
    assert len(of_type(default, "Custom::AWSCDK-EKS-HelmChart")) == 4


def test_each_runtime_type_gets_its_chart(three: dict[str, Any]) -> None:
    charts = of_type(three, "Custom::AWSCDK-EKS-HelmChart").values()
    values = [json.loads(chart["Values"]) for chart in charts]
    assert [value["runtime"]["type"] for value in values if "runtime" in value] == ["sdwebui", "comfyui", "invokeai"]


def test_the_most_runtimes_fit_one_stack_with_everything_on(most: dict[str, Any]) -> None:
    # Given
    assert len(MOST["modelsRuntime"]) == MAX_RUNTIMES

    # Then
    assert len(most["Resources"]) <= MAX_RESOURCES - ROOM
    assert len(json.dumps(most).encode()) < MAX_TEMPLATE_BYTES
    assert len(of_type(most, "AWS::SNS::Subscription")) == MAX_RUNTIMES + 1
    assert len(of_type(most, "AWS::CloudWatch::Alarm")) > 20
    assert len(of_type(most, "AWS::CloudWatch::Dashboard")) == 1


@pytest.mark.parametrize(("config", "raw"), [("signed", SIGNED), ("opened", OPEN), ("default", ONE)])
def test_a_stack_takes_no_more_resources_than_are_counted(
    config: str, raw: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    # Given
    template = request.getfixturevalue(config)
    runtimes = len(raw["modelsRuntime"])

    # Then
    assert len(template["Resources"]) <= platform_resources(raw) + RUNTIME_RESOURCES * runtimes


def test_one_runtime_more_is_refused_with_a_clear_error(synthesise: Synthesis) -> None:
    # Given
    one_more = {**MOST["modelsRuntime"][0], "name": "one-more", "modelFilename": "one-more.safetensors"}

    # When
    with pytest.raises(Refused) as caught:
        synthesise("too-many", {**MOST, "modelsRuntime": [*MOST["modelsRuntime"], one_more]})

    # Then
    assert f"modelsRuntime: a stack has room for {MAX_RUNTIMES} runtimes, got {MAX_RUNTIMES + 1}" in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_names_too_long_for_the_function_are_refused_with_a_clear_error(synthesise: Synthesis) -> None:
    # Given
    runtimes = [
        {**runtime, "modelFilename": "m" * 90 + runtime["modelFilename"], "extraValues": {}}
        for runtime in MOST["modelsRuntime"]
    ]

    # When
    with pytest.raises(Refused) as caught:
        synthesise("too-long", {**MOST, "modelsRuntime": runtimes})

    # Then
    assert f"modelsRuntime: the catalogue of {MAX_RUNTIMES} runtimes takes" in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_a_template_holds_no_path_of_the_machine(three: dict[str, Any], everything: dict[str, Any]) -> None:
    for template in (three, everything):
        assert str(ROOT) not in json.dumps(template)


@pytest.mark.parametrize(("package", "function"), [("front-door", "FrontDoor"), ("webhooks", "WebhookSender")])
def test_a_functions_package_is_built_when_it_is_published(
    everything_assembly: Path, everything: dict[str, Any], package: str, function: str
) -> None:
    # When
    (manifest,) = everything_assembly.glob("*.assets.json")
    files = json.loads(manifest.read_text())["files"]

    # Then
    command = ["-m", "infra.packaging", package, "x86_64"]
    (key,) = [key for key, one in files.items() if one["source"].get("executable", [])[1:] == command]
    assert not (everything_assembly / f"asset.{key}").exists()
    (place,) = files[key]["destinations"].values()
    assert place["objectKey"] == the_one(everything, "AWS::Lambda::Function", function)["Code"]["S3Key"]


@pytest.mark.parametrize(
    ("raw", "region", "problem"),
    [
        (THREE, "cn-north-1", "modelBucketArn: must be in the partition of cn-north-1, got 'arn:aws:s3:::"),
        (CHINA, "us-west-2", "modelBucketArn: must be in the partition of us-west-2, got 'arn:aws-cn:s3:::"),
        (
            {**EVERYTHING, "vpc": {"availabilityZones": ["us-west-2a", "us-east-1b"]}},
            "us-west-2",
            "vpc.availabilityZones: must be in us-west-2, got us-east-1b",
        ),
    ],
)
def test_a_config_for_another_place_is_refused(raw: dict[str, Any], region: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_region(parse_config(raw), region)

    assert str(caught.value.problems[0]).startswith(problem)


def test_a_config_for_this_place_is_taken() -> None:
    check_region(parse_config(THREE), "us-west-2")
    check_region(parse_config(CHINA), "cn-north-1")
    check_region(parse_config(CHINA), None)
