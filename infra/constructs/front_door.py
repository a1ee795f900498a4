"""What clients talk to: a REST API with an API key for each, and the function behind it."""

import json
from collections.abc import Callable, Mapping

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_logs as logs
from constructs import Construct

from contract.clients import DEFAULT_NAME
from infra.api_routes import API_PATHS, ApiRoute
from infra.clients import UsagePlan
from infra.constructs.acceptance import accept, policy_of_aws
from infra.constructs.function import Function, FunctionProps, FunctionSettings, packaged
from infra.constructs.log_group import log_group
from infra.observability.metrics import THROTTLED
from infra.packaging import FRONT_DOOR
from infra.topology import Api

KEY = "Key"

HANDLER = "frontend_lambda.handler.handle"

MEMORY_MB = 512
"""CPU comes with memory: importing takes most of a cold start."""

ANY_PATH = "/{proxy+}"
"""Every other path: the function takes one with additional slashes for what it means, and answers 404 to the rest."""

COMPRESSED_FROM = cdk.Size.kibibytes(64)
"""Of answers that API Gateway compresses for clients that accept it: the console's page, and long lists."""

WITHOUT_KEY = apigateway.MethodDeploymentOptions(
    throttling_rate_limit=10,
    throttling_burst_limit=20,
    metrics_enabled=True,
    logging_level=apigateway.MethodLoggingLevel.ERROR,
    data_trace_enabled=False,
)
"""What anybody may call: page loads of people, far below what would take the function from the clients."""

TIMEOUT = cdk.Duration.seconds(29)
"""As long as API Gateway waits."""

ANY_OBJECT = apigateway.JsonSchema(
    schema=apigateway.JsonSchemaVersion.DRAFT4, title="Task", type=apigateway.JsonSchemaType.OBJECT
)
"""API Gateway itself refuses what is no JSON object; the function checks the rest."""

REFUSALS: dict[str, tuple[str | None, str]] = {
    "INVALID_API_KEY": ("401", "The x-api-key header is missing, or its key is not valid."),
    "MISSING_AUTHENTICATION_TOKEN": ("404", "There is no such path or method; send POST to {paths}."),
    "BAD_REQUEST_BODY": ("400", "The body must be a JSON object; JSON has no comments."),
    "REQUEST_TOO_LARGE": ("413", "The body is too large; put large inputs in S3 or on the web, and send links."),
    "THROTTLED": ("429", "Too many requests; try again in a moment."),
    "DEFAULT_4XX": (None, "The request is not allowed, or not as it should be."),
    "DEFAULT_5XX": (None, "The request could not be handled; try again."),
}
"""What API Gateway answers by itself: status (None: its own) and message, in the shape of the function's errors. It
answers to a request without a key as to one with a wrong key (INVALID_API_KEY), and to an unknown path or method with
MISSING_AUTHENTICATION_TOKEN."""

OVER_QUOTA: dict[str, tuple[str | None, str]] = {
    "QUOTA_EXCEEDED": (
        "429",
        "Limit Exceeded: the client has sent its requests of this day (UTC); try again tomorrow.",
    ),
}
"""The same where a client has a quota."""

ACCESS_LOG = {
    "requestId": "$context.requestId",
    "extendedRequestId": "$context.extendedRequestId",
    "time": "$context.requestTime",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "status": "$context.status",
    "refusal": "$context.error.responseType",
    "latencyMs": "$context.responseLatency",
    "functionLatencyMs": "$context.integration.latency",
    "bytes": "$context.responseLength",
    "ip": "$context.identity.sourceIp",
    "userAgent": "$context.identity.userAgent",
    "trace": "$context.xrayTraceId",
}
"""Neither keys nor bodies."""


