"""A browser, and a local platform whose console it opens."""

import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Locator, Page, async_playwright, expect

from infra import console
from test.support.platform import Running, running, write_config

PATIENCE_MS = 30_000
"""How long an expectation may take to come true, on a busy machine."""

NAMES = ("chromium", "chromium-browser", "google-chrome")

AXE = console.MODULES / "axe-core" / "axe.min.js"


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One runtime of each type. Nothing throttles, and steps take long enough to be seen."""
    console.build()
    folder = tmp_path_factory.mktemp("platform")
    config = write_config(folder, APIGW={"throttle": {"rateLimit": 1000, "burstLimit": 1000}})
    with running(folder / "output", "--config", str(config), "--seconds-per-step", "0.02") as started:
        yield started


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"there is no browser: none of {', '.join(NAMES)} is on PATH")
    async with async_playwright() as playwright:
        # As root, as in a container, Chromium refuses its sandbox.
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        await browser.close()


@dataclass
class Console:
    """A tab with the console. ``complaints`` are the browser's own: errors, and what the page's policy forbids."""

    page: Page
    platform: Running
    complaints: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.platform.addresses.endpoint}console"

    async def open(self, place: str = "") -> Self:
        await self.page.goto(f"{self.url}{place}")
        return self

    async def sign_in(self, key: str | None = None) -> Self:
        await self.page.get_by_label("API key").fill(key or self.platform.addresses.api_key)
        await self.page.get_by_role("button", name="Sign in").click()
        return self

    def heading(self, name: str) -> Locator:
        return self.page.get_by_role("heading", name=name, exact=True)

    async def submit(self) -> str:
        """Send the form. Returns the task's id, once its page is there."""
        await self.page.get_by_role("button", name="Submit task").click()
        await self.page.wait_for_url("**/console#/tasks/*")
        return self.page.url.rpartition("/")[2]

    async def ends(self, status: str) -> None:
        """Wait until the task's badge says ``status``."""
        await expect(self.page.locator(".task-state .badge")).to_have_text(status, timeout=PATIENCE_MS)


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser, tmp_path: Path) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(locale="en-US", viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.set_default_timeout(PATIENCE_MS)
    yield context
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def tab(context: BrowserContext, platform: Running) -> AsyncIterator[Console]:
    """A tab in which nobody has signed in. At its end the browser must not have complained."""
    tab = Console(await context.new_page(), platform)
    tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
    tab.page.on("console", lambda said: tab.complaints.append(said.text) if said.type in {"error", "warning"} else None)
    yield tab
    assert not tab.complaints


@pytest_asyncio.fixture(loop_scope="session")
async def console_tab(tab: Console) -> Console:
    """A tab in which the client has signed in."""
    await tab.page.context.add_init_script(
        f"if (location.protocol !== 'about:') sessionStorage.setItem('console.key', '{tab.platform.addresses.api_key}')"
    )
    await tab.open()
    await expect(tab.heading("Gallery")).to_be_visible()
    return tab
