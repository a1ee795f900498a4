"""What holds for every view of the console: it can be read and used by everybody, on every screen."""

import uuid
from typing import Any

import pytest
from aiohttp import ClientSession
from playwright.async_api import expect

from test.console.conftest import AXE, PATIENCE_MS, Console
from test.console.test_console import send
from test.support.ended_tasks import write_ended_tasks

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

PHONE = {"width": 390, "height": 844}

MANY = 130
"""Tasks: more than three pages of the gallery."""


async def ended(console: Console, **content: Any) -> str:
    """The id of a task that has ended."""
    task_id = f"task-{uuid.uuid4()}"
    await send(console, task_id, {"order": "4711"}, **content)
    url = f"{console.platform.addresses.endpoint}v1alpha2/tasks/{task_id}"
    headers = {"x-api-key": console.platform.addresses.api_key, "Prefer": "wait=20"}
    async with ClientSession(headers=headers) as http:
        for _ in range(5):
            async with http.get(url) as answer:
                if (await answer.json())["ended"]:
                    return task_id
    pytest.fail("the task has not ended")


async def places(console: Console) -> dict[str, str]:
    """A place of each view, with something to show."""
    done, failed = await ended(console), await ended(console, sampler_name="nosuch")
    return {
        "gallery": "#/",
        "completed": f"#/tasks/{done}",
        "failed": f"#/tasks/{failed}",
        "form": "#/new",
        "runtimes": "#/runtimes",
    }


async def faults(console: Console) -> list[str]:
    """What axe finds in the view that is open."""
    found = await console.page.evaluate(
        "rules => axe.run(document, {runOnly: rules}).then(found => found.violations)", RULES
    )
    return [f"{one['id']}: {one['help']}: {[node['html'] for node in one['nodes']]}" for one in found]


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_every_view_can_be_used_by_everybody(theme: str, console_tab: Console) -> None:
    # Given
    page = console_tab.page
    await page.evaluate("theme => localStorage.setItem('console.theme', theme)", theme)
    found: dict[str, list[str]] = {}
    for name, place in (await places(console_tab)).items():
        # When
        await page.goto("about:blank")
        await console_tab.open(place)
        await expect(page.locator("h1")).to_be_visible()
        await expect(page.locator(".skeleton")).to_have_count(0)
        await page.evaluate(AXE.read_text(encoding="utf-8"))
        found[name] = await faults(console_tab)

    # Then
    assert {name: what for name, what in found.items() if what} == {}


async def test_the_entrance_can_be_used_by_everybody(tab: Console) -> None:
    await tab.open()
    await expect(tab.page.get_by_label("API key")).to_be_visible()
    await tab.page.evaluate(AXE.read_text(encoding="utf-8"))

    assert await faults(tab) == []


async def test_on_a_phone_and_in_chinese_nothing_is_cut_off(console_tab: Console) -> None:
    # Given
    page = console_tab.page
    await page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    await page.get_by_role("button", name="切换到中文").click()
    await expect(page.get_by_role("heading", name="图库")).to_be_visible()
    assert await page.evaluate("document.documentElement.lang") == "zh-CN"

    # When / Then
    for place in (await places(console_tab)).values():
        await console_tab.open(place)
        await expect(page.locator("h1")).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"], place


async def test_everything_is_reached_by_the_keyboard(tab: Console) -> None:
    # Given
    page = tab.page
    await tab.open()
    await page.get_by_label("API key").fill(tab.platform.addresses.api_key)
    # When / Then signing in, the form, its radio buttons
    await page.keyboard.press("Enter")
    await expect(tab.heading("Gallery")).to_be_visible()
    await page.get_by_role("link", name="New task").first.focus()
    await page.keyboard.press("Enter")
    await page.get_by_role("radio", name="Text to image").focus()
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("radio", name="Image to image")).to_be_checked()
    await page.get_by_label("Runtime", exact=True).focus()
    await page.keyboard.press("f")
    await expect(page.get_by_label("Runtime", exact=True)).to_have_value("flow")


async def test_the_gallery_grows_by_pages_as_one_scrolls(console_tab: Console) -> None:
    # Given many tasks, and few of them on the screen
    page, label = console_tab.page, uuid.uuid4().hex
    await write_ended_tasks(console_tab.platform, MANY, {"many": label})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/v1alpha2/tasks?" in request.url else None)
    await console_tab.open(f"#/?label=many:{label}")
    tiles = page.locator("ul.gallery > li")
    await expect(tiles.first).to_be_visible()
    assert await tiles.count() < MANY

    # When
    for _ in range(40):
        await page.mouse.wheel(0, 4000)
        if await tiles.count() == MANY:
            break
        await page.wait_for_timeout(100)

    # Then every task is there once, and no page was asked for twice
    await expect(tiles).to_have_count(MANY, timeout=PATIENCE_MS)
    links = await tiles.locator("a").evaluate_all("links => links.map(link => link.href)")
    assert len(set(links)) == MANY
    further = [url for url in asked if "cursor=" in url]
    assert len(further) == len(set(further)) == 3


async def test_the_page_runs_no_code_of_others_and_calls_nobody_else(console_tab: Console) -> None:
    # When
    refused = await console_tab.page.evaluate(
        """async () => {
          const attempts = {
            script: () => { document.body.append(Object.assign(document.createElement("script"), {text: "1"})); },
            markup: () => { document.body.innerHTML = "<p>"; },
            handler: () => { document.body.setAttribute("onclick", "1"); },
            address: () => fetch("http://127.0.0.1:9/"),
          };
          const refused = [];
          for (const [name, attempt] of Object.entries(attempts)) {
            try {
              await attempt();
            } catch {
              refused.push(name);
            }
          }
          return refused;
        }"""
    )

    # Then
    assert refused == ["script", "markup", "handler", "address"]
    assert [said for said in console_tab.complaints if "Content Security Policy" in said and "connect-src" in said]
    console_tab.complaints.clear()
