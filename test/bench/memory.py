"""Whether the agent's memory stays flat: ``.venv/bin/python -m test.bench.memory``.

Many short tasks with 400 KB images go through one agent; its resident memory is shown for each tenth of them.
"""

import argparse
import asyncio

import psutil
from rich.progress import Progress
from rich.table import Table

from test.bench.stage import a_world, agent_environment, console, end, moto, start_agent
from test.bench.webui import Gpu, webui
from test.support.world import World, until
from utils.local.aws_proxy import Conditions

SECONDS = 0.005
"""GPU time of a task: as little as lets the agent itself be the limit."""

STEPS = 10
PATIENCE = 3600.0
AHEAD = 50
"""Tasks put into the queue before they are needed, so that moto does not hold thousands."""


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=2000)
    tasks = parser.parse_args().tasks
    gpu, conditions = Gpu(SECONDS), Conditions()
    table = Table(title=f"resident memory of one agent over {tasks} tasks of 400 KB")
    table.add_column("tasks", justify="right")
    table.add_column("RSS", justify="right")
    async with moto() as endpoint, a_world(endpoint, conditions) as (world, proxied), webui(gpu) as runtime:
        process = await start_agent(agent_environment(world, proxied, runtime))
        asking = asyncio.create_task(ask(world, gpu, tasks))
        try:
            with Progress() as progress:
                bar = progress.add_task("tasks", total=tasks)
                for step in range(1, STEPS + 1):
                    due = tasks * step // STEPS
                    await until(lambda: conditions.calls["sqs", "DeleteMessage"] >= due, PATIENCE)  # noqa: B023
                    progress.update(bar, completed=due)
                    table.add_row(str(due), f"{psutil.Process(process.pid).memory_info().rss / 1e6:.1f} MB")
        finally:
            asking.cancel()
            await end(process)
    console().print(table)


async def ask(world: World, gpu: Gpu, tasks: int) -> None:
    """Keep the queue filled, but not far ahead."""
    for number in range(tasks):
        await until(lambda: number - len(gpu.busy) < AHEAD, PATIENCE)  # noqa: B023
        await world.ask(f"t{number}")


if __name__ == "__main__":
    asyncio.run(main())
