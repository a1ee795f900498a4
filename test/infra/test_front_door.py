"""The API: who may call it, what it answers by itself, and what it logs."""

import json
from typing import Any

from aws_cdk.assertions import Match, Template

from infra.api_routes import API_ROUTES, ApiRoute
from test.infra.configs import EVERYTHING
from test.infra.reading import of_role, of_type, plain, the_one


def test_every_method_calls_the_function(default_checks: Template) -> None:
    default_checks.all_resources_properties("AWS::ApiGateway::Method", {"Integration": {"Type": "AWS_PROXY"}})


def test_the_api_and_no_other_may_call_the_function(default: dict[str, Any]) -> None:
    permissions = of_type(default, "AWS::Lambda::Permission").values()

    (permission,) = [one for one in permissions if "FrontDoorHandlerFunction" in str(one["FunctionName"])]

    assert permission["Principal"] == "apigateway.amazonaws.com"
    assert permission["SourceArn"].endswith(":<FrontDoorApi9446D656>/*/*/*")


def test_anybody_may_load_the_console_slowly_and_nothing_else(default: dict[str, Any]) -> None:
    # When
    methods = of_type(default, "AWS::ApiGateway::Method").values()
    resources = of_type(default, "AWS::ApiGateway::Resource")
    open_ = [one for one in methods if not one["ApiKeyRequired"]]

    # Then
    assert [(one["HttpMethod"], resources[one["ResourceId"].strip("<>")]["PathPart"]) for one in open_] == [
        ("GET", "console")
    ]
    settings = the_one(default, "AWS::ApiGateway::Stage")["MethodSettings"]
    (limit,) = [one for one in settings if one["ResourcePath"] == "/~1console"]
    assert (limit["HttpMethod"], limit["ThrottlingRateLimit"], limit["ThrottlingBurstLimit"]) == ("GET", 10, 20)
    assert (limit["MetricsEnabled"], limit["DataTraceEnabled"], limit["LoggingLevel"]) == (True, False, "ERROR")


def test_long_answers_are_compressed_for_those_who_ask(default_checks: Template) -> None:
    default_checks.has_resource_properties("AWS::ApiGateway::RestApi", {"MinimumCompressionSize": 65536})


def test_browsers_may_open_presigned_links(default_checks: Template) -> None:
    default_checks.has_resource_properties(
        "AWS::S3::Bucket",
        {
            "CorsConfiguration": {
                "CorsRules": [
                    {
                        "AllowedHeaders": ["content-type"],
                        "AllowedMethods": ["GET", "PUT"],
                        "AllowedOrigins": ["*"],
                        "MaxAge": 3600,
                    }
                ]
            }
        },
    )


def test_the_methods_are_those_of_the_topology_and_bodies_are_checked(default: dict[str, Any]) -> None:
    # When
    resources = of_type(default, "AWS::ApiGateway::Resource")

    def path(reference: str) -> str:
        resource = resources.get(reference.strip("<>"))
        return f"{path(resource['ParentId'])}/{resource['PathPart']}" if resource else ""

    made = {
        ApiRoute(
            method["HttpMethod"],
            path(method["ResourceId"]),
            body="RequestValidatorId" in method,
            key=method["ApiKeyRequired"],
        )
        for method in of_type(default, "AWS::ApiGateway::Method").values()
    }

    # Then
    assert made == {*API_ROUTES, ApiRoute("GET", "/{proxy+}"), ApiRoute("POST", "/{proxy+}")}


def test_the_api_is_regional_and_its_stage_is_the_configs(default_checks: Template) -> None:
    default_checks.has_resource_properties(
        "AWS::ApiGateway::RestApi", {"Name": "sdoneksStack", "EndpointConfiguration": {"Types": ["REGIONAL"]}}
    )
    default_checks.has_resource_properties(
        "AWS::ApiGateway::Stage",
        {
            "StageName": "dev",
            "TracingEnabled": True,
            "MethodSettings": [
                Match.object_like({"MetricsEnabled": True, "DataTraceEnabled": False, "LoggingLevel": "ERROR"}),
                Match.any_value(),
            ],
        },
    )


