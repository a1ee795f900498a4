"""The console in a browser, against the local platform: what a person does with it."""

import json
import re
import uuid
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from playwright.async_api import Locator, expect

from test.console.conftest import PATIENCE_MS, Console

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

START = Path(__file__).parents[2] / "docs" / "images" / "text-to-image.jpg"
LONG = 400
"""Steps of a task that runs until it is canceled."""

WORKFLOW = {
    "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 255}},
    "2": {
        "class_type": "SaveImage",
        "inputs": {"images": ["1", 0], "filename_prefix": "x"},
        "_meta": {"title": "Save"},
    },
}


SOUND = {
    "1": {"class_type": "EmptyAudio", "inputs": {"duration": 1.0}},
    "2": {"class_type": "SaveAudio", "inputs": {"audio": ["1", 0], "filename_prefix": "x"}},
}


async def send(console: Console, task_id: str, labels: dict[str, str] | None = None, **content: Any) -> None:
    """Submit an image's task as a program does."""
    asked = {"prompt": "a lighthouse", "steps": 2, "width": 64, "height": 64, **content}
    await post(console, task_id, "sdruntime", "text-to-image", asked, labels=labels)


async def post(
    console: Console,
    task_id: str,
    runtime: str,
    tasktype: str,
    content: dict[str, Any],
    *,
    labels: dict[str, str] | None = None,
) -> None:
    metadata = {"id": task_id, "runtime": runtime, "tasktype": tasktype, "prefix": "output"}
    body = {"task": {"metadata": metadata, "content": content}, "options": {"labels": labels or {}}}
    async with (
        ClientSession(headers={"x-api-key": console.platform.addresses.api_key}) as http,
        http.post(f"{console.platform.addresses.endpoint}v1alpha2/tasks", json=body) as answer,
    ):
        assert answer.status == 202, await answer.text()


def image() -> bytes:
    return START.read_bytes()


def new_id() -> str:
    return f"task-{uuid.uuid4()}"


async def quick(console: Console) -> None:
    """Make the task in the form a small one."""
    for label, value in {"Width": "64", "Height": "64", "Steps": "4"}.items():
        await console.page.get_by_label(label, exact=True).fill(value)


async def is_shown(image: Locator) -> None:
    """An image that the browser has loaded."""
    await expect(image).to_be_visible()
    await expect(image).to_have_js_property("complete", value=True, timeout=PATIENCE_MS)
    assert await image.evaluate("image => image.naturalWidth") > 0


async def test_only_a_valid_key_opens_the_console_and_only_for_this_tab(tab: Console) -> None:
    # When / Then
    await (await tab.open()).sign_in("wrong")
    await expect(tab.page.get_by_role("alert")).to_contain_text("The API key is not valid.")
    assert [text for text in tab.complaints if "401" not in text] == []
    tab.complaints.clear()
    # When / Then
    await tab.sign_in()
    await expect(tab.heading("Gallery")).to_be_visible()
    await tab.page.reload()
    await expect(tab.heading("Gallery")).to_be_visible()
    other = await tab.page.context.new_page()
    await other.goto(tab.url)
    await expect(other.get_by_label("API key")).to_be_visible()
    # When / Then
    await tab.page.get_by_role("button", name="Sign out").click()
    await expect(tab.page.get_by_label("API key")).to_be_visible()
    assert await tab.page.evaluate("sessionStorage.length") == 0


