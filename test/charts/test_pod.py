"""The pod: who runs in it, with which rights, ports, probes and limits."""

import pytest
import yaml

from contract.runtimes import RuntimeType
from test.charts.chart import ALL_TYPES, CHART, env, of_type, render


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


def test_the_selector_matches_the_pod_and_nothing_of_another_release() -> None:
    ours, other = render(), render(release="other")

    selector = ours.deployment["spec"]["selector"]["matchLabels"]
    assert selector.items() <= ours.pod["metadata"]["labels"].items()
    assert not selector.items() <= other.pod["metadata"]["labels"].items()
