"""What of the values reaches whom in the pod: environment, arguments, images, labels, settings."""

import json

import pytest
import yaml

from test.charts.chart import ALL_TYPES, CHART, Refused, env, of_type, render


def test_the_agent_gets_what_the_stack_made() -> None:
    variables = env(render().agent)

    assert variables == {
        "API_BASE_URL": "http://127.0.0.1:8080",
        "ALLOWED_LINK_HOSTS": "files.example.com",
        "AWS_DEFAULT_REGION": "us-west-2",
        "DEAD_LETTER_QUEUE_URL": "https://sqs.us-west-2.amazonaws.com/123456789012/sdoneks-sdruntime-dead",
        "DYNAMIC_SD_MODEL": "false",
        "HEALTH_PORT": "8090",
        "INPUT_BUCKETS": "pictures",
        "LOGLEVEL": "INFO",
        "RUNTIME_NAME": "sdruntime",
        "RUNTIME_TYPE": "sdwebui",
        "S3_BUCKET": "sdoneks-output",
        "SHUTDOWN_GRACE": "300",
        "SNS_TOPIC_ARN": "arn:aws:sns:us-west-2:123456789012:sdoneks-output",
        "SQS_QUEUE_URL": "https://sqs.us-west-2.amazonaws.com/123456789012/sdoneks-sdruntime",
        "STATE_DIR": "/var/lib/queue-agent",
        "TASK_TIMEOUT": "300",
    }


def test_the_agent_gets_the_stacks_environment_as_it_is() -> None:
    # Given
    given = {"LEASE_SECONDS": "20", "TASK_POLICY": '{"steps": 50, "note": "a \\"b\\" $c"}', "LOGLEVEL": "WARNING"}

    # When
    variables = env(render({"runtime": {"queueAgent": {"env": given}}}).agent)

    # Then
    assert {name: variables[name] for name in given} == given


def test_a_value_of_the_chart_wins_over_the_stacks_environment_and_extra_env_over_both() -> None:
    # Given
    agent = {
        "env": {"S3_BUCKET": "a", "SNS_TOPIC_ARN": "a", "MAX_ATTEMPTS": "3", "LOGLEVEL": "INFO"},
        "s3Bucket": "b",
        "snsTopicArn": "b",
        "extraEnv": {"SNS_TOPIC_ARN": "c", "MAX_ATTEMPTS": 5},
    }

    # When
    variables = env(render({"runtime": {"queueAgent": agent}}).agent)

    # Then
    assert (variables["S3_BUCKET"], variables["SNS_TOPIC_ARN"], variables["MAX_ATTEMPTS"]) == ("b", "c", "5")


@pytest.mark.parametrize("container", ["inferenceApi", "queueAgent"])
def test_extra_env_given_as_a_map_becomes_a_list(container: str) -> None:
    # Given
    values = {"WORD": "text", "WHOLE": 1234567, "PART": 0.5, "YES": True}

    # When
    rendered = render({"runtime": {container: {"extraEnv": values}}})

    # Then
    variables = env(rendered.runtime if container == "inferenceApi" else rendered.agent)
    assert {name: variables[name] for name in values} == {
        "WORD": "text",
        "WHOLE": "1234567",
        "PART": "0.5",
        "YES": "true",
    }


@pytest.mark.parametrize("container", ["inferenceApi", "queueAgent"])
def test_extra_env_given_as_kubernetes_writes_it_is_passed_on(container: str) -> None:
    # Given
    secret = {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}}

    # When
    rendered = render({"runtime": {container: {"extraEnv": [secret]}}})

    # Then
    assert secret in (rendered.runtime if container == "inferenceApi" else rendered.agent)["env"]


def test_the_users_environment_wins_and_no_name_comes_twice() -> None:
    # When
    agent = render({"runtime": {"queueAgent": {"extraEnv": {"LOGLEVEL": "DEBUG", "LEASE_SECONDS": 90}}}}).agent

    # Then
    names = [entry["name"] for entry in agent["env"]]
    assert len(names) == len(set(names))
    assert env(agent)["LOGLEVEL"] == "DEBUG"
    assert env(agent)["LEASE_SECONDS"] == "90"


@ALL_TYPES
@pytest.mark.parametrize("given", ["--lowvram  --verbose", ["--lowvram", "--verbose"]], ids=["text", "list"])
def test_command_arguments_reach_every_type(kind: str, given: str | list[str]) -> None:
    runtime = render(of_type(kind, commandArguments=given)).runtime

    assert env(runtime)["EXTRA_CMD_ARG"].endswith("--lowvram --verbose")


def test_the_image_of_invokeai_gets_its_arguments_as_it_takes_them() -> None:
    runtime = render(of_type("invokeai", commandArguments="--log_level debug")).runtime

    assert runtime["args"] == ["invokeai-web", "--log_level", "debug"]