async def test_a_text_becomes_an_image_and_the_same_with_changes(console_tab: Console, tmp_path: Path) -> None:
    # Given
    tab, page = console_tab, console_tab.page
    await page.get_by_role("link", name="New task").first.click()
    await page.get_by_label("Prompt", exact=True).fill("a lighthouse at dusk")
    await quick(tab)
    await page.get_by_label("Steps", exact=True).fill("150")
    await page.get_by_label("Seed", exact=True).fill("77")
    await expect(page.get_by_label("Request (JSON)")).to_have_value(re.compile('"seed": 77'))

    # When
    first = await tab.submit()

    # Then its progress is shown, and then its image, with what the record says
    bar = page.get_by_role("progressbar", name="Progress")
    await expect(bar).to_have_attribute("aria-valuenow", re.compile(r"\d+"))
    await tab.ends("Completed")
    await is_shown(page.get_by_role("img", name="a lighthouse at dusk"))
    await expect(page.locator(".facts")).to_contain_text("77")
    async with page.expect_download() as downloading:
        await page.get_by_role("button", name="Download").click()
    download = await downloading.value
    await download.save_as(tmp_path / "image.png")
    assert (tmp_path / "image.png").read_bytes()[:4] == b"\x89PNG"

    # When / Then another prompt, with the same seed
    await page.get_by_role("button", name="Run again with changes").click()
    await expect(page.get_by_label("Seed", exact=True)).to_have_value("77")
    await page.get_by_label("Prompt", exact=True).fill("a lighthouse in winter")
    await page.get_by_label("Steps", exact=True).fill("2")
    second = await tab.submit()
    await tab.ends("Completed")
    assert second != first
    await page.get_by_role("link", name="Gallery").first.click()
    for prompt in ("a lighthouse at dusk", "a lighthouse in winter"):
        await is_shown(page.get_by_role("link", name=prompt).locator("img"))


async def test_an_image_is_dropped_changed_and_enlarged(console_tab: Console) -> None:
    tab, page = console_tab, console_tab.page
    for kind, label in (("Image to image", "Image to start from"), ("Upscaling", "Image")):
        # Given
        await tab.open("#/new")
        await page.get_by_role("radio", name=kind, exact=True).check(force=True)
        await drop(page.locator("label.drop", has_text=label))
        await expect(page.get_by_label("Or a link to it")).to_have_value(re.compile("^s3://.*/text-to-image.jpg$"))
        if kind == "Image to image":
            await page.get_by_label("Prompt", exact=True).fill("in winter")
            await quick(tab)
        # When
        await tab.submit()
        # Then
        await tab.ends("Completed")
        await is_shown(page.locator(".stage img"))
        await page.goto("about:blank")


async def drop(place: Locator) -> None:
    """Drop an image as a person does: no script may drop a file from the disk."""
    data = await place.page.evaluate_handle(
        """([bytes, name]) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], name, {type: "image/jpeg"}));
          return data;
        }""",
        [list(image()), START.name],
    )
    await place.dispatch_event("drop", {"dataTransfer": data})


async def test_a_workflows_file_becomes_fields(console_tab: Console, tmp_path: Path) -> None:
    # Given
    tab, page = console_tab, console_tab.page
    file, unusable = tmp_path / "workflow.json", tmp_path / "editor.json"
    file.write_text(json.dumps(WORKFLOW))
    unusable.write_text(json.dumps({"nodes": [], "links": []}))
    await tab.open("#/new")
    await page.get_by_label("Runtime", exact=True).select_option("flow")
    # When / Then the editor's own format is explained
    await page.get_by_label("Workflow file").set_input_files(unusable)
    await expect(page.get_by_role("alert")).to_contain_text("Workflow > Export (API)")
    # When / Then
    await page.get_by_label("Workflow file").set_input_files(file)
    await page.get_by_label("color").fill("16711680")
    await tab.submit()
    await tab.ends("Completed")
    await is_shown(page.locator(".stage img"))


async def test_a_graph_runs_and_the_json_beside_the_form_is_the_request(console_tab: Console) -> None:
    # Given
    tab, page = console_tab, console_tab.page
    await tab.open("#/new")
    await page.get_by_label("Runtime", exact=True).select_option("graph")
    await page.get_by_role("button", name="Begin with an example").click()
    await page.get_by_text("denoise_latents").click()
    await page.get_by_label("steps", exact=True).fill("2")
    # When
    written = page.get_by_label("Request (JSON)")
    text = await written.input_value()
    await written.fill(text.replace("a lighthouse at dusk", "a lighthouse by day"))
    # Then
    await expect(page.get_by_label("prompt", exact=True).first).to_have_value("a lighthouse by day")
    await tab.submit()
    await tab.ends("Completed")
    await expect(page.locator(".prompt").first).to_have_text("a lighthouse by day")


