"""The pod: who runs in it, with which rights, and what of the values reaches whom."""

import json
from typing import Any

import pytest
import yaml

from contract.runtimes import RuntimeType
from test.charts.chart import CHART, Refused, env, render

ALL_TYPES = pytest.mark.parametrize("kind", [kind.value for kind in RuntimeType])


def of_type(kind: str, **inference_api: Any) -> dict[str, Any]:
    return {"runtime": {"type": kind, "inferenceApi": inference_api}}


def test_there_is_one_deployment_template_and_no_template_names_a_type() -> None:
    texts = [path.read_text() for path in (CHART / "templates").iterdir()]

    assert sum(text.count("kind: Deployment") for text in texts) == 1
    assert not [kind for kind in RuntimeType for text in texts if kind.value in text]


def test_every_runtime_type_of_the_contract_has_its_row() -> None:
    rows = yaml.safe_load((CHART / "runtimes.yaml").read_text())

    assert set(rows) == {kind.value for kind in RuntimeType}


@pytest.mark.parametrize(
    ("kind", "port", "ready_path"),
    [
        ("sdwebui", 8080, "/sdapi/v1/sd-models"),
        ("comfyui", 8188, "/system_stats"),
        ("invokeai", 9090, "/api/v1/app/version"),
        ("imagekit", 8080, "/health"),
    ],
)
def test_the_agent_and_the_startup_probe_find_the_runtime(kind: str, port: int, ready_path: str) -> None:
    # When
    rendered = render(of_type(kind))

    # Then
    assert rendered.runtime["ports"] == [{"name": "api", "containerPort": port}]
    assert rendered.runtime["startupProbe"]["httpGet"] == {"path": ready_path, "port": "api"}
    assert env(rendered.agent)["API_BASE_URL"] == f"http://127.0.0.1:{port}"
    assert env(rendered.agent)["RUNTIME_TYPE"] == kind


@ALL_TYPES
def test_a_port_of_the_users_reaches_probe_agent_and_runtime(kind: str) -> None:
    # When
    rendered = render(of_type(kind, port=7000))

    # Then
    assert rendered.runtime["ports"][0]["containerPort"] == 7000
    assert env(rendered.agent)["API_BASE_URL"] == "http://127.0.0.1:7000"
    assert "7000" in " ".join(env(rendered.runtime).values())


@ALL_TYPES
def test_the_runtime_is_a_native_sidecar_that_outlives_the_agent(kind: str) -> None:
    """Kubernetes stops sidecars after the main containers, so that no preStop hook has to wait."""
    spec = render(of_type(kind)).pod["spec"]

    sidecars = [container["name"] for container in spec["initContainers"] if container.get("restartPolicy") == "Always"]
    assert sidecars == ["runtime"]
    assert [container["name"] for container in spec["containers"]] == ["queue-agent"]
    assert "lifecycle" not in spec["containers"][0]


@ALL_TYPES
def test_the_runtime_has_neither_aws_credentials_nor_a_token(kind: str) -> None:
    """Custom nodes are strangers' code."""
    # When
    pod = render(of_type(kind)).pod

    # Then
    assert pod["spec"]["automountServiceAccountToken"] is False
    skipped = pod["metadata"]["annotations"]["eks.amazonaws.com/skip-containers"].split(",")
    assert skipped == [container["name"] for container in pod["spec"]["initContainers"]][::-1]
    for container in pod["spec"]["initContainers"]:
        assert not [name for name in env({"env": [], **container}) if name.startswith("AWS_")]


def test_the_users_annotations_cannot_give_the_runtime_credentials() -> None:
    annotations = {"eks.amazonaws.com/skip-containers": "queue-agent"}

    pod = render({"runtime": {"annotations": annotations}}).pod

    assert pod["metadata"]["annotations"]["eks.amazonaws.com/skip-containers"] == "runtime,settings"


