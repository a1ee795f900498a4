"""What a cluster would say to a manifest: the schemas of Kubernetes and of the custom kinds, and a few of the rules
that no schema tells."""

import functools
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
from kubernetes_validate.utils import schema_contents
from referencing import Registry, Resource

SCHEMAS = Path(__file__).parent / "schemas"
KUBERNETES = "v1.35.0-local-strict"
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
DOTTED_NAMES = {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
"""Kinds whose names may be several DNS labels with dots between them, 253 characters in all."""
MAX_NAME = 253
LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")

Manifest = dict[str, Any]


def mistakes(manifest: Manifest) -> list[str]:
    """Why the cluster would refuse the manifest; empty when it would not."""
    errors = _validator(manifest["apiVersion"], manifest["kind"]).iter_errors(manifest)
    return [f"{error.json_path}: {error.message}" for error in errors] + list(_broken_rules(manifest))


@functools.cache
def _validator(api_version: str, kind: str) -> jsonschema.Draft202012Validator:
    custom = SCHEMAS / f"{kind}.json"
    if custom.exists():
        return jsonschema.Draft202012Validator(json.loads(custom.read_text()))
    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    schema = schema_contents(f"kubernetes-json-schema/{KUBERNETES}/{kind.lower()}-{group}.json", KUBERNETES)
    return jsonschema.Draft202012Validator(schema, registry=_definitions())


@functools.cache
def _definitions() -> Registry[Any]:
    contents = schema_contents(f"kubernetes-json-schema/{KUBERNETES}/_definitions.json", KUBERNETES)
    return Resource.from_contents(contents) @ Registry()


def _broken_rules(manifest: Manifest) -> Iterator[str]:
    name = manifest["metadata"]["name"]
    parts = name.split(".") if manifest["kind"] in DOTTED_NAMES else [name]
    if not all(NAME.fullmatch(part) for part in parts) or len(name) > MAX_NAME:
        yield f"metadata.name: {name!r} is no DNS name"
    for key, value in manifest["metadata"].get("labels", {}).items():
        if not LABEL.fullmatch(value):
            yield f"metadata.labels.{key}: {value!r} is no label"
    if manifest["kind"] == "Deployment":
        yield from _broken_pod(manifest["spec"]["template"]["spec"])


def _broken_pod(pod: Manifest) -> Iterator[str]:
    """Server-side apply refuses what comes twice in a list of named things; the kubelet, what names nothing."""
    containers = pod.get("initContainers", []) + pod["containers"]
    volumes = [volume["name"] for volume in pod.get("volumes", [])]
    yield from _twice("containers", [container["name"] for container in containers])
    yield from _twice("volumes", volumes)
    # Containers of a pod share its address: a probe by number may ask another one, by name only its own.
    numbers = {port["containerPort"] for container in containers for port in container.get("ports", [])}
    for container in containers:
        name = container["name"]
        yield from _twice(f"{name}.env", [entry["name"] for entry in container.get("env", [])])
        yield from _twice(f"{name}.volumeMounts", [mount["mountPath"] for mount in container.get("volumeMounts", [])])
        ports = numbers | {port["name"] for port in container.get("ports", [])}
        for mount in container.get("volumeMounts", []):
            if mount["name"] not in volumes:
                yield f"{name}.volumeMounts: there is no volume {mount['name']!r}"
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            port = container.get(probe, {}).get("httpGet", {}).get("port")
            if port is not None and port not in ports:
                yield f"{name}.{probe}: there is no port {port!r}"


def _twice(path: str, names: list[str]) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{path}: {name!r} comes {count} times"