class FrontDoor(Construct):
    """The API and its function. ``function`` is granted nothing here. ``keys`` are the API keys by the client's name.

    ``environment`` gives the function's, by the ids of the keys. A key names no stage, since the stage needs the
    function, and the function knows the keys; its usage plan names the stage.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        plan: Api,
        environment: Callable[[Mapping[str, str]], Mapping[str, str]],
        settings: FunctionSettings,
        reserved_concurrency: int | None,
        tracing: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        self.api = self._api(plan, settings.log_retention_days, tracing=tracing)
        self.keys = {one.client: self._key(one.client, named=plan.named) for one in plan.plans}
        made = Function(
            self,
            "Handler",
            FunctionProps(
                code=packaged(self, FRONT_DOOR, settings.architecture),
                handler=HANDLER,
                description="Checks a request and hands the task to its runtime's queue",
                settings=settings,
                timeout=TIMEOUT,
                memory_mb=MEMORY_MB,
                environment=environment({name: key.key_id for name, key in self.keys.items()}),
                reserved_concurrency=reserved_concurrency,
                tracing=tracing,
            ),
        )
        self.function = made.function
        self.role = made.role
        self._add_methods(plan)
        self._answer_in_json(plan)
        for one in plan.plans:
            self._add_usage_plan(one)

    def _key(self, client: str, *, named: bool) -> apigateway.IApiKey:
        if not named:
            return self.api.add_api_key(KEY)
        return apigateway.ApiKey(self.api, _id_of(KEY, client), description=f"Client {client}")

    def _add_usage_plan(self, plan: UsagePlan) -> None:
        quota = apigateway.QuotaSettings(limit=plan.daily_quota, period=apigateway.Period.DAY)
        usage = self.api.add_usage_plan(
            _id_of("UsagePlan", plan.client),
            throttle=apigateway.ThrottleSettings(rate_limit=plan.rate_limit, burst_limit=plan.burst_limit),
            quota=quota if plan.daily_quota else None,
            api_stages=[apigateway.UsagePlanPerApiStage(api=self.api, stage=self.api.deployment_stage)],
        )
        usage.add_api_key(self.keys[plan.client])

    def _api(self, plan: Api, log_retention_days: int, *, tracing: bool) -> apigateway.RestApi:
        access_log = log_group(self, "AccessLogs", retention_days=log_retention_days)
        self._count_throttled(access_log)
        api = apigateway.RestApi(
            self,
            "Api",
            rest_api_name=cdk.Stack.of(self).stack_name,
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            cloud_watch_role=True,
            cloud_watch_role_removal_policy=cdk.RemovalPolicy.RETAIN,
            min_compression_size=COMPRESSED_FROM,
            deploy_options=apigateway.StageOptions(
                stage_name=plan.stage,
                tracing_enabled=tracing,
                metrics_enabled=True,
                logging_level=apigateway.MethodLoggingLevel.ERROR,
                data_trace_enabled=False,
                access_log_destination=apigateway.LogGroupLogDestination(access_log),
                access_log_format=apigateway.AccessLogFormat.custom(json.dumps(ACCESS_LOG)),
                method_options={f"{one.path}/{one.method}": WITHOUT_KEY for one in plan.routes if not one.key},
            ),
        )
        api.node.try_remove_child("Endpoint")  # an output under the library's own name; the stack has the users' one
        accept(
            api,
            "Clients are programs of the account's owner; an API key and a throttle are what the API promises. "
            "A firewall or an authorizer can be put before it.",
            "AwsSolutions-APIG3",
            "AwsSolutions-APIG4",
            "AwsSolutions-COG4",
        )
        accept(
            api,
            "The role that API Gateway writes its logs with, one for the whole account; AWS keeps its policy.",
            policy_of_aws("service-role/AmazonAPIGatewayPushToCloudWatchLogs"),
        )
        return api

    def _count_throttled(self, access_log: logs.ILogGroup) -> None:
        logs.CfnMetricFilter(
            self,
            "Throttled",
            log_group_name=access_log.log_group_name,
            filter_pattern='{ $.status = "429" }',
            metric_transformations=[
                logs.CfnMetricFilter.MetricTransformationProperty(
                    metric_namespace=cdk.Stack.of(self).stack_name,
                    metric_name=THROTTLED,
                    metric_value="1",
                    unit="Count",
                )
            ],
        )

    def _add_methods(self, plan: Api) -> None:
        validator = self.api.add_request_validator(
            "Validator", validate_request_body=True, validate_request_parameters=True
        )
        model = self.api.add_model("Task", content_type="application/json", schema=ANY_OBJECT)
        # One permission for the API instead of one for each method: a stack has 500 resources at most.
        integration = apigateway.LambdaIntegration(
            self.function, allow_test_invoke=False, scope_permission_to_method=False
        )
        others = (ApiRoute("GET", ANY_PATH), ApiRoute("POST", ANY_PATH))
        for route in (*plan.routes, *others):
            self.api.root.resource_for_path(route.path).add_method(
                route.method,
                integration,
                api_key_required=route.key,
                request_validator=validator if route.body else None,
                request_models={"application/json": model} if route.body else None,
            )

    def _answer_in_json(self, plan: Api) -> None:
        quota = any(one.daily_quota for one in plan.plans)
        for name, (status, message) in (REFUSALS | OVER_QUOTA if quota else REFUSALS).items():
            body = {"message": message.format(paths=" or ".join(API_PATHS)), "errors": []}
            self.api.add_gateway_response(
                name,
                type=apigateway.ResponseType.of(name),
                status_code=status,
                templates={"application/json": json.dumps(body)},
            )


def _id_of(kind: str, client: str) -> str:
    """The client ``default`` has the key and the plan of a stack without named clients."""
    return kind if client == DEFAULT_NAME else f"{kind}-{client}"
