"""What only several keys together can get wrong.

The checks read the raw mapping, not the typed one, so that they also speak when another key is wrong: every problem is
named at once. A key of a wrong type is skipped here; the types report it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from contract.errors import Problem, shown
from contract.runtimes import RuntimeType
from infra.config.api import api_problems
from infra.config.errors import path_of
from infra.config.resources import CLIENT_RESOURCES, MAX_RESOURCES, MAX_RUNTIMES, RUNTIME_RESOURCES, platform_resources
from infra.config.sync import sync_problems

DEFAULT_TASK_TIMEOUT = 300

RUNTIMES, CLIENTS = "modelsRuntime", "clients"

Entry: TypeAlias = tuple[int, Mapping[str, Any]]
"""One of a list, with its number."""

SAME_MODEL = "runtimes load {}; a task for this model must have one way (to rename one, see docs/en/how-to/upgrade.md)"


def cross_problems(raw: Mapping[str, Any]) -> tuple[Problem, ...]:
    """Every contradiction between keys of ``raw``, in the order of the file."""
    runtimes, clients = list(_entries(raw, RUNTIMES)), list(_entries(raw, CLIENTS))
    return (
        *_too_many(raw, runtimes),
        *_too_many_clients(raw, len(runtimes), len(clients)),
        *_claimed_twice(RUNTIMES, runtimes, "name", "runtimes have the name {}; each needs its own"),
        *_claimed_twice(RUNTIMES, runtimes, "modelFilename", SAME_MODEL),
        *_claimed_twice(CLIENTS, clients, "name", "clients have the name {}; each needs its own"),
        *_unknown_runtimes(runtimes, clients),
        *(problem for number, runtime in runtimes for problem in _in_runtime(number, runtime)),
        *(problem for number, runtime in runtimes for problem in _in_scaling(number, runtime)),
        *api_problems(raw),
        *sync_problems(raw, [runtime for _, runtime in runtimes]),
        *_foreign_partition(raw),
        *_alarm_for_every_task(raw),
    )


def _entries(raw: Mapping[str, Any], key: str) -> Iterator[Entry]:
    entries = raw.get(key)
    for number, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, Mapping):
            yield number, entry


def _too_many(raw: Mapping[str, Any], runtimes: list[Entry]) -> Iterable[Problem]:
    most = min(MAX_RUNTIMES, (MAX_RESOURCES - platform_resources(raw)) // RUNTIME_RESOURCES)
    if len(runtimes) > most:
        yield Problem(
            "modelsRuntime",
            f"a stack has room for {most} runtimes, got {len(runtimes)}; "
            "put the others into a second config with its own stackName",
        )


def _too_many_clients(raw: Mapping[str, Any], runtimes: int, clients: int) -> Iterable[Problem]:
    room = (MAX_RESOURCES - platform_resources(raw) - RUNTIME_RESOURCES * runtimes) // CLIENT_RESOURCES
    if clients > room >= 0:
        yield Problem(
            CLIENTS,
            f"a stack with {runtimes} runtimes has room for {room} clients, got {clients}; "
            "put the others into a second config with its own stackName",
        )


def _unknown_runtimes(runtimes: list[Entry], clients: list[Entry]) -> Iterable[Problem]:
    names = [runtime["name"] for _, runtime in runtimes if isinstance(runtime.get("name"), str)]
    for number, client in clients:
        allowed = client.get("runtimes")
        for index, name in enumerate(allowed if isinstance(allowed, list) else ()):
            if isinstance(name, str) and name not in names:
                known = ", ".join(map(repr, names))
                problem = f"must be the name of one of modelsRuntime, {known}, got {shown(name)}"
                yield Problem(path_of((CLIENTS, number, "runtimes", index)), problem)


def _claimed_twice(section: str, entries: list[Entry], key: str, sentence: str) -> Iterable[Problem]:
    claims: dict[str, list[int]] = defaultdict(list)
    for number, entry in entries:
        value = entry.get(key)
        if isinstance(value, str) and value:
            claims[value].append(number)
    for value, (first, *others) in claims.items():
        for number in others:
            problem = f"this and {path_of((section, first, key))}: both {sentence.format(shown(value))}"
            yield Problem(path_of((section, number, key)), problem)


def _in_runtime(number: int, runtime: Mapping[str, Any]) -> Iterable[Problem]:
    kind, model, dynamic = runtime.get("type"), runtime.get("modelFilename"), runtime.get("dynamicModel")
    if kind == RuntimeType.SDWEBUI:
        if not model and dynamic is not True:
            yield Problem(
                _key(number, "modelFilename"),
                "is required for sdwebui, or set dynamicModel: true to let each task name its model",
            )
    elif isinstance(kind, str) and kind in set(RuntimeType):
        if model:
            yield Problem(
                _key(number, "modelFilename"),
                f"is only for sdwebui; {kind} takes its models from the task, got {shown(model)}",
            )
        if dynamic is True:
            yield Problem(_key(number, "dynamicModel"), f"is only for sdwebui; leave it out for {kind}, got True")
    if runtime.get("chartVersion") and not runtime.get("chartRepository"):
        yield Problem(
            _key(number, "chartVersion"),
            f"needs chartRepository, without which the chart in charts/ is used, got {shown(runtime['chartVersion'])}",
        )


def _in_scaling(number: int, runtime: Mapping[str, Any]) -> Iterable[Problem]:
    scaling = runtime.get("scaling")
    if not isinstance(scaling, Mapping):
        return
    if scaling.get("preset") is not None and scaling.get("targetWaitSeconds") is not None:
        yield Problem(
            _key(number, "scaling.targetWaitSeconds"), f"is set by preset, too ({scaling['preset']}); leave one out"
        )
    least, most = scaling.get("minReplicas"), scaling.get("maxReplicas")
    if type(least) is int and type(most) is int and least > most:
        yield Problem(_key(number, "scaling.minReplicas"), f"must not be above maxReplicas, {most}, got {least}")
    schedules = scaling.get("warm")
    for place, warm in enumerate(schedules if isinstance(schedules, list) else ()):
        if isinstance(warm, Mapping) and warm.get("start") is not None and warm.get("start") == warm.get("end"):
            yield Problem(
                _key(number, f"scaling.warm[{place}].end"), f"must differ from start, got {shown(warm['end'])} for both"
            )


def _foreign_partition(raw: Mapping[str, Any]) -> Iterable[Problem]:
    partition = _partition(raw.get("modelBucketArn"))
    api = raw.get("APIGW")
    domain = api.get("domain") if isinstance(api, Mapping) else None
    certificate = domain.get("certificateArn") if isinstance(domain, Mapping) else None
    if partition and _partition(certificate) not in {None, partition}:
        yield Problem(
            path_of(("APIGW", "domain", "certificateArn")),
            f"must be in the partition of modelBucketArn, {partition}, got {shown(certificate)}",
        )
    eks = raw.get("eks")
    arns = eks.get("adminArns") if isinstance(eks, Mapping) else None
    for number, arn in enumerate(arns if isinstance(arns, list) else ()):
        other = _partition(arn)
        if partition and other and other != partition:
            yield Problem(
                path_of(("eks", "adminArns", number)),
                f"must be in the partition of modelBucketArn, {partition}, got {shown(arn)}",
            )


def _alarm_for_every_task(raw: Mapping[str, Any]) -> Iterable[Problem]:
    alarms = raw.get("alarms")
    oldest = alarms.get("oldestMessageSeconds") if isinstance(alarms, Mapping) else None
    timeout = raw.get("taskTimeout", DEFAULT_TASK_TIMEOUT)
    if type(oldest) is int and type(timeout) is int and oldest <= timeout:
        yield Problem(
            path_of(("alarms", "oldestMessageSeconds")),
            f"must be more than taskTimeout, {timeout}, for a message is as old as the run of its task, got {oldest}",
        )


def _partition(arn: Any) -> str | None:
    parts = arn.split(":") if isinstance(arn, str) else []
    return parts[1] if len(parts) > 1 and parts[0] == "arn" else None


def _key(number: int, key: str) -> str:
    return path_of((RUNTIMES, number, key))