def test_the_usage_plan_throttles_as_configured(default_checks: Template) -> None:
    default_checks.has_resource_properties(
        "AWS::ApiGateway::UsagePlan",
        {"Throttle": {"RateLimit": 30, "BurstLimit": 50}, "ApiStages": [Match.any_value()]},
    )
    default_checks.resource_count_is("AWS::ApiGateway::UsagePlanKey", 1)


def test_a_body_that_is_no_object_is_refused_by_the_api_itself(default_checks: Template) -> None:
    default_checks.has_resource_properties(
        "AWS::ApiGateway::Model", {"ContentType": "application/json", "Schema": Match.object_like({"type": "object"})}
    )
    default_checks.has_resource_properties("AWS::ApiGateway::RequestValidator", {"ValidateRequestBody": True})


def test_refusals_are_json_in_the_shape_of_the_functions_errors(default: dict[str, Any]) -> None:
    # When
    responses = of_type(default, "AWS::ApiGateway::GatewayResponse").values()
    statuses = {response["ResponseType"]: response.get("StatusCode") for response in responses}

    # Then
    assert statuses == {
        "INVALID_API_KEY": "401",
        "MISSING_AUTHENTICATION_TOKEN": "404",
        "BAD_REQUEST_BODY": "400",
        "REQUEST_TOO_LARGE": "413",
        "THROTTLED": "429",
        "DEFAULT_4XX": None,
        "DEFAULT_5XX": None,
    }
    for response in responses:
        body = json.loads(response["ResponseTemplates"]["application/json"])
        assert body["message"]
        assert body["errors"] == []


def test_access_logs_hold_neither_keys_nor_bodies(default: dict[str, Any]) -> None:
    # When
    setting = the_one(default, "AWS::ApiGateway::Stage")["AccessLogSetting"]

    # Then
    logged = json.loads(setting["Format"])
    assert logged["status"] == "$context.status"
    assert not [value for value in logged.values() if "apiKey" in value or "header" in value or "body" in value]


def test_the_function_is_told_where_tasks_go(default: dict[str, Any]) -> None:
    # When
    function = the_one(default, "AWS::Lambda::Function", "FrontDoor")

    # Then
    variables = function["Environment"]["Variables"]
    assert function["Handler"] == "frontend_lambda.handler.handle"
    assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])
    assert function["TracingConfig"] == {"Mode": "Active"}
    assert variables["RUNTIMES"] == '[["sdruntime","sdwebui","v1-5-pruned-emaonly.safetensors"]]'
    assert variables["INPUT_TOPIC_ARN"].startswith("<RoutingTasks")
    assert variables["OUTPUT_BUCKET"].startswith("<OutputBucket")


def test_the_function_may_do_what_its_routes_need(default: dict[str, Any]) -> None:
    allowed = of_role(default, "FrontDoorHandlerRole")

    assert allowed[("sns:Publish",)] == (plain({"Ref": "RoutingTasks06119485"}),)
    requests, uploads = sorted(allowed[("s3:PutObject",)])
    assert requests.endswith("/.platform/requests/*")
    assert uploads.endswith("/.platform/uploads/*")
    (queues,) = allowed[("sqs:GetQueueAttributes",)]
    assert queues.endswith(":sdoneks_*")
    assert set(allowed) == {
        ("sns:Publish",),
        ("s3:PutObject",),
        ("s3:GetObject",),
        ("sqs:GetQueueAttributes",),
        (
            "dynamodb:BatchGetItem",
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
        ),
        ("logs:CreateLogStream", "logs:PutLogEvents"),
        ("xray:PutTelemetryRecords", "xray:PutTraceSegments"),
    }


def test_architecture_and_concurrency_are_the_configs(everything: dict[str, Any], china: dict[str, Any]) -> None:
    # When
    function = the_one(everything, "AWS::Lambda::Function", "FrontDoor")

    # Then
    assert function["Architectures"] == [EVERYTHING["lambda"]["architecture"]]
    assert function["ReservedConcurrentExecutions"] == 20
    assert the_one(china, "AWS::Lambda::Function", "FrontDoor")["Architectures"] == ["x86_64"]


def test_functions_logs_are_kept_for_a_while_only(default: dict[str, Any]) -> None:
    groups = of_type(default, "AWS::Logs::LogGroup").values()

    assert groups
    assert {group["RetentionInDays"] for group in groups} == {30}
