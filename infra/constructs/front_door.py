"""What clients talk to: a REST API, their API keys if it asks for them, and the function behind it."""

import json
from collections.abc import Callable, Mapping

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from contract.clients import DEFAULT_NAME
from infra.api_routes import ApiRoute
from infra.api_routes import Function as ApiFunction
from infra.clients import UsagePlan
from infra.config.api import Auth
from infra.constructs.acceptance import accept, policy_of_aws
from infra.constructs.api_access import ApiAccess
from infra.constructs.api_refusals import answer_in_json
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
    """The API and its function. ``function`` is granted nothing here. ``keys`` are the API keys by the client's name;
    there are none where requests are signed or open. ``url`` ends in a slash, behind which paths come; it is that of
    the user's domain if there is one.

    ``environment`` gives the function's, by the ids of the keys. A key names no stage, since the stage needs the
    function, and the function knows the keys; its usage plan names the stage. ``access`` says from where the API is
    reached. ``functions`` answer the routes that are not the front door's own.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        plan: Api,
        access: ApiAccess,
        functions: Mapping[ApiFunction, lambda_.IFunction],
        environment: Callable[[Mapping[str, str]], Mapping[str, str]],
        settings: FunctionSettings,
        reserved_concurrency: int | None,
        tracing: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        self.api = self._api(plan, access, settings.log_retention_days, tracing=tracing)
        keyed = plan.plans if plan.keyed else ()
        self.keys = {one.client: self._key(one.client, named=plan.named) for one in keyed}
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
        self._add_methods(plan, {ApiFunction.FRONT_DOOR: self.function, **functions})
        answer_in_json(self.api, plan)
        for one in keyed:
            self._add_usage_plan(one)
        self.domain = access.add_domain(self.api)
        self.url = f"https://{access.domain.name}/" if access.domain else self.api.url

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

    def _api(self, plan: Api, access: ApiAccess, log_retention_days: int, *, tracing: bool) -> apigateway.RestApi:
        access_log = log_group(self, "AccessLogs", retention_days=log_retention_days)
        self._count_throttled(access_log)
        api = apigateway.RestApi(
            self,
            "Api",
            rest_api_name=cdk.Stack.of(self).stack_name,
            endpoint_configuration=access.endpoint,
            policy=access.policy(plan.auth),
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
                throttling_rate_limit=None if plan.keyed else plan.plans[0].rate_limit,
                throttling_burst_limit=None if plan.keyed else plan.plans[0].burst_limit,
            ),
        )
        api.node.try_remove_child("Endpoint")  # an output under the library's own name; the stack has the users' one
        accept(
            api,
            "Clients are programs of the account's owner; an API key or IAM, whichever the config asks for, and a "
            "throttle are what the API promises. A firewall or an authorizer can be put before it.",
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

    def _add_methods(self, plan: Api, functions: Mapping[ApiFunction, lambda_.IFunction]) -> None:
        validator = self.api.add_request_validator(
            "Validator", validate_request_body=True, validate_request_parameters=True
        )
        model = self.api.add_model("Task", content_type="application/json", schema=ANY_OBJECT)
        # One permission for the API instead of one for each method: a stack has 500 resources at most.
        integrations = {
            name: apigateway.LambdaIntegration(function, allow_test_invoke=False, scope_permission_to_method=False)
            for name, function in functions.items()
        }
        signed = plan.auth is Auth.AWS_IAM
        others = (ApiRoute("GET", ANY_PATH), ApiRoute("POST", ANY_PATH))
        for route in (*plan.routes, *others):
            self.api.root.resource_for_path(route.path).add_method(
                route.method,
                integrations[route.function],
                api_key_required=plan.keyed and route.key,
                authorization_type=apigateway.AuthorizationType.IAM if signed else None,
                request_validator=validator if route.body else None,
                request_models={"application/json": model} if route.body else None,
            )


def _id_of(kind: str, client: str) -> str:
    """The client ``default`` has the key and the plan of a stack without named clients."""
    return kind if client == DEFAULT_NAME else f"{kind}-{client}"
