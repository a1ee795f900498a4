"""What a config may say, and its writer may want to know: nothing here stops a deployment."""

from collections.abc import Iterator, Mapping
from typing import Any

from infra.chart_defaults import scaling_values
from infra.config.api import Auth
from infra.config.clients import shared_folders
from infra.config.model import Config, Runtime
from infra.config.scaling import PRESETS, rule_of

MOUNT_GRACE = 600
"""Seconds. The S3 CSI driver's pods, which serve the models, are killed so long after their node is drained."""

STOP_SECONDS = 60
"""What a pod has on top of the longest task, to interrupt the runtime and to release its message."""


def warnings_of(config: Config) -> tuple[str, ...]:
    """Each begins with the key's path, as errors do."""
    return (
        *map(str, config.notes),
        *_long_tasks_on_a_mount(config),
        *_shared_folders(config),
        *_open_api(config),
        *_open_function(config),
        *_scaling(config),
    )


def _shared_folders(config: Config) -> Iterator[str]:
    return (f"{path}: {problem}" for path, problem in shared_folders(config.clients))


def _open_api(config: Config) -> Iterator[str]:
    if config.apigw.auth is Auth.NONE:
        caller = (
            "every caller who reaches the VPC endpoint" if config.apigw.endpoint == "PRIVATE" else "the whole world"
        )
        yield f"APIGW.auth: is NONE, so {caller} may run tasks at your cost, within APIGW.throttle"


def _open_function(config: Config) -> Iterator[str]:
    limited = [client.name for client in config.clients if client.runtimes]
    if limited and config.sync.image_kit_function:
        yield (
            f"clients: {', '.join(limited)} may use some runtimes only, and yet the image kit's function, which takes "
            "every key; with sync.imageKit.backend: runtime it is theirs to use only if it is listed"
        )


def _long_tasks_on_a_mount(config: Config) -> Iterator[str]:
    longest = MOUNT_GRACE - STOP_SECONDS
    names = [runtime.name for runtime in config.models_runtime if _mounts_bucket(runtime)]
    if names and config.task_timeout > longest:
        yield (
            f"taskTimeout: is {config.task_timeout}, and the mount of the models ends {MOUNT_GRACE} s after a node is "
            f"drained: a task of {', '.join(names)} that loads a model later than that fails and runs again elsewhere; "
            f"{longest} or less is safe"
        )


def _scaling(config: Config) -> Iterator[str]:
    for number, runtime in enumerate(config.models_runtime):
        values = scaling_values(runtime)
        if values is None:
            continue
        path, run, length = f"modelsRuntime[{number}]", float(values["runSeconds"]), rule_of(values).queue_length
        backlog = length * run
        if values["queueLength"] and backlog > max(PRESETS.values()):
            yield (
                f"{path}.extraValues.runtime.scaling.queueLength: {length} x {run:g} s = {backlog:g} s of backlog per "
                f"pod, which tasks wait for; leave it out, and set {path}.scaling.targetWaitSeconds"
            )
        if run > config.task_timeout:
            yield f"{path}.scaling.runSeconds: is {run:g}, and taskTimeout ends a task after {config.task_timeout} s"
        if not values["enabled"] and runtime.scaling.chart_values():
            yield f"{path}.scaling: has no effect, because extraValues.runtime.scaling.enabled is false"


def _mounts_bucket(runtime: Runtime) -> bool:
    """By the chart's rules: models come from the bucket unless the values name another volume, or none."""
    storage: Any = runtime.extra_values.get("runtime")
    storage = storage.get("persistence") if isinstance(storage, Mapping) else None
    if not isinstance(storage, Mapping):
        return True
    return storage.get("enabled") is not False and not storage.get("existingClaim") and not storage.get("storageClass")
