"""What a config comes to."""

from typing import Any

import pytest

from contract.catalog import Catalog
from contract.policy import TaskPolicy
from infra.config.errors import ConfigError
from infra.config.model import MAX_TASK_TIMEOUT, parse_config
from infra.config.resources import MAX_RUNTIMES
from infra.queues import DAY
from infra.topology import LEASE_SECONDS, Expiry, Topology, topology_of

SQS_MAX_VISIBILITY = 12 * 3600
SQS_MAX_NAME = 80

THREE_TYPES = [
    {"name": "sd", "namespace": "sd", "type": "sdwebui", "modelFilename": "sd.safetensors"},
    {"name": "any", "namespace": "sd", "type": "sdwebui", "dynamicModel": True},
    {"name": "comfy", "namespace": "comfy", "type": "comfyui"},
    {"name": "invoke", "namespace": "invoke", "type": "invokeai"},
]


def topology(**changes: Any) -> Topology:
    raw = {"modelBucketArn": "arn:aws:s3:::models", "modelsRuntime": THREE_TYPES, **changes}
    return topology_of(parse_config(raw))


def test_each_runtime_has_its_queue_and_dead_letters() -> None:
    # When
    made = topology(taskTimeout=600)

    # Then
    for route in made.routes:
        assert route.queue.name == f"sdoneks_{route.name}"
        assert route.queue.dead_letters == route.dead_letters.name
        assert route.queue.visibility == 600 + LEASE_SECONDS
        assert route.queue.retention == route.dead_letters.retention == 14 * DAY


def test_a_queue_is_filtered_by_name_and_by_the_model_it_loads() -> None:
    # When
    policies = {route.name: route.filter_policy for route in topology().routes}

    # Then
    assert policies == {
        "sd": {"$or": [{"runtime": ["sd"]}, {"sd_model_checkpoint": ["sd.safetensors"]}]},
        "any": {"runtime": ["any"]},
        "comfy": {"runtime": ["comfy"]},
        "invoke": {"runtime": ["invoke"]},
    }


def test_the_longest_names_and_times_are_within_what_sqs_allows() -> None:
    # Given
    runtime = {"name": "r" * 40, "namespace": "sd", "type": "comfyui"}

    # When
    made = topology(stackName="s" * 32, taskTimeout=MAX_TASK_TIMEOUT, modelsRuntime=[runtime])

    # Then
    queues = [made.undelivered, made.routes[0].queue, made.routes[0].dead_letters]
    queues += [made.webhooks.queue, made.webhooks.dead_letters]
    assert all(len(queue.name) <= SQS_MAX_NAME for queue in queues)
    assert all(queue.visibility <= SQS_MAX_VISIBILITY for queue in queues)


def test_no_runtime_can_take_the_name_of_another_queue() -> None:
    # Given names that would meet if '-' joined them
    names = ["a", "a-dead", "undelivered-tasks", "tasks", "webhook-events", "webhook-events-dead"]
    runtimes = [{"name": name, "namespace": "x", "type": "comfyui"} for name in names]

    # When
    first, second = topology(modelsRuntime=runtimes), topology(stackName="sdoneks-a", modelsRuntime=runtimes)

    # Then
    queues = [
        queue.name
        for made in (first, second)
        for queue in (
            made.undelivered,
            made.webhooks.queue,
            made.webhooks.dead_letters,
            *(q for r in made.routes for q in (r.queue, r.dead_letters)),
        )
    ]
    assert len(set(queues)) == len(queues)


def test_the_front_door_learns_every_runtime() -> None:
    # When
    environment = topology().frontend_environment(
        input_topic_arn="arn:topic", output_bucket="out", queue_url_prefix="https://q/sdoneks_"
    )

    # Then
    catalog = Catalog.from_env(environment["RUNTIMES"])
    assert catalog.names == ("sd", "any", "comfy", "invoke")
    assert [entry.name for entry in catalog.dynamic()] == ["any"]
    assert (environment["INPUT_TOPIC_ARN"], environment["OUTPUT_BUCKET"]) == ("arn:topic", "out")


