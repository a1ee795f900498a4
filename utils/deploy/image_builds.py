"""The images that the stack builds in the account: watched until they are in ECR, so that no Docker is needed here.

The stack starts a build when its sources are new; this starts it again where an earlier one failed.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from infra.config.model import Config
from infra.images import ImageBuild, image_builds
from utils.deploy.account import CLIENT, Account
from utils.deploy.console import DeployError, say, step
from utils.deploy.images import digest_of

POLL_SECONDS = 10.0

LIMIT_SECONDS = 7500.0
"""An hour in CodeBuild's queue and an hour of building, which are the projects' limits, and some minutes."""

LOG_LINES = 20
"""Of a failed build: the end, where the cause is."""

IN_PROGRESS, SUCCEEDED = "IN_PROGRESS", "SUCCEEDED"

AGAIN = "Run the same command again; it starts the build again."


def missing(account: Account, config: Config) -> list[ImageBuild]:
    """Those of the stack's images that are not in ECR."""
    return [one for one in image_builds(config) if digest_of(account, f"{account.registry}/{one.reference}") is None]


def wait_for_images(account: Account, config: Config, *, poll: float = POLL_SECONDS) -> None:
    """Show the builds until every image is in ECR. Raises DeployError with the end of the log of one that fails."""
    wanted = {build.project: build for build in missing(account, config)}
    if not wanted:
        return
    names = ", ".join(build.name for build in wanted.values())
    step(f"Images built in the account: {names}", "up to 25 minutes; Ctrl-C stops watching, not the builds")
    running = {_build_of(account, project): build for project, build in wanted.items()}
    _watch(account, running, poll)
    for build in wanted.values():
        if digest_of(account, f"{account.registry}/{build.reference}") is None:
            raise DeployError(f"the build {build.project} succeeded, but {build.reference} is not in ECR", AGAIN)


def _build_of(account: Account, project: str) -> str:
    """The id of the project's build that runs, or of a new one."""
    codebuild = account.session.client("codebuild", config=CLIENT)
    try:
        ids = codebuild.list_builds_for_project(projectName=project, sortOrder="DESCENDING")["ids"]
        newest = codebuild.batch_get_builds(ids=ids[:1])["builds"] if ids else []
        if newest and newest[0]["buildStatus"] == IN_PROGRESS:
            return str(newest[0]["id"])
        say(f"    starting the build {project}")
        return str(codebuild.start_build(projectName=project)["build"]["id"])
    except ClientError as error:
        raise DeployError(f"the build {project} cannot be started: {error}", AGAIN) from error


def _watch(account: Account, running: Mapping[str, ImageBuild], poll: float) -> None:
    """Print each phase that a build enters. A failure is raised when all have ended, so that none goes unseen."""
    codebuild = account.session.client("codebuild", config=CLIENT)
    deadline, began = time.monotonic() + LIMIT_SECONDS, time.monotonic()
    phases: dict[str, str] = {}
    while True:
        builds = codebuild.batch_get_builds(ids=list(running))["builds"]
        for build in builds:
            phase = build.get("currentPhase", "QUEUED")
            if phases.get(build["id"]) != phase:
                phases[build["id"]] = phase
                say(f"    {running[build['id']].name:<12} {phase.lower()} ({time.monotonic() - began:.0f} s)")
        if all(build["buildStatus"] != IN_PROGRESS for build in builds):
            _stop_on_failures(account, running, [one for one in builds if one["buildStatus"] != SUCCEEDED])
            return
        if time.monotonic() > deadline:
            raise DeployError(f"the builds still run after {LIMIT_SECONDS / 60:g} minutes", AGAIN)
        time.sleep(poll)


def _stop_on_failures(account: Account, running: Mapping[str, ImageBuild], failed: Sequence[Mapping[str, Any]]) -> None:
    if not failed:
        return
    for build in failed:
        say(f"    the end of the log of {running[build['id']].name}:")
        for line in _end_of_log(account, build):
            say(f"      {line}")
    names = ", ".join(f"{running[one['id']].name} ({one['buildStatus'].lower()})" for one in failed)
    links = [one.get("logs", {}).get("deepLink", "") for one in failed]
    raise DeployError(f"images could not be built: {names}", AGAIN, *(f"The whole log: {one}" for one in links if one))


def _end_of_log(account: Account, build: Mapping[str, Any]) -> list[str]:
    """Empty when the build ended before it wrote one, or its log may not be read."""
    where = build.get("logs", {})
    group, stream = where.get("groupName"), where.get("streamName")
    if not group or not stream:
        return []
    logs = account.session.client("logs", config=CLIENT)
    try:
        events = logs.get_log_events(logGroupName=group, logStreamName=stream, limit=LOG_LINES)["events"]
    except ClientError:
        return []
    return [event["message"].rstrip() for event in events]
