"""Everything that can be checked before anything is made, all findings at once."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from botocore.exceptions import BotoCoreError, ClientError

from utils.deploy.checks import (
    config_warnings,
    container_images,
    existing_stack,
    gpu_quota,
    instance_types,
    kubernetes,
    log_groups,
    model_bucket,
    network_quota,
    snapshots,
)
from utils.deploy.console import DeployError, say, step
from utils.deploy.finding import Finding, Level, Subject, error, warning

Check = Callable[[Subject], Iterable[Finding]]

CHECKS: tuple[tuple[str, Check], ...] = (
    ("the existing stack", existing_stack.check),
    ("log groups", log_groups.check),
    ("the Kubernetes version", kubernetes.check),
    ("instance types", instance_types.check),
    ("GPU quotas", gpu_quota.check),
    ("network quotas", network_quota.check),
    ("the model bucket", model_bucket.check),
    ("container images", container_images.check),
    ("snapshots", snapshots.check),
    ("config.yaml", config_warnings.check),
)
"""In the order in which findings are printed; the name is for a check that AWS refuses."""


def inspect(subject: Subject) -> list[Finding]:
    """Run every check. One that AWS does not answer is a warning, and does not stop the others."""
    return [finding for name, check in CHECKS for finding in _findings(name, check, subject)]


def show(findings: Sequence[Finding]) -> None:
    """Print all findings, errors first."""
    step("Checks before anything is made", "seconds")
    for finding in sorted(findings, key=lambda one: one.level is Level.WARNING):
        say(f"  {finding}")
    if not findings:
        say("    no findings")


def stop_on_errors(findings: Sequence[Finding]) -> None:
    """Raises DeployError when one of the findings is an error."""
    count = sum(finding.level is Level.ERROR for finding in findings)
    if count:
        plural = "" if count == 1 else "s"
        raise DeployError(f"{count} error{plural} above must be fixed first; nothing was made in the account")


def _findings(name: str, check: Check, subject: Subject) -> Iterator[Finding]:
    try:
        yield from check(subject)
    except DeployError as stopped:
        yield error(stopped.problem, *stopped.fixes)
    except (ClientError, BotoCoreError) as refused:
        yield warning(f"{name} could not be checked: {refused}")
