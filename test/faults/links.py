"""Links that one agent of several cannot resolve: the tasks must complete at the others."""

from pathlib import Path

from contract.runtimes import TaskType
from test.bench.busy import images
from test.bench.stage import ROOT
from test.faults.ending import ended
from test.faults.runtime import Runtime
from test.faults.scenario import Ground, Report, Scenario, agents_at
from utils.local.aws_proxy import Conditions

TASK_SECONDS = 0.3
LIMIT_SECONDS = 200.0
NO_RESOLVER = Path(__file__).parent / "no_resolver"
SQS_SECONDS = 0.4
"""moto's pollers look once a second from their own beginning. Without a latency that differs from whole seconds, an
agent that releases a message for whole seconds and polls at once always receives it first."""

SETTINGS = {"ALLOWED_LINK_HOSTS": "localhost", "ALLOW_LOOPBACK_LINKS": "true"}


async def one_without_resolver(ground: Ground, *, tasks: int = 100, agents: int = 4) -> Report:
    """The resolver of one agent answers EAI_AGAIN."""
    runtimes = [Runtime(TASK_SECONDS) for _ in range(agents)]
    conditions = Conditions(latency={"sqs": SQS_SECONDS})
    particular = {0: {"PYTHONPATH": f"{NO_RESOLVER}:{ROOT / 'src'}:{ROOT}"}}
    async with (
        agents_at(ground, runtimes, conditions, settings=SETTINGS, particular=particular) as (world, fleet),
        images() as inputs,
    ):
        named = inputs.replace("127.0.0.1", "localhost")
        for number in range(tasks):
            content = {"prompt": f"t{number}", "init_images": [f"{named}/{number}.png"]}
            await world.ask(f"t{number}", tasktype=TaskType.IMAGE_TO_IMAGE, content=content)
        ending = await ended(world, tasks, LIMIT_SECONDS)
        report = Report()
        report.equal("tasks completed", ending.completed, tasks)
        report.equal("tasks failed", ending.failed, 0)
        report.at_least("tasks that the agent gave back", fleet.count_logged(0, "retry"), 1)
        report.equal("runs at its runtime", runtimes[0].runs, 0)
        report.equal("runs", fleet.runs, tasks)
        return report


SCENARIOS = (Scenario("EAI_AGAIN at 1 of 4 agents", one_without_resolver, limit=260.0),)