async def test_sound_can_be_played(console_tab: Console) -> None:
    # Given
    tab, task_id = console_tab, new_id()
    await post(tab, task_id, "flow", "pipeline", SOUND)
    # When
    await tab.open(f"#/tasks/{task_id}")
    await tab.ends("Completed")
    # Then the browser has read it
    await expect(tab.page.locator(".stage audio")).to_have_js_property("duration", 1, timeout=PATIENCE_MS)


async def test_a_refused_request_says_which_field_is_wrong(console_tab: Console) -> None:
    # Given
    tab, page = console_tab, console_tab.page
    await tab.open("#/new")
    await page.get_by_label("Steps", exact=True).fill("100000")
    # When
    await page.get_by_role("button", name="Submit task").click()
    # Then
    await expect(page.get_by_role("alert")).to_contain_text("task.content.steps")
    await expect(page.get_by_label("Steps", exact=True)).to_have_attribute("aria-invalid", "true")
    assert [text for text in tab.complaints if "400" not in text] == []
    tab.complaints.clear()


async def test_a_running_task_is_canceled(console_tab: Console) -> None:
    tab, page = console_tab, console_tab.page
    task_id = new_id()
    await send(tab, task_id, steps=LONG)
    await tab.open(f"#/tasks/{task_id}")
    await expect(page.get_by_role("progressbar")).to_be_visible()

    await page.get_by_role("button", name="Cancel").click()

    await tab.ends("Canceled")
    await expect(page.get_by_role("button", name="Cancel")).to_have_count(0)


async def test_a_failure_shows_its_cause_in_the_gallery_and_on_its_page(console_tab: Console) -> None:
    # Given
    tab, page = console_tab, console_tab.page
    task_id = new_id()
    await send(tab, task_id, labels={"test": task_id}, sampler_name="nosuch")
    await tab.open(f"#/?label=test:{task_id}")
    # When / Then
    tile = page.get_by_role("link", name=task_id)
    await expect(tile).to_contain_text("nosuch", timeout=PATIENCE_MS)
    await tile.click()
    await expect(page.get_by_role("alert")).to_contain_text("The task failed")
    await expect(page.get_by_role("alert")).to_contain_text("nosuch")
    await expect(page.get_by_role("alert")).to_contain_text("would fail again")


async def test_filters_leave_what_matches(console_tab: Console) -> None:
    # Given
    tab, page = console_tab, console_tab.page
    label = new_id()
    wanted, other = new_id(), new_id()
    await send(tab, wanted, labels={"order": label})
    await send(tab, other)
    # When
    await page.get_by_label("Label", exact=True).fill(f"order:{label}")
    await page.get_by_label("Label", exact=True).press("Enter")
    # Then
    tiles = page.locator("ul.gallery > li")
    await expect(tiles).to_have_count(1)
    await page.get_by_role("radio", name="Failed").check(force=True)
    await expect(tab.heading("No task matches these filters")).to_be_visible()
    await page.get_by_role("radio", name="All", exact=True).check(force=True)
    await page.get_by_label("Runtime", exact=True).select_option("flow")
    await expect(tab.heading("No task matches these filters")).to_be_visible()
    assert "runtime=flow" in page.url


async def test_the_runtimes_show_their_pods(console_tab: Console) -> None:
    tab, page = console_tab, console_tab.page
    await page.get_by_role("link", name="Runtimes").first.click()

    card = page.locator("article", has=tab.heading("sdruntime"))

    await expect(card).to_contain_text("Ready", timeout=PATIENCE_MS)
    await expect(page.locator("article")).to_have_count(3)