def test_the_agent_runs_in_exec_form_without_rights() -> None:
    # When
    rendered = render()

    # Then
    agent = rendered.agent
    assert agent["command"] == ["python", "-m", "queue_agent"]
    assert agent["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert rendered.pod["spec"]["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}
    writable = [mount["name"] for mount in agent["volumeMounts"] if not mount.get("readOnly")]
    assert writable == ["tmp", "state"]


def test_the_agent_is_asked_for_its_health_on_its_own_port() -> None:
    agent = render().agent

    assert agent["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "health"}
    assert agent["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "health"}
    assert agent["ports"] == [{"name": "health", "containerPort": 8090}]
    assert env(agent)["HEALTH_PORT"] == "8090"


def test_the_agent_gets_what_the_stack_made() -> None:
    told = env(render().agent)

    assert told == {
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
    told = env(render({"runtime": {"queueAgent": {"env": given}}}).agent)

    # Then
    assert {name: told[name] for name in given} == given


def test_a_value_of_the_chart_wins_over_the_stacks_environment_and_extra_env_over_both() -> None:
    # Given
    agent = {
        "env": {"S3_BUCKET": "a", "SNS_TOPIC_ARN": "a", "MAX_ATTEMPTS": "3", "LOGLEVEL": "INFO"},
        "s3Bucket": "b",
        "snsTopicArn": "b",
        "extraEnv": {"SNS_TOPIC_ARN": "c", "MAX_ATTEMPTS": 5},
    }

    # When
    told = env(render({"runtime": {"queueAgent": agent}}).agent)

    # Then
    assert (told["S3_BUCKET"], told["SNS_TOPIC_ARN"], told["MAX_ATTEMPTS"]) == ("b", "c", "5")


def test_the_agents_state_outlives_its_container() -> None:
    # When
    rendered = render()

    # Then
    assert rendered.volume("state")["emptyDir"]["sizeLimit"]
    (mount,) = [one for one in rendered.agent["volumeMounts"] if one["name"] == "state"]
    assert mount["mountPath"] == env(rendered.agent)["STATE_DIR"]
    assert "state" not in [one["name"] for one in rendered.runtime["volumeMounts"]]


@ALL_TYPES
def test_the_agent_decides_whether_the_runtime_is_restarted(kind: str) -> None:
    # When
    rendered = render(of_type(kind))

    # Then
    probe = rendered.runtime["livenessProbe"]
    assert probe["httpGet"] == {"path": "/runtime", "port": 8090}
    assert rendered.agent["ports"] == [{"name": "health", "containerPort": 8090}]
    # The agent starts only after the startup probe has passed, and may be restarted itself.
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 120


@ALL_TYPES
def test_every_container_has_limits_of_memory_and_disk(kind: str) -> None:
    spec = render(of_type(kind)).pod["spec"]

    for container in spec["initContainers"] + spec["containers"]:
        assert {"memory", "ephemeral-storage"} <= container["resources"]["limits"].keys(), container["name"]


@pytest.mark.parametrize("container", ["inferenceApi", "queueAgent"])
def test_extra_env_given_as_a_map_becomes_a_list(container: str) -> None:
    # Given
    values = {"WORD": "text", "WHOLE": 1234567, "PART": 0.5, "YES": True}

    # When
    rendered = render({"runtime": {container: {"extraEnv": values}}})

    # Then
    told = env(rendered.runtime if container == "inferenceApi" else rendered.agent)
    assert {name: told[name] for name in values} == {"WORD": "text", "WHOLE": "1234567", "PART": "0.5", "YES": "true"}


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


def test_the_selector_matches_the_pod_and_nothing_of_another_release() -> None:
    ours, other = render(), render(release="other")

    selector = ours.deployment["spec"]["selector"]["matchLabels"]
    assert selector.items() <= ours.pod["metadata"]["labels"].items()
    assert not selector.items() <= other.pod["metadata"]["labels"].items()


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
