"""What only several keys together can get wrong.

The checks read the raw mapping, not the typed one, so that they also speak when another key is wrong: every mistake is
named at once. A key of a wrong type is skipped here; the types report it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from contract.errors import shown
from contract.runtimes import RuntimeType
from infra.config.errors import Mistake, path_of

DEFAULT_TASK_TIMEOUT = 300

MAX_RUNTIMES = 40
"""A stack holds 500 resources: at most 200 for the platform, and 7 for each runtime; the rest is left for clients."""

SAME_MODEL = "runtimes load {}; a task for this model must have one way (to rename a runtime, see docs/en/operate.md)"


def cross_mistakes(raw: Mapping[str, Any]) -> tuple[Mistake, ...]:
    """Every contradiction between keys of ``raw``, in the order of the file."""
    runtimes = list(_runtimes(raw))
    return (
        *_too_many(runtimes),
        *_claimed_twice(runtimes, "name", "runtimes have the name {}; each needs its own"),
        *_claimed_twice(runtimes, "modelFilename", SAME_MODEL),
        *(mistake for number, runtime in runtimes for mistake in _in_runtime(number, runtime)),
        *_foreign_partition(raw),
        *_alarm_for_every_task(raw),
    )


def _runtimes(raw: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    runtimes = raw.get("modelsRuntime")
    for number, runtime in enumerate(runtimes if isinstance(runtimes, list) else ()):
        if isinstance(runtime, Mapping):
            yield number, runtime


def _too_many(runtimes: list[tuple[int, Mapping[str, Any]]]) -> Iterable[Mistake]:
    if len(runtimes) > MAX_RUNTIMES:
        yield Mistake(
            "modelsRuntime",
            f"a stack has room for {MAX_RUNTIMES} runtimes, got {len(runtimes)}; "
            "put the others into a second config with its own stackName",
        )


def _claimed_twice(runtimes: list[tuple[int, Mapping[str, Any]]], key: str, sentence: str) -> Iterable[Mistake]:
    claims: dict[str, list[int]] = defaultdict(list)
    for number, runtime in runtimes:
        value = runtime.get(key)
        if isinstance(value, str) and value:
            claims[value].append(number)
    for value, (first, *others) in claims.items():
        for number in others:
            problem = f"this and {_key(first, key)}: both {sentence.format(shown(value))}"
            yield Mistake(_key(number, key), problem)


def _in_runtime(number: int, runtime: Mapping[str, Any]) -> Iterable[Mistake]:
    kind, model, dynamic = runtime.get("type"), runtime.get("modelFilename"), runtime.get("dynamicModel")
    if kind == RuntimeType.SDWEBUI:
        if not model and dynamic is not True:
            yield Mistake(
                _key(number, "modelFilename"),
                "is required for sdwebui, or set dynamicModel: true to let each task name its model",
            )
    elif isinstance(kind, str) and kind in set(RuntimeType):
        if model:
            yield Mistake(
                _key(number, "modelFilename"),
                f"is only for sdwebui; {kind} takes its models from the task, got {shown(model)}",
            )
        if dynamic is True:
            yield Mistake(_key(number, "dynamicModel"), f"is only for sdwebui; leave it out for {kind}, got True")
    if runtime.get("chartVersion") and not runtime.get("chartRepository"):
        yield Mistake(
            _key(number, "chartVersion"),
            f"needs chartRepository, without which the chart in charts/ is used, got {shown(runtime['chartVersion'])}",
        )


def _foreign_partition(raw: Mapping[str, Any]) -> Iterable[Mistake]:
    partition = _partition(raw.get("modelBucketArn"))
    eks = raw.get("eks")
    arns = eks.get("adminArns") if isinstance(eks, Mapping) else None
    for number, arn in enumerate(arns if isinstance(arns, list) else ()):
        other = _partition(arn)
        if partition and other and other != partition:
            yield Mistake(
                path_of(("eks", "adminArns", number)),
                f"must be in the partition of modelBucketArn, {partition}, got {shown(arn)}",
            )


def _alarm_for_every_task(raw: Mapping[str, Any]) -> Iterable[Mistake]:
    alarms = raw.get("alarms")
    oldest = alarms.get("oldestMessageSeconds") if isinstance(alarms, Mapping) else None
    timeout = raw.get("taskTimeout", DEFAULT_TASK_TIMEOUT)
    if type(oldest) is int and type(timeout) is int and oldest <= timeout:
        yield Mistake(
            path_of(("alarms", "oldestMessageSeconds")),
            f"must be more than taskTimeout, {timeout}, for a message is as old as the run of its task, got {oldest}",
        )


def _partition(arn: Any) -> str | None:
    parts = arn.split(":") if isinstance(arn, str) else []
    return parts[1] if len(parts) > 1 and parts[0] == "arn" else None


def _key(number: int, key: str) -> str:
    return path_of(("modelsRuntime", number, key))
