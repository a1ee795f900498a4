"""What telemetry costs: ``.venv/bin/python -m test.bench.telemetry``.

The agent works on the same tasks with nothing to send to, and with traces and metrics going to a collector in another
process. The front door's first call is measured in fresh processes, with and without a tracing library.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil
from rich.table import Table

from test.bench.stage import a_world, agent_environment, console, end, environment, moto, start_agent
from test.bench.webui import Gpu, webui
from test.support.world import until
from utils.local.aws_proxy import Conditions
from utils.local.ports import Reservation

PATIENCE = 600.0
SECONDS = 0.05
"""Short runs: CPU is counted, not time, and the collector gets many tasks in one batch as on a busy node."""

WARM = 120
"""Tasks before the counting begins: the first sending, after 5 s, loads what it needs, once in the agent's life."""

COLLECTOR = """
import asyncio, sys
from utils.local.otlp import collecting
async def main():
    async with collecting(lambda span: None, port=int(sys.argv[1])):
        print("ready", flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""

FIRST_CALL = """
import time, json
begin = time.perf_counter()
{extra}
from frontend_lambda.handler import handle
handle({{"resource": "/v1alpha2", "httpMethod": "POST", "body": "{{}}", "headers": {{}}}}, None)
print(time.perf_counter() - begin)
"""

LIBRARIES = {
    "none": "",
    "aws-xray-sdk": "from aws_xray_sdk.core import patch, xray_recorder; patch(['botocore'])",
    "opentelemetry": "from opentelemetry.sdk.trace import TracerProvider; TracerProvider().get_tracer('door'); "
    "from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter; OTLPSpanExporter()",
}


@asynccontextmanager
async def collector() -> AsyncIterator[str]:
    """A collector in a process of its own."""
    with Reservation() as port:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", COLLECTOR, str(port.port)), env=environment({}), stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout
        await process.stdout.readline()
        try:
            yield port.url
        finally:
            await end(process)


async def cpu(endpoint: str, tasks: int, settings: dict[str, str]) -> tuple[float, int]:
    """CPU seconds a task, its sending included, and RSS."""
    conditions = Conditions()
    async with a_world(endpoint, conditions) as (world, proxied), webui(Gpu(SECONDS)) as runtime:
        for number in range(WARM + tasks):
            await world.ask(f"t{number}")
        process = await start_agent(agent_environment(world, proxied, runtime, **settings))
        try:
            usage = psutil.Process(process.pid)
            await until(lambda: conditions.calls["sqs", "DeleteMessage"] >= WARM, PATIENCE)
            started = sum(usage.cpu_times()[:2])
            await until(lambda: conditions.calls["sqs", "DeleteMessage"] >= WARM + tasks, PATIENCE)
            await asyncio.sleep(6)  # the last batch of spans goes out within 5 s
            return (sum(usage.cpu_times()[:2]) - started) / tasks, usage.memory_info().rss
        finally:
            await end(process)


def first_call(library: str) -> float:
    """Seconds of import and first call in a fresh process."""
    settings = {
        "INPUT_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:t",
        "OUTPUT_BUCKET": "b",
        "RUNTIMES": '[["r","sdwebui"]]',
        "LOGLEVEL": "ERROR",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
    }
    answer = subprocess.run(
        [sys.executable, "-c", FIRST_CALL.format(extra=LIBRARIES[library])],
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        raise SystemExit(answer.stderr)
    return float(answer.stdout.splitlines()[-1])


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each kind, in turn; the medians are shown")
    arguments = parser.parse_args()
    rows: dict[str, list[tuple[float, int]]] = {"off": [], "on": []}
    async with moto() as endpoint, collector() as sink:
        for _ in range(arguments.rounds):
            rows["off"].append(await cpu(endpoint, arguments.tasks, {}))
            rows["on"].append(await cpu(endpoint, arguments.tasks, {"OTEL_EXPORTER_OTLP_ENDPOINT": sink}))
    table = Table(
        "telemetry", "CPU a task", "RSS", title=f"agent, {arguments.tasks} tasks, median of {arguments.rounds}"
    )
    for name, runs in rows.items():
        seconds, rss = (statistics.median(values) for values in zip(*runs, strict=True))
        table.add_row(name, f"{seconds * 1000:.2f} ms", f"{rss / 1e6:.0f} MB")
    console().print(table)
    calls = Table(
        "library", "import and first call", title=f"front door, median of {2 * arguments.rounds + 1} processes"
    )
    measured: dict[str, list[float]] = {name: [] for name in LIBRARIES}
    for _ in range(2 * arguments.rounds + 1):
        for name in LIBRARIES:
            measured[name].append(first_call(name))
    for name, times in measured.items():
        calls.add_row(name, f"{statistics.median(times) * 1000:.0f} ms")
    console().print(calls)


if __name__ == "__main__":
    asyncio.run(main())
