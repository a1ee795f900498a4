"""How soon the console shows something when there are many tasks: ``.venv/bin/python -m test.bench.console``.

A local platform gets 10,000 ended tasks. Then a browser opens the gallery anew several times; the milliseconds from the
navigation to the browser's first contentful paint, and to the first task on the screen, are shown.
"""

import argparse
import asyncio
import shutil
import statistics
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, async_playwright
from rich.table import Table

from contract.clients import DEFAULT_NAME
from contract.runtimes import TaskType
from contract.task_table.item import Output, State, TaskItem
from infra import console as page
from infra.config.model import load_config
from infra.topology import topology_of
from test.bench.stage import console
from test.support.platform import Running, running, write_config

BATCH = 25
"""Items of a batch_write_item."""

FIRST_TILE = """() => new Promise(resolve => {
  const look = () => document.querySelector("ul.gallery > li")
    ? requestAnimationFrame(() => setTimeout(() => resolve(performance.now())))
    : requestAnimationFrame(look);
  look();
})"""

PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--loads", type=int, default=10)
    arguments = parser.parse_args()
    page.build()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = write_config(folder, APIGW={"throttle": {"rateLimit": 1000, "burstLimit": 1000}})
        with running(folder / "output", "--config", str(config)) as platform:
            await fill(platform, topology_of(load_config(config)).task_table.name, arguments.tasks)
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox"]
                )
                loads = [await load(browser, platform) for _ in range(arguments.loads)]
                await browser.close()
    show(loads, arguments.tasks)


def show(loads: list[tuple[float, float]], tasks: int) -> None:
    table = Table(title=f"the console with {tasks} tasks, {len(loads)} loads")
    for column in ("", "median", "worst"):
        table.add_column(column, justify="right")
    for name, values in zip(("first paint", "first task"), zip(*loads, strict=True), strict=True):
        table.add_row(name, f"{statistics.median(values):.0f} ms", f"{max(values):.0f} ms")
    console().print(table)


async def load(browser: Browser, platform: Running) -> tuple[float, float]:
    """Milliseconds to the first paint and to the first task, in a browser that has nothing of the page."""
    context = await browser.new_context()
    await context.add_init_script(f"sessionStorage.setItem('console.key', '{platform.addresses.api_key}')")
    tab = await context.new_page()
    await tab.goto(f"{platform.addresses.endpoint}console")
    task: float = await tab.evaluate(FIRST_TILE)
    paint: float = await tab.evaluate(PAINT)
    await context.close()
    return paint, task


async def fill(platform: Running, table: str, tasks: int) -> None:
    """Write ended tasks, a second apart, as if the platform had run them."""
    async with platform.access.clients() as clients:
        for first in range(0, tasks, BATCH):
            items = [item(number).to_values() for number in range(first, min(first + BATCH, tasks))]
            puts: Any = {table: [{"PutRequest": {"Item": one}} for one in items]}
            await clients.tables.batch_write_item(RequestItems=puts)


def item(number: int) -> TaskItem:
    begin = datetime.now(UTC) - timedelta(seconds=number + 60)
    times = [(begin + timedelta(seconds=after)).isoformat(timespec="milliseconds") for after in (0, 0.5, 2)]
    created, started, ended = (time.replace("+00:00", "Z") for time in times)
    return TaskItem(
        client=DEFAULT_NAME,
        id=f"bench-{number}",
        request=f"request-{number}",
        status=State.COMPLETED,
        runtime="sdruntime",
        tasktype=TaskType.TEXT_TO_IMAGE,
        prefix="output",
        created=created,
        started=started,
        ended=ended,
        attempt=1,
        outputs=(Output(key=f"output/bench-{number}/1.png", type="image/png", size=1),),
        record=f"output/bench-{number}/1.out",
    )


if __name__ == "__main__":
    asyncio.run(main())