def test_the_front_door_learns_each_runtimes_policy() -> None:
    # Given
    runtime = {"name": "comfy", "namespace": "sd", "type": "comfyui", "taskPolicy": {"allowedNodes": ["K*"]}}
    made = topology(taskPolicy={"maxSteps": 9}, modelsRuntime=[runtime])

    # When
    environment = made.frontend_environment(
        input_topic_arn="arn:topic", output_bucket="out", queue_url_prefix="https://q/sdoneks_"
    )

    # Then
    [entry] = Catalog.from_env(environment["RUNTIMES"]).runtimes
    assert entry.policy == TaskPolicy(max_steps=9, allowed_nodes=("K*",))


def test_the_most_runtimes_fit_the_lambda_environment_and_names_too_long_are_refused() -> None:
    # Given
    usual = [
        {"name": f"runtime-{n}", "namespace": "sd", "type": "sdwebui", "modelFilename": f"sd_xl_base_{n}.safetensors"}
        for n in range(MAX_RUNTIMES)
    ]
    long = [{**runtime, "modelFilename": f"{'m' * 90}{runtime['name']}.safetensors"} for runtime in usual]

    # Then
    environment = topology(modelsRuntime=usual).frontend_environment(
        input_topic_arn="a" * 100, output_bucket="b" * 63, queue_url_prefix="c" * 100
    )
    assert sum(len(name) + len(value) for name, value in environment.items()) <= 4096
    with pytest.raises(ConfigError, match=f"modelsRuntime: the catalogue of {MAX_RUNTIMES} runtimes takes"):
        topology(modelsRuntime=long)


def test_an_agent_learns_what_it_serves_and_its_limits() -> None:
    # Given
    made = topology(
        taskTimeout=90,
        taskPolicy={"maxSteps": 9},
        inputBuckets=["in-a", "in-b"],
        allowedLinkHosts=["files.local", "10.1.0.0/16"],
    )

    # When
    environment = made.agent_environment(
        made.routes[1],
        region="eu-west-1",
        queue_url="http://sqs/any",
        dead_letter_queue_url="http://sqs/any_dead",
        output_topic_arn="arn:out",
        output_bucket="pictures",
        webhooks_queue_url="http://sqs/webhook_events",
        api_base_url="http://localhost:8080",
    )

    # Then
    assert environment == {
        "AWS_DEFAULT_REGION": "eu-west-1",
        "SQS_QUEUE_URL": "http://sqs/any",
        "DEAD_LETTER_QUEUE_URL": "http://sqs/any_dead",
        "SNS_TOPIC_ARN": "arn:out",
        "S3_BUCKET": "pictures",
        "WEBHOOKS_QUEUE_URL": "http://sqs/webhook_events",
        "RUNTIME_TYPE": "sdwebui",
        "RUNTIME_NAME": "any",
        "API_BASE_URL": "http://localhost:8080",
        "DYNAMIC_SD_MODEL": "true",
        "TASK_POLICY": '{"maxSteps":9}',
        "LOGLEVEL": "INFO",
        "TASKS_TABLE": "sdoneks_tasks",
        "TASK_RETENTION_DAYS": "30",
        "GPU_HOUR_PRICE": "0.4968",
        "TASK_TIMEOUT": "90",
        "LEASE_SECONDS": "20",
        "MAX_ATTEMPTS": "3",
        "INPUT_BUCKETS": "in-a,in-b",
        "ALLOWED_LINK_HOSTS": "files.local,10.1.0.0/16",
        "CLIENTS": "",
    }


def test_requests_expire_and_images_only_when_asked() -> None:
    assert topology().expiries == (Expiry(".platform/", 15),)
    assert topology(outputRetentionDays=7).expiries == (Expiry(".platform/", 15), Expiry("", 7))


def test_the_stack_is_named_as_users_scripts_expect() -> None:
    made = topology(stackName="mine")

    assert made.stack_name == "mineStack"
    assert (made.input_topic, made.output_topic) == ("mine_tasks", "mine_callbacks")
