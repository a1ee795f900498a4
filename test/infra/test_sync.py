"""The synchronous routes in the template: their methods, what answers, and what that may do."""

import json
from typing import Any

import pytest

from contract.image_kit import ROUTES
from contract.policy import TaskPolicy
from contract.sync_routes import TextToImageRoute
from infra.images import FUNCTION, image_build
from test.infra.configs import CHINA, ONE
from test.infra.reading import of_role, of_type, plain, the_one
from test.infra.synthesis import Synthesis, template_in

KIT_URI = "123456789012.dkr.ecr.cn-northwest-1.amazonaws.com.cn/kit@sha256:" + "0" * 64


def _methods(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The methods of the resources below the root, by path."""
    paths = {name: one["PathPart"] for name, one in of_type(template, "AWS::ApiGateway::Resource").items()}
    methods = of_type(template, "AWS::ApiGateway::Method").values()
    return {paths.get(one["ResourceId"].strip("<>"), ""): one for one in methods}


def _function(template: dict[str, Any], prefix: str) -> dict[str, Any]:
    return the_one(template, "AWS::Lambda::Function", prefix)


def _calls(method: dict[str, Any]) -> str:
    """The construct of the function that answers."""
    return "ImageKit" if "ImageKitHandler" in json.dumps(method["Integration"]) else "FrontDoor"


@pytest.mark.parametrize(("config", "answers"), [("opened", "FrontDoor"), ("signed", "ImageKit")])
def test_each_route_of_the_image_kit_takes_post(config: str, answers: str, request: pytest.FixtureRequest) -> None:
    methods = _methods(request.getfixturevalue(config))

    for route in ROUTES:
        assert (methods[route]["HttpMethod"], _calls(methods[route])) == ("POST", answers)
        assert "RequestValidatorId" in methods[route]


@pytest.mark.parametrize(("config", "path"), [("opened", "text-to-image"), ("signed", "route")])
def test_images_from_text_take_get(config: str, path: str, request: pytest.FixtureRequest) -> None:
    method = _methods(request.getfixturevalue(config))[path]

    assert (method["HttpMethod"], _calls(method)) == ("GET", "FrontDoor")


def test_the_front_door_knows_the_runtimes(opened: dict[str, Any]) -> None:
    variables = _function(opened, "FrontDoor")["Environment"]["Variables"]

    assert variables["SYNC_IMAGE_KIT"] == "kit"
    assert TextToImageRoute.from_env(variables["SYNC_TEXT_TO_IMAGE"]) == TextToImageRoute(runtime="sdruntime")


def test_the_front_door_calls_the_named_endpoint_and_no_other(signed: dict[str, Any], opened: dict[str, Any]) -> None:
    # When
    allowed = of_role(signed, "FrontDoorHandlerRole")
    variables = _function(signed, "FrontDoor")["Environment"]["Variables"]

    # Then
    assert allowed[("sagemaker:InvokeEndpoint",)] == (
        "arn:<Partition>:sagemaker:<Region>:<AccountId>:endpoint/Jumpstart-SD",
        "arn:<Partition>:sagemaker:<Region>:<AccountId>:endpoint/jumpstart-sd",
    )
    assert any(place.endswith("/sync/*") for place in allowed[("s3:PutObject",)])
    assert TextToImageRoute.from_env(variables["SYNC_TEXT_TO_IMAGE"]) == TextToImageRoute(
        path="route", endpoint="Jumpstart-SD", policy=TaskPolicy(max_pixels=1048576)
    )
    assert "SYNC_IMAGE_KIT" not in variables
    assert "sagemaker" not in json.dumps(opened)


def test_the_function_is_the_image_that_the_stack_builds(signed: dict[str, Any]) -> None:
    # When
    function, build = _function(signed, "ImageKit"), image_build("sdoneks", FUNCTION)

    # Then
    assert function["PackageType"] == "Image"
    assert function["Code"]["ImageUri"] == f"<AccountId>.dkr.ecr.<Region>.<URLSuffix>/{build.reference}"
    assert function["ImageConfig"] == {
        "EntryPoint": ["python", "-m", "awslambdaric"],
        "Command": ["image_kit.handler.handle"],
    }
    assert (function["Architectures"], function["MemorySize"], function["Timeout"]) == (["x86_64"], 4096, 29)
    variables = function["Environment"]["Variables"]
    assert variables["INPUT_BUCKETS"] == "photos"
    assert TaskPolicy.from_env(variables["TASK_POLICY"]) == TaskPolicy(max_upscaling=2, max_pixels=1048576)
    assert variables["RESULTS_BUCKET"].startswith("<OutputBucket")


def test_the_function_is_made_once_its_image_is_there(signed: dict[str, Any]) -> None:
    # Given
    def made_after(name: str) -> set[str]:
        found, todo = set[str](), [name]
        while todo:
            needed = signed["Resources"][todo.pop()].get("DependsOn", [])
            new = set([needed] if isinstance(needed, str) else needed) - found
            found |= new
            todo += new
        return found

    (function,) = [name for name in of_type(signed, "AWS::Lambda::Function") if name.startswith("ImageKit")]
    (wait,) = of_type(signed, "Custom::ImageWait")
    (start,) = of_type(signed, "Custom::ImageStart")

    # Then
    assert wait in made_after(function)
    assert start in made_after(wait)
    build = image_build("sdoneks", FUNCTION)
    asked = the_one(signed, "Custom::ImageWait")
    assert (asked["Project"], asked["Repository"], asked["Tag"]) == (build.project, build.repository, build.tag)


def test_lambda_may_read_the_image_and_nobody_else(signed: dict[str, Any], opened: dict[str, Any]) -> None:
    # When
    policy = the_one(signed, "AWS::ECR::Repository", "ImagesRepositoryimagekit")["RepositoryPolicyText"]

    # Then
    (statement,) = policy["Statement"]
    assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}
    assert statement["Action"] == ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    assert statement["Condition"] == {
        "ArnLike": {"aws:SourceArn": "arn:<Partition>:lambda:<Region>:<AccountId>:function:*"}
    }
    assert not [one for one in of_type(opened, "AWS::ECR::Repository").values() if "RepositoryPolicyText" in one]


def test_the_function_reads_inputs_and_stores_what_is_too_large(signed: dict[str, Any]) -> None:
    allowed = of_role(signed, "ImageKitHandlerRole")

    (results,) = allowed[("s3:GetObject", "s3:PutObject")]
    assert results.endswith("/.platform/results/*")
    assert allowed[("s3:GetObject",)] == ("arn:<Partition>:s3:::photos/*",)
    assert set(allowed) == {
        ("s3:GetObject", "s3:PutObject"),
        ("s3:GetObject",),
        ("logs:CreateLogStream", "logs:PutLogEvents"),
        ("xray:PutTelemetryRecords", "xray:PutTraceSegments"),
    }


def test_the_wait_looks_at_its_image_and_build_only(signed: dict[str, Any]) -> None:
    allowed = of_role(signed, "ImageWaitHandlerRole")

    (repository,) = allowed[("ecr:DescribeImages",)]
    assert repository.startswith("<ImagesRepositoryimagekit")
    (project,) = allowed[("codebuild:BatchGetBuilds", "codebuild:ListBuildsForProject")]
    assert project.startswith("<ImagesProjectimagekit")
    assert len(allowed) == 3


def test_an_image_of_the_users_own_is_not_waited_for(synthesise: Synthesis) -> None:
    # Given
    sync = {"imageKit": {"backend": "function", "image": KIT_URI}}
    config = {**CHINA, "images": {"build": False}, "sync": sync}

    # When
    template = template_in(synthesise("own-image", config, region="cn-northwest-1"))

    # Then
    function = _function(template, "ImageKit")
    assert plain(function["Code"]["ImageUri"]).endswith("/kit@sha256:" + "0" * 64)
    assert not of_type(template, "Custom::ImageWait")
    assert function["Architectures"] == ["x86_64"]


def test_clients_of_the_earlier_services_find_their_outputs(opened: dict[str, Any], signed: dict[str, Any]) -> None:
    # When
    outputs = {name: plain(one["Value"]) for name, one in opened["Outputs"].items()}

    # Then
    assert outputs["aikitsInvokeURL"] == outputs["FrontApiEndpoint"] == "https://api.example.com/"
    assert outputs["aikitsInvokeURLResolution"] == "https://api.example.com/resolution"
    assert outputs["aikitsInvokeURLTextToImage"] == "https://api.example.com/text-to-image"
    assert plain(signed["Outputs"]["aikitsInvokeURLRoute"]["Value"]).endswith(">/route")


def test_a_config_without_them_has_none_of_it(default: dict[str, Any]) -> None:
    text = json.dumps(default)

    for word in ("SYNC_", "aikitsInvokeURL", "ImageWait", "awslambdaric", "sagemaker"):
        assert word not in text
    assert ONE.get("sync") is None
