"""How soon the console shows something when there are many tasks: ``.venv/bin/python -m test.bench.console``.

A local platform gets 10,000 ended tasks. Then a browser opens the gallery anew several times; the milliseconds from the
navigation to the browser's first contentful paint, and to the first task on the screen, are shown.
"""

import argparse
import asyncio
import shutil
import statistics
import tempfile
from pathlib import Path

from playwright.async_api import Browser, async_playwright
from rich.table import Table

from infra import console as page
from test.bench.stage import console
from test.support.ended_tasks import write_ended_tasks
from test.support.platform import Running, running, write_config

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
            await write_ended_tasks(platform, arguments.tasks)
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


if __name__ == "__main__":
    asyncio.run(main())
