"""The pod's deletion cost, at the wire: what the API server is asked, and what the agent does not notice of it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from queue_agent.app import _deletion_cost
from queue_agent.lifecycle.pod_deletion_cost import ANNOTATION, BUSY_COST, IDLE_COST, DeletionCost, Pod
from queue_agent.runtimes.base import Job, Result
from queue_agent.settings import read_settings
from test.bench.stage import agent_environment, end, start_agent
from test.bench.webui import Gpu, webui
from test.support.agents import assembled
from test.support.kubernetes import LOST, NAME, NAMESPACE, ApiServer, api_server
from test.support.world import ScriptedRuntime, World, a_result, running, until

IDLE, BUSY = str(IDLE_COST), str(BUSY_COST)
LONG = 3600.0


@pytest.fixture
async def kubernetes(tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with api_server(tmp_path) as server:
        yield server


@asynccontextmanager
async def a_cost(
    pod: Pod, *, spacing: float = 0, growth: float = LONG, limit: float = 30, pause: float = 0.01
) -> AsyncIterator[DeletionCost]:
    """A cost that is kept while the context lasts."""
    cost = DeletionCost(pod, spacing=spacing, growth=growth, timeout=limit, pauses=(pause,))
    async with running(cost.keep()):
        yield cost


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [str(record.__dict__["cause"]) for record in caplog.records if record.levelno == logging.WARNING]


async def test_a_busy_pod_costs_more_than_an_idle_one(kubernetes: ApiServer) -> None:
    # Given a pod that begins idle; a predecessor in it may have died while busy
    async with a_cost(kubernetes.pod) as cost:
        await until(lambda: kubernetes.costs == [IDLE])
        # When a task begins and ends, then both are told
        cost.busy()
        await until(lambda: kubernetes.costs == [IDLE, BUSY])
        cost.idle()
        await until(lambda: kubernetes.costs == [IDLE, BUSY, IDLE])
    # And other annotations are left alone
    assert kubernetes.annotations == {"karpenter.sh/do-not-disrupt": "true", ANNOTATION: IDLE}


async def test_one_task_after_another_is_one_write_at_a_time(kubernetes: ApiServer) -> None:
    async with a_cost(kubernetes.pod, spacing=LONG) as cost:
        cost.busy()
        await until(lambda: kubernetes.costs)
        # When tasks follow each other
        for _ in range(20):
            cost.idle()
            await asyncio.sleep(0)
            cost.busy()
            await asyncio.sleep(0)
        cost.idle()
        # And there was time to write
        async with a_cost(replace(kubernetes.pod, name="another")):
            await until(lambda: kubernetes.asked >= 2)
    # Then nothing more was said of this pod before the next write is due
    assert kubernetes.costs == [BUSY]


async def test_a_running_tasks_cost_grows_with_its_time(kubernetes: ApiServer) -> None:
    async with a_cost(kubernetes.pod, growth=1.0) as cost:
        cost.busy()
        await until(lambda: len(kubernetes.costs) >= 2)
    first, second = map(int, kubernetes.costs[:2])
    assert BUSY_COST <= first < second


async def test_what_changes_during_a_slow_write_is_written_once(kubernetes: ApiServer) -> None:
    # Given a server that takes its time
    kubernetes.open.clear()
    async with a_cost(kubernetes.pod) as cost:
        await until(lambda: kubernetes.waiting == 1)
        # When tasks come and go meanwhile, then nobody waits for it
        for _ in range(10):
            cost.busy()
            cost.idle()
        cost.busy()
        kubernetes.open.set()
        await until(lambda: kubernetes.costs == [IDLE, BUSY])


async def test_a_token_that_expired_is_read_anew(kubernetes: ApiServer, caplog: pytest.LogCaptureFixture) -> None:
    async with a_cost(kubernetes.pod) as cost:
        await until(lambda: kubernetes.costs == [IDLE])
        # Given the token has expired
        kubernetes.tokens = {"token-2"}
        cost.busy()
        await until(lambda: kubernetes.asked > 3)
        assert kubernetes.costs == [IDLE]
        # When the kubelet has mounted the next one
        kubernetes.mount("token-2\n")
        # Then the write goes through
        await until(lambda: kubernetes.costs == [IDLE, BUSY])
    # And the log told of it once, without a token
    (cause,) = warnings(caplog)
    assert cause.startswith("401")
    assert "token-1" not in caplog.text


@pytest.mark.parametrize("status", [302, 403, 404, 409, 422, 429, 500, 503])
async def test_a_refused_write_is_tried_again_and_told_once(
    kubernetes: ApiServer, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    caplog.set_level(logging.INFO)
    # Given a server that refuses for a while
    kubernetes.refusals.extend([status] * 3)
    # When the pod tells its cost
    async with a_cost(kubernetes.pod):
        await until(lambda: kubernetes.costs == [IDLE])
        await until(lambda: "knows again" in caplog.text)
    # Then it comes through in the end
    assert kubernetes.asked == 4
    (cause,) = warnings(caplog)
    assert cause.startswith(str(status))


async def test_a_second_trouble_is_told_again(kubernetes: ApiServer, caplog: pytest.LogCaptureFixture) -> None:
    async with a_cost(kubernetes.pod) as cost:
        await until(lambda: kubernetes.costs == [IDLE])
        for refusal in (500, 403):
            kubernetes.refusals.append(refusal)
            cost.busy()
            await until(lambda: kubernetes.costs[-1] == BUSY)
            cost.idle()
            await until(lambda: kubernetes.costs[-1] == IDLE)
    assert [cause[:3] for cause in warnings(caplog)] == ["500", "403"]


async def test_what_is_out_of_date_is_not_tried_again(kubernetes: ApiServer) -> None:
    async with a_cost(kubernetes.pod) as cost:
        await until(lambda: kubernetes.costs == [IDLE])
        # Given a task that begins and ends before the server refuses
        kubernetes.open.clear()
        kubernetes.refusals.append(503)
        cost.busy()
        await until(lambda: kubernetes.waiting == 1)
        cost.idle()
        # When the write is tried again
        kubernetes.open.set()
        # Then it says what is true now
        await until(lambda: kubernetes.costs == [IDLE, IDLE])


async def test_an_answer_that_is_lost_does_not_leave_the_pod_busy_for_ever(kubernetes: ApiServer) -> None:
    async with a_cost(kubernetes.pod) as cost:
        await until(lambda: kubernetes.costs == [IDLE])
        # Given a write that is carried out, although the agent cannot know
        kubernetes.open.clear()
        kubernetes.refusals.append(LOST)
        cost.busy()
        await until(lambda: kubernetes.waiting == 1)
        # When the task is over before it is tried again
        cost.idle()
        kubernetes.open.set()
        # Then the cost is set back
        await until(lambda: kubernetes.costs == [IDLE, BUSY, IDLE])


async def test_a_server_that_does_not_answer_is_given_up_and_asked_again(
    kubernetes: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    kubernetes.open.clear()
    async with a_cost(kubernetes.pod, limit=0.2):
        await until(lambda: kubernetes.asked >= 2)
        assert len(warnings(caplog)) == 1
        kubernetes.open.set()
        await until(lambda: IDLE in kubernetes.costs)


async def test_the_end_does_not_wait_for_a_write(kubernetes: ApiServer) -> None:
    # Given a write that hangs
    kubernetes.open.clear()
    async with asyncio.timeout(20), a_cost(kubernetes.pod, limit=LONG):
        await until(lambda: kubernetes.waiting == 1)
    # Then the context is left all the same
    assert kubernetes.costs == []


@pytest.mark.parametrize("missing", ["token", "ca.crt"])
async def test_without_an_account_it_warns_once_and_goes_on(
    kubernetes: ApiServer, caplog: pytest.LogCaptureFixture, missing: str
) -> None:
    # Given a pod without its token or its authority
    (kubernetes.account / missing).rename(kubernetes.account / "elsewhere")
    async with a_cost(kubernetes.pod) as cost:
        cost.busy()
        await until(lambda: warnings(caplog))
        # When it appears
        (kubernetes.account / "elsewhere").rename(kubernetes.account / missing)
        # Then the cost is told
        await until(lambda: kubernetes.costs == [BUSY])
    (cause,) = warnings(caplog)
    assert missing in cause or "No such file" in cause


async def test_a_server_that_the_cluster_does_not_vouch_for_gets_no_token(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with api_server(tmp_path, trusted=False) as stranger, a_cost(stranger.pod):
        await until(lambda: warnings(caplog))
        assert stranger.asked == 0
    assert "CERTIFICATE_VERIFY_FAILED" in warnings(caplog)[0]


async def test_an_agent_is_busy_from_the_beginning_of_a_run_to_its_end(
    world: World, kubernetes: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an agent at a task that runs until told
    monkeypatch.setattr("queue_agent.aws.queue.LONG_POLL_SECONDS", 1)
    release = asyncio.Event()

    async def work(_: Job) -> Result:
        await release.wait()
        return a_result()

    runtime = ScriptedRuntime(work)
    await world.ask("dog")
    cost = DeletionCost(kubernetes.pod, spacing=0, growth=LONG)
    async with (
        assembled(world, runtime, cost=cost) as parts,
        running(parts.agent.run()) as agent,
    ):
        await until(lambda: kubernetes.costs == [IDLE, BUSY])
        # When the run ends
        release.set()
        # Then the pod is idle again
        await until(lambda: kubernetes.costs == [IDLE, BUSY, IDLE])
        parts.stop.request()
        await asyncio.wait_for(agent, 30)


async def test_a_process_in_a_pod_tells_kubernetes_what_it_costs(
    world: World, moto_url: str, kubernetes: ApiServer, tmp_path: Path
) -> None:
    pod = {
        "POD_NAME": NAME,
        "POD_NAMESPACE": NAMESPACE,
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": str(kubernetes.url.port),
        "SERVICE_ACCOUNT_DIR": str(kubernetes.account),
    }
    log = tmp_path / "agent.jsonl"
    async with webui(Gpu(4.0)) as runtime:
        # Given an agent with its pod's name
        process = await start_agent(agent_environment(world, moto_url, runtime, **pod), log=log)
        try:
            await until(lambda: kubernetes.costs == [IDLE])
            # When a task comes
            await world.ask("dog")
            # Then its pod costs more
            await until(lambda: [int(cost) >= BUSY_COST for cost in kubernetes.costs] == [False, True])
        finally:
            assert await end(process) == 0
    assert log.read_text() == ""


@pytest.mark.parametrize("half", [{}, {"POD_NAME": NAME}, {"POD_NAMESPACE": NAMESPACE}])
def test_outside_kubernetes_no_cost_is_kept(half: dict[str, str]) -> None:
    required = dict.fromkeys(("AWS_DEFAULT_REGION", "SQS_QUEUE_URL", "SNS_TOPIC_ARN", "S3_BUCKET", "RUNTIME_NAME"), "x")
    settings = read_settings({**required, "RUNTIME_TYPE": "comfyui", "API_BASE_URL": "http://127.0.0.1:1", **half})
    assert _deletion_cost(settings) is None
