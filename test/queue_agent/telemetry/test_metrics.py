"""What is counted, and how Prometheus reads it."""

import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from contract.metrics import BUCKETS, METRICS, RUN_TIME, TASKS, Kind
from queue_agent.errors import PermanentError, TransientError
from queue_agent.lifecycle.health import serve_health
from queue_agent.runtimes.base import Job, Result
from queue_agent.telemetry.metrics import CONTENT_TYPE, GpuClock, Metrics
from queue_agent.telemetry.tracing import Telemetry
from test.support.agents import assembled, worked
from test.support.health import a_health
from test.support.world import ScriptedRuntime, World, a_result

pytestmark = pytest.mark.usefixtures("short_waits")

SRC = Path(__file__).parents[3] / "src"


def values(metrics: Metrics) -> dict[str, float]:
    """Every sample of the text, by its name with labels."""
    lines = [line for line in metrics.text().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


async def test_the_health_port_tells_every_metric_with_its_type() -> None:
    metrics = Metrics("sdruntime")
    async with (
        serve_health("127.0.0.1", 0, a_health(ScriptedRuntime(), metrics=metrics)) as port,
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/metrics") as answer,
    ):
        assert answer.headers["Content-Type"] == CONTENT_TYPE
        text = await answer.text()
    for metric in METRICS:
        assert f"# TYPE {metric.name} {metric.kind.value}\n" in text
        assert f"# HELP {metric.name} {metric.meaning}\n" in text
    assert 'pictures_total{runtime="sdruntime"} 0\n' in text


def test_a_histogram_counts_up_to_each_bound_and_beyond_the_last() -> None:
    metrics = Metrics("r")
    for seconds in (0.01, 0.3, 5000.0):
        metrics.observe(RUN_TIME, seconds)
    measured = values(metrics)
    assert measured['run_seconds_bucket{runtime="r",le="0.01"}'] == 1
    assert measured['run_seconds_bucket{runtime="r",le="0.25"}'] == 1
    assert measured['run_seconds_bucket{runtime="r",le="0.5"}'] == 2
    assert measured[f'run_seconds_bucket{{runtime="r",le="{BUCKETS[-1]}"}}'] == 2
    assert measured['run_seconds_bucket{runtime="r",le="+Inf"}'] == measured['run_seconds_count{runtime="r"}'] == 3
    assert measured['run_seconds_sum{runtime="r"}'] == pytest.approx(5000.31)


def test_labels_that_hold_quotes_and_lines_stay_one_sample() -> None:
    metrics = Metrics('a"b\\c\nd')
    metrics.add(TASKS, "failed", "x")
    assert 'tasks_total{runtime="a\\"b\\\\c\\nd",outcome="failed",cause="x"} 1\n' in metrics.text()


def test_names_and_units_follow_prometheus() -> None:
    for metric in METRICS:
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
        assert ("seconds" in metric.name) == (metric.unit == "s")
        assert ("bytes" in metric.name) == (metric.unit == "By")
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_the_gpu_is_busy_while_a_run_lasts_and_idle_else() -> None:
    clock = iter([100.0, 110.0, 113.0, 120.0, 121.0])
    gpu = GpuClock(lambda: next(clock))
    gpu.begin()
    gpu.end()
    gpu.begin()
    gauges = {metric.name: value for metric, value in gpu.values().items()}
    assert gauges["gpu_busy_seconds_total"] == 4
    assert gauges["gpu_idle_seconds_total"] == 17
    assert gauges["runtime_ready"] == 0


async def test_a_task_is_counted_by_its_outcome_and_cause(world: World) -> None:
    # Given three tasks: one well, one with a caller's fault, one that needs a second run
    tries: dict[str, int] = {}

    async def work(job: Job) -> Result:
        tries[job.id] = tries.get(job.id, 0) + 1
        if job.id == "wrong":
            raise PermanentError("bad-request", "no such sampler")
        if job.id == "unlucky" and tries[job.id] == 1:
            raise TransientError("out-of-memory", "no memory")
        return a_result()

    for task_id in ("well", "wrong", "unlucky"):
        await world.ask(task_id)
    metrics = Metrics("r")

    # When
    async with assembled(world, ScriptedRuntime(work), telemetry=Telemetry(metrics)) as parts:
        for _ in range(4):
            await worked(parts)

    # Then
    measured = values(metrics)
    assert measured['tasks_total{runtime="r",outcome="completed",cause=""}'] == 2
    assert measured['tasks_total{runtime="r",outcome="failed",cause="bad-request"}'] == 1
    assert measured['task_retries_total{runtime="r",cause="out-of-memory"}'] == 1
    assert measured['pictures_total{runtime="r"}'] == 2
    assert measured['stored_bytes_total{runtime="r"}'] == 34
    assert measured['run_seconds_count{runtime="r"}'] == 4
    assert measured['queue_wait_seconds_count{runtime="r"}'] == 3, "later deliveries have waited for earlier runs too"
    assert measured['task_seconds_count{runtime="r"}'] == 3


async def test_what_is_no_task_is_counted_as_dead(world: World) -> None:
    await world.send("not JSON")
    metrics = Metrics("r")
    async with assembled(world, ScriptedRuntime(), telemetry=Telemetry(metrics)) as parts:
        await worked(parts)
    assert values(metrics)['dead_letters_total{runtime="r"}'] == 1
    assert values(metrics)['tasks_total{runtime="r",outcome="undecodable",cause=""}'] == 1


def test_nothing_of_opentelemetry_is_loaded_without_an_endpoint() -> None:
    """The agent shares its node with the runtime; the SDK costs half a second and 25 MB."""
    program = (
        "import sys, queue_agent.__main__; "
        "print([name for name in sys.modules if name.startswith(('opentelemetry', 'google', 'requests'))])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ended.stdout == "[]\n"