def test_an_image_of_another_make_is_started_as_the_user_says() -> None:
    runtime = render(of_type("comfyui", command=["python"], args=["main.py", "--port", "8188"])).runtime

    assert (runtime["command"], runtime["args"]) == (["python"], ["main.py", "--port", "8188"])


def test_comfyui_listens_where_the_probe_asks_whatever_its_image_says() -> None:
    assert env(render(of_type("comfyui")).runtime)["EXTRA_CMD_ARG"] == "--listen 0.0.0.0 --port 8188"


def test_the_webui_loads_the_model_of_the_stack_or_those_of_the_tasks() -> None:
    static = env(render().runtime)
    dynamic = env(render({"runtime": {"queueAgent": {"dynamicModel": True}}}).runtime)

    assert static["SD_MODEL_CHECKPOINT"] == "v1-5-pruned-emaonly.safetensors"
    assert (static["DYNAMIC_SD_MODEL"], dynamic["DYNAMIC_SD_MODEL"]) == ("false", "true")


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ({}, "123456789012.dkr.ecr.us-west-2.amazonaws.com/sd-on-eks/comfyui:latest"),
        ({"repository": "team/comfy", "tag": "v1"}, "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/comfy:v1"),
        ({"repository": "public.ecr.aws/x/comfyui"}, "public.ecr.aws/x/comfyui:latest"),
        ({"repository": "registry:5000/comfyui", "tag": "v1"}, "registry:5000/comfyui:v1"),
        ({"repository": "ghcr.io/x/comfyui", "digest": f"sha256:{'0' * 64}"}, f"ghcr.io/x/comfyui@sha256:{'0' * 64}"),
    ],
)
def test_images_are_named_by_tag_or_digest_in_the_registry_of_the_stack(image: dict[str, str], reference: str) -> None:
    assert render(of_type("comfyui", image=image)).runtime["image"] == reference


def test_the_agents_image_is_pinned_to_the_charts_version() -> None:
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]

    assert render().agent["image"].endswith(f"/sd-on-eks/queue-agent:{version}")


def test_an_image_without_any_registry_is_refused_with_what_to_do() -> None:
    with pytest.raises(Refused, match=r"runtime\.inferenceApi\.image\.repository.*set global\.imageRegistry"):
        render({"global": {"imageRegistry": ""}})


def test_labels_and_annotations_are_on_the_pod() -> None:
    # When
    values = {"labels": {"team": "art", "app.kubernetes.io/instance": "other"}, "annotations": {"note": "mine"}}
    rendered = render({"runtime": values})

    # Then
    assert rendered.pod["metadata"]["labels"] == {
        "app.kubernetes.io/name": "sd-on-eks",
        "app.kubernetes.io/instance": "sdruntime",
        "team": "art",
    }
    assert rendered.pod["metadata"]["annotations"]["note"] == "mine"
    assert "annotations" not in rendered.deployment["metadata"]
    assert all(manifest["metadata"]["labels"]["team"] == "art" for manifest in rendered.manifests)


def test_the_webuis_settings_turn_memory_mapping_and_fetching_off_and_can_be_written() -> None:
    """The WebUI saves its settings when a model is chosen through its API; in a ConfigMap that would fail."""
    # When
    rendered = render()

    # Then
    settings = json.loads(rendered.one("ConfigMap")["data"]["config.json"])
    assert settings == {"disable_mmap_load_safetensors": True, "api_enable_requests": False}
    assert env(rendered.runtime)["CONFIG_FILE"] == "/settings/config.json"
    assert rendered.container("settings")["command"] == ["cp", "/chart/config.json", "/settings/config.json"]
    assert rendered.container("settings")["image"] == rendered.runtime["image"]
    assert "emptyDir" in rendered.volume("settings")
    assert {"name": "settings", "mountPath": "/settings"} in rendered.runtime["volumeMounts"]


@pytest.mark.parametrize("kind", ["comfyui", "invokeai"])
def test_other_runtimes_get_no_settings_file(kind: str) -> None:
    rendered = render(of_type(kind))

    assert rendered.all("ConfigMap") == []
    assert [container["name"] for container in rendered.pod["spec"]["initContainers"]] == ["runtime"]


def test_traces_and_metrics_go_to_the_collector_and_traces_can_be_turned_off() -> None:
    # Given
    otlp = {"endpoint": "http://$(HOST_IP):4318"}

    # When
    agent = render({"runtime": {"queueAgent": {"otlp": otlp}}}).agent
    without = render({"runtime": {"queueAgent": {"otlp": otlp, "XRay": {"enabled": False}}}}).agent

    # Then
    assert env(agent)["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://$(HOST_IP):4318"
    assert agent["env"][0] == {"name": "HOST_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}
    assert "OTEL_TRACES_EXPORTER" not in env(agent)
    assert env(without)["OTEL_TRACES_EXPORTER"] == "none"
