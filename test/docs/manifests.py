"""YAML that a page shows: parts of config.yaml, the chart's values, Kubernetes manifests."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import yaml

from infra.config.errors import ConfigError
from infra.config.model import parse_config
from test.charts.chart import CHART, STACK, merged
from test.charts.cluster import mistakes

MINIMAL = {
    "modelBucketArn": "arn:aws:s3:::models",
    "modelsRuntime": [{"name": "sdruntime", "namespace": "default", "type": "sdwebui", "dynamicModel": True}],
}
"""What a part of a config is laid over."""


def config_problems(text: str) -> Iterator[str]:
    """The part is laid over a config of one runtime; the values for the chart are held to its schema."""
    value = yield from _parsed(text)
    if not isinstance(value, Mapping):
        return
    try:
        config = parse_config(merged(MINIMAL, value))
    except ConfigError as error:
        yield f"is no part of config.yaml (is it <!-- block: values --> or kubernetes?): {error}"
        return
    for runtime in config.models_runtime:
        if runtime.chart_repository is None:
            yield from _schema_problems(runtime.extra_values, f"extraValues of {runtime.name}: ")


def values_problems(text: str) -> Iterator[str]:
    value = yield from _parsed(text)
    if isinstance(value, Mapping):
        yield from _schema_problems(value, "")


def kubernetes_problems(text: str) -> Iterator[str]:
    try:
        manifests = [manifest for manifest in yaml.safe_load_all(text) if manifest is not None]
    except yaml.YAMLError as error:
        yield f"is not YAML: {error}"
        return
    if not manifests:
        yield "holds no manifest"
    for manifest in manifests:
        if not isinstance(manifest, dict) or not {"apiVersion", "kind", "metadata"} <= set(manifest):
            yield "a manifest has apiVersion, kind and metadata"
            continue
        yield from (f"the cluster would refuse it: {mistake}" for mistake in mistakes(manifest))


def yaml_problems(text: str) -> Iterator[str]:
    """YAML of another program, such as a pipeline."""
    yield from _parsed(text)


def _schema_problems(values: Mapping[str, Any], where: str) -> Iterator[str]:
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    defaults = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    errors = jsonschema.Draft7Validator(schema).iter_errors(merged(merged(defaults, STACK), values))
    yield from (f"{where}{error.json_path.removeprefix('$.')}: {error.message}" for error in errors)


def _parsed(text: str) -> Any:
    """The value; yields what is wrong with the text."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        yield f"is not YAML: {error}"
        return None
    if not isinstance(value, Mapping):
        yield "is not a mapping"
    return value
