"""The OpenTelemetry collector as Kubernetes objects: takes OTLP from the agents, gives traces to X-Ray and metrics to
CloudWatch."""

import json
from collections import defaultdict
from typing import Any

from contract.metrics import METRICS
from infra.observability.metrics import UNITS, WRITTEN, Dimensions
from infra.versions import COLLECTOR_IMAGE, PUBLIC_REGISTRY

NAMESPACE = "telemetry"
NAME = "collector"

GRPC_PORT = 4317
HTTP_PORT = 4318
HEALTH_PORT = 13133

ENDPOINT = f"http://{NAME}.{NAMESPACE}:{HTTP_PORT}"
"""Where the agents send to."""

CONFIG_PATH = "/etc/otel"

CONFIG_FILE = "config.yaml"
"""JSON is YAML, too."""

NOBODY = 10001

POD = "pod"
"""The label that tells pods apart: of two that send the same labels in one batch, the exporter drops one."""

FOUND_BY = ("task_id", "runtime", "tasktype", "outcome", "model")
"""Attributes of spans by which X-Ray finds a trace. It indexes 50 of a trace at most, and none by itself."""

_LABELS = {"app.kubernetes.io/name": NAME}


def collector_objects(
    *, region: str, metrics_namespace: str, log_group: str, registry: str | None
) -> list[dict[str, Any]]:
    """The namespace's objects, without the namespace. ``log_group`` takes the metrics (embedded metric format)."""
    config = _config(region, metrics_namespace, log_group)
    image = f"{registry or PUBLIC_REGISTRY}/{COLLECTOR_IMAGE}"
    return [
        _object("v1", "ServiceAccount", automountServiceAccountToken=False),
        _object("v1", "ConfigMap", data={CONFIG_FILE: json.dumps(config)}),
        _object("v1", "Service", spec=_service()),
        _object("apps/v1", "Deployment", spec=_deployment(image, region)),
    ]


def namespace_object() -> dict[str, Any]:
    """The namespace itself."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}


def _object(version: str, kind: str, **content: Any) -> dict[str, Any]:
    metadata = {"name": NAME, "namespace": NAMESPACE, "labels": _LABELS}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}


def _config(region: str, metrics_namespace: str, log_group: str) -> dict[str, Any]:
    return {
        "extensions": {"health_check": {"endpoint": f"0.0.0.0:{HEALTH_PORT}"}},
        "receivers": {
            "otlp": {
                "protocols": {
                    "grpc": {"endpoint": f"0.0.0.0:{GRPC_PORT}"},
                    "http": {"endpoint": f"0.0.0.0:{HTTP_PORT}"},
                }
            }
        },
        "processors": {
            "memory_limiter": {"check_interval": "1s", "limit_percentage": 80, "spike_limit_percentage": 20},
            "batch": {"timeout": "5s"},
            # Before the batch, which forgets who sent what.
            "resource": {"attributes": [{"key": POD, "from_context": "client.address", "action": "upsert"}]},
        },
        "exporters": {
            "awsxray": {"region": region, "indexed_attributes": list(FOUND_BY)},
            "awsemf": {
                "region": region,
                "namespace": metrics_namespace,
                "log_group_name": log_group,
                "log_stream_name": NAME,
                "dimension_rollup_option": "NoDimensionRollup",
                "resource_to_telemetry_conversion": {"enabled": True},
                "metric_declarations": _declarations(),
                "metric_descriptors": [
                    {"metric_name": metric.name, "unit": UNITS[metric.unit], "overwrite": True} for metric in METRICS
                ],
            },
        },
        "service": {
            "extensions": ["health_check"],
            "pipelines": {
                "traces": {"receivers": ["otlp"], "processors": ["memory_limiter", "batch"], "exporters": ["awsxray"]},
                "metrics": {
                    "receivers": ["otlp"],
                    "processors": ["memory_limiter", "resource", "batch"],
                    "exporters": ["awsemf"],
                },
            },
        },
    }


def _declarations() -> list[dict[str, Any]]:
    """Which metrics are written, with which dimensions. Without them the exporter would take every label for one."""
    names: dict[tuple[Dimensions, ...], list[str]] = defaultdict(list)
    for metric, dimensions in WRITTEN.items():
        names[dimensions].append(f"^{metric.name}$")
    return [
        {"dimensions": [list(one) for one in dimensions], "metric_name_selectors": selectors}
        for dimensions, selectors in names.items()
    ]


def _service() -> dict[str, Any]:
    ports = {"otlp-grpc": GRPC_PORT, "otlp-http": HTTP_PORT}
    return {
        "selector": _LABELS,
        "ports": [{"name": name, "port": port, "targetPort": port} for name, port in ports.items()],
    }


def _deployment(image: str, region: str) -> dict[str, Any]:
    container = {
        "name": NAME,
        "image": image,
        "args": [f"--config={CONFIG_PATH}/{CONFIG_FILE}"],
        "env": [{"name": "AWS_REGION", "value": region}],
        "ports": [{"containerPort": port} for port in (GRPC_PORT, HTTP_PORT, HEALTH_PORT)],
        "readinessProbe": {"httpGet": {"path": "/", "port": HEALTH_PORT}},
        "livenessProbe": {"httpGet": {"path": "/", "port": HEALTH_PORT}},
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": NOBODY,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "config", "mountPath": CONFIG_PATH}],
    }
    pod = {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": False,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": NAME}}],
    }
    return {
        "replicas": 1,
        "selector": {"matchLabels": _LABELS},
        "template": {"metadata": {"labels": _LABELS}, "spec": pod},
    }
