"""Run the whole platform on this machine. docs/en/start/local.md describes what is started and where files are."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from infra.config.errors import ConfigError
from infra.config.model import load_config
from infra.topology import topology_of
from queue_agent.runtimes.address import base_url
from utils.local import console, image_kit
from utils.local.display import Display
from utils.local.image_kit import CannotInstall
from utils.local.modes import put_start_image, requests_for_all, send_once, shortest, show_callbacks
from utils.local.platform import DEFAULT_PORT, READY_SECONDS, CannotStart, Plan, start
from utils.local.readiness import ReadinessWatch
from utils.local.services import ROOT
from utils.local.supervisor import ServiceFailed
from utils.simulators.base import Options
from utils.smoke.callbacks import Listener

ONCE_SECONDS = 300.0

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended, as shells report it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until a signal; with ``--once``, until all callbacks are there. Returns the exit code."""
    arguments = _parser().parse_args(argv)
    display = Display()
    try:
        plan = _plan(arguments)
        if plan.has_image_kit and not image_kit.is_prepared():
            with display.busy("Installing the image kit's packages and models; this is done once"):
                image_kit.prepare()
        succeeded = asyncio.run(_run(plan, display, once=arguments.timeout if arguments.once else None))
    except (ConfigError, CannotStart, CannotInstall, ServiceFailed) as error:
        display.error(str(error))
        return 1
    except (asyncio.CancelledError, KeyboardInterrupt):
        display.note("Stopped; nothing is left running.")
        return INTERRUPTED if arguments.once else 0
    return 0 if succeeded else 1


async def _run(plan: Plan, display: Display, *, once: float | None) -> bool:
    """``once``: seconds for all callbacks of ``--once``; None serves until a signal."""
    task = asyncio.current_task()
    assert task
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # The first signal stops everything in order; a second one kills what is left.
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    async with AsyncExitStack() as stack:
        with display.busy("Starting the platform"):
            platform = await stack.enter_async_context(start(plan, display.event))
            readiness = ReadinessWatch(platform.health, display.event)
            watching = asyncio.create_task(readiness.watch(), name="readiness")
            stack.callback(watching.cancel)
            if once is None:
                building = asyncio.create_task(console.build(display.event), name="console")
                stack.push_async_callback(_cancelled, building)
            # Never closed: its queue goes with the embedded AWS.
            listener = await platform.watch(Listener.open(platform.clients, platform.addresses.topic_arn))
            late = await platform.watch(platform.not_ready(min(READY_SECONDS, once or READY_SECONDS)))
        for agent in late:
            reason = readiness.reason(agent) or "see the agent's log"
            display.event(f"the runtime of {agent} is not ready; its tasks wait in the queue until it is: {reason}")
        image = await platform.watch(put_start_image(platform))
        requests = requests_for_all(plan.topology.routes, image)
        display.welcome(platform.addresses, shortest(requests), image)
        if once is None:
            return await platform.watch(show_callbacks(platform, listener, plan.output, display))
        if late:
            display.note("no request was sent: a runtime is not ready; check its log, or its URL", success=False)
            return False
        with display.busy("Sending every sample request"):
            return await platform.watch(send_once(platform, requests, listener, plan.output, display, seconds=once))


async def _cancelled(task: asyncio.Task[None]) -> None:
    """End a task, and wait for its end."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _plan(arguments: argparse.Namespace) -> Plan:
    topology = topology_of(load_config(arguments.config))
    urls = dict(arguments.runtime_url)
    names = [route.name for route in topology.routes]
    for name in urls:
        if name not in names:
            raise CannotStart(
                f"--runtime-url {name}=…: {arguments.config} has no such runtime; it has {', '.join(names)}"
            )
    return Plan(
        topology=topology,
        output=arguments.output.absolute(),
        port=arguments.port,
        replicas=arguments.replicas,
        seconds_per_step=arguments.seconds_per_step,
        runtime_urls=urls,
        trace_file=arguments.trace_file,
        otlp_endpoint=arguments.otlp,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="deploy.sh --local", description=__doc__)
    add = parser.add_argument
    add("--config", type=Path, default=ROOT / "config.yaml", metavar="PATH", help="default: config.yaml of the project")
    add("--port", type=_port, help=f"of the API; 0 takes any free one (default: {DEFAULT_PORT}, or any)")
    add(
        "--output",
        type=Path,
        default=ROOT / "output",
        metavar="DIR",
        help="where images are written (default: output/)",
    )
    add("--replicas", type=_count, default=1, metavar="N", help="simulated runtimes, each with its agent, per runtime")
    add(
        "--runtime-url",
        type=_attached,
        action="append",
        default=[],
        metavar="NAME=URL",
        help="a real runtime instead of the simulated one, such as sdruntime=http://localhost:7860; may be repeated",
    )
    add(
        "--seconds-per-step",
        type=_seconds,
        default=Options().seconds_per_step,
        metavar="S",
        help="time of a sampling step of a simulated runtime (default: %(default)s)",
    )
    traces = parser.add_mutually_exclusive_group()
    traces.add_argument(
        "--trace-file", type=Path, metavar="PATH", help="where to add a line of JSON for each stage of each task"
    )
    traces.add_argument("--otlp", metavar="URL", help="where traces and metrics go, such as http://localhost:4318")
    add("--once", action="store_true", help="send every sample request, wait for the images, and stop")
    add(
        "--timeout",
        type=_seconds,
        default=ONCE_SECONDS,
        metavar="S",
        help="of --once: how long to wait for the callbacks (default: %(default)g)",
    )
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:  # noqa: PLR2004 - of TCP
        raise argparse.ArgumentTypeError(f"must be 0 to 65535, got {text}")
    return port


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, got {text}")
    return count


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number of seconds, got {text}")
    return seconds


def _attached(text: str) -> tuple[str, str]:
    name, _, url = text.partition("=")
    try:
        return name, str(base_url(url))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be NAME=URL; the URL {error}, got {text!r}") from error


if __name__ == "__main__":
    sys.exit(main())
