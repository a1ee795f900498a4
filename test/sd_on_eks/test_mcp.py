"""``sdoneks mcp``, driven by the official client of the Model Context Protocol over standard input and output."""

import base64
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.shared.exceptions import MCPError
from mcp_types import BlobResourceContents, CallToolResult, ResourceLink, TextContent, TextResourceContents

from contract.callback import Cause
from contract.task_table.item import Output, State
from contract.task_table.writes import Ending
from test.docs.pages import read_page
from test.e2e.conftest import platform
from test.sd_on_eks.agent import PNG, agent, stored
from test.sd_on_eks.conftest import KEY, PATIENCE, Site
from test.sd_on_eks.records import runs
from test.support.platform import Running

__all__ = ["platform"]

pytestmark = pytest.mark.slow

HELLO = b"""\
{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18", "capabilities": {}, \
"clientInfo": {"name": "test", "version": "1"}}}
"""

TOOLS = {"list_runtimes", "submit", "wait", "get", "list", "cancel"}


@asynccontextmanager
async def assistant(endpoint: str, key: str, *, mode: str = "auto") -> AsyncIterator[Client]:
    """A client that started the command, as an assistant does."""
    environment = {
        "SDONEKS_ENDPOINT": endpoint,
        "SDONEKS_API_KEY": key,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    server = StdioServerParameters(command=sys.executable, args=["-m", "sd_on_eks", "mcp"], env=environment)
    async with Client(server, read_timeout_seconds=PATIENCE, mode=mode) as client:
        yield client


def asked(prompt: str | None = None, **more: Any) -> dict[str, Any]:
    """Arguments of a submission, new ones unless the prompt is given."""
    content = {"prompt": prompt or uuid.uuid4().hex, "steps": 2}
    return {"tasktype": "text-to-image", "runtime": "sdruntime", "content": content, **more}


def task_of(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error, result.content
    assert isinstance(result.structured_content, dict)
    return result.structured_content


def text_of(result: CallToolResult) -> str:
    (block,) = result.content
    assert isinstance(block, TextContent)
    return block.text


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_its_tools_are_the_verbs_of_the_client(site: Site, mode: str) -> None:
    async with assistant(site.endpoint, KEY, mode=mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        templates = (await client.list_resource_templates()).resource_templates

        assert tools.keys() == TOOLS
        assert all(tool.description for tool in tools.values())
        assert tools["submit"].input_schema["required"] == ["tasktype", "content"]
        assert "sdoneks://tasks/{task_id}/outputs/{n}.png" in {template.uri_template for template in templates}
        assert "submit" in (client.instructions or "")
        assert client.server_info is not None
        assert client.server_info.version


async def test_a_task_is_submitted_waited_for_and_its_file_read(site: Site) -> None:
    async with assistant(site.endpoint, KEY) as client:
        task_id = task_of(await client.call_tool("submit", asked()))["id"]
        with agent(site):
            result = await client.call_tool("wait", {"task_id": task_id, "timeout": PATIENCE})

        assert task_of(result)["status"] == "completed"
        (link,) = [block for block in result.content if isinstance(block, ResourceLink)]
        assert (link.uri, link.mime_type, link.size) == (
            f"sdoneks://tasks/{task_id}/outputs/1.png",
            "image/png",
            len(PNG),
        )
        (content,) = (await client.read_resource(link.uri)).contents
        assert isinstance(content, BlobResourceContents)
        assert (content.mime_type, base64.b64decode(content.blob)) == ("image/png", PNG)


async def test_a_repeated_submission_is_the_same_task_and_is_not_run_again(site: Site) -> None:
    # Given an assistant that submitted a task, and was started again
    arguments = asked()
    async with assistant(site.endpoint, KEY) as client:
        first = task_of(await client.call_tool("submit", arguments))
    same = {**arguments, "content": {"steps": 2.0, "prompt": arguments["content"]["prompt"]}}
    other = {**arguments, "repetition": 1}

    # When
    async with assistant(site.endpoint, KEY) as client:
        again = task_of(await client.call_tool("submit", same))
        another = task_of(await client.call_tool("submit", other))

    # Then
    assert (again["id"], again["created"]) == (first["id"], first["created"])
    assert another["id"] != first["id"]
    messages = [message for message in site.api.door.received("sdruntime") if not message.repeat]
    ids = [message.body["task"]["metadata"]["id"] for message in messages]
    assert sorted(ids) == sorted([first["id"], another["id"]])


async def test_a_wait_whose_time_is_over_returns_the_task_as_it_is(site: Site) -> None:
    async with assistant(site.endpoint, KEY) as client:
        task_id = task_of(await client.call_tool("submit", asked()))["id"]

        waiting = task_of(await client.call_tool("wait", {"task_id": task_id, "timeout": 0.2}))

        assert waiting["status"] == "queued"


async def test_progress_is_reported_while_a_task_is_waited_for(site: Site) -> None:
    reports: list[tuple[float, str | None]] = []

    async def report(progress: float, total: float | None, message: str | None) -> None:
        reports.append((progress, message))
        if len(reports) == 1:
            site.api.ends(task_id, Ending(status=State.COMPLETED))

    async with assistant(site.endpoint, KEY) as client:
        task_id = task_of(await client.call_tool("submit", asked()))["id"]
        site.api.runs(task_id)
        await client.call_tool("wait", {"task_id": task_id, "timeout": PATIENCE}, progress_callback=report)

    assert [progress for progress, _ in reports] == sorted({progress for progress, _ in reports})
    assert reports[0][1] == "running"


async def test_tasks_are_shown_listed_and_canceled(site: Site) -> None:
    labels = {"batch": uuid.uuid4().hex}
    async with assistant(site.endpoint, KEY) as client:
        task_id = task_of(await client.call_tool("submit", asked(labels=labels, deadline=600)))["id"]

        shown = task_of(await client.call_tool("get", {"task_id": task_id}))
        listed = task_of(await client.call_tool("list", {"labels": labels}))["tasks"]
        canceled = task_of(await client.call_tool("cancel", {"task_id": task_id}))
        runtimes = task_of(await client.call_tool("list_runtimes"))["runtimes"]

    assert (shown["labels"], shown["deadline"] is not None) == (labels, True)
    assert [task["id"] for task in listed] == [task_id]
    assert canceled["status"] == "canceled"
    assert "comfy" in [runtime["name"] for runtime in runtimes]


async def test_what_is_wrong_is_said_to_the_model(site: Site) -> None:
    async with assistant(site.endpoint, KEY) as client:
        several = await client.call_tool("submit", {**asked(), "runtime": None})
        field = await client.call_tool("submit", asked(deadline=0))
        nothing = await client.call_tool("get", {"task_id": "nothing"})

        assert several.is_error
        assert "several runtimes serve text-to-image: sdruntime, switching" in text_of(several)
        assert "options.deadline must be" in text_of(field)
        assert "there is no task 'nothing'" in text_of(nothing)


async def test_a_failed_task_is_a_result_with_its_cause(site: Site) -> None:
    async with assistant(site.endpoint, KEY) as client:
        task_id = task_of(await client.call_tool("submit", asked()))["id"]
        site.api.ends(task_id, Ending(status=State.FAILED, error=Cause(type="runtime", message="out of memory")))

        task = task_of(await client.call_tool("wait", {"task_id": task_id}))

    assert (task["status"], task["error"]["message"]) == ("failed", "out of memory")


async def test_text_is_read_as_text_and_what_is_not_there_is_an_error(site: Site) -> None:
    async with assistant(site.endpoint, KEY) as client:
        task_id = task_of(await client.call_tool("submit", asked()))["id"]
        lines = json.dumps([{"words": "无边界"}], ensure_ascii=False).encode()
        output = stored(site, task_id, lines)
        large = Output(key="output/large.mp4", type="video/mp4", size=10**9)
        text = Output(key=output.key, type="application/json", size=len(lines))
        site.api.ends(task_id, Ending(status=State.COMPLETED, outputs=[text, large]))

        (content,) = (await client.read_resource(f"sdoneks://tasks/{task_id}/outputs/1.json")).contents

        assert isinstance(content, TextResourceContents)
        assert content.text == lines.decode()
        for name, problem in (("1.png", "has no output 1.png"), ("2.mp4", "1000000000 bytes"), ("9.json", "no output")):
            with pytest.raises(MCPError, match=problem):
                await client.read_resource(f"sdoneks://tasks/{task_id}/outputs/{name}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_at_once_on_a_signal(number: signal.Signals, site: Site) -> None:
    """Its input is still open then, as in a terminal."""
    environment = {"SDONEKS_ENDPOINT": site.endpoint, "SDONEKS_API_KEY": KEY, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-m", "sd_on_eks", "mcp"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(HELLO)
        process.stdin.flush()
        assert process.stdout.readline()

        process.send_signal(number)

        assert process.wait(PATIENCE) == -number


async def test_an_assistant_makes_an_image_on_the_platform(platform: Running) -> None:
    addresses = platform.addresses
    arguments = asked(f"a lighthouse {uuid.uuid4().hex}")
    arguments["content"] |= {"width": 64, "height": 64}
    async with assistant(addresses.endpoint, addresses.api_key) as client:
        task_id = task_of(await client.call_tool("submit", arguments))["id"]
        result = await client.call_tool("wait", {"task_id": task_id, "timeout": PATIENCE})
        again = task_of(await client.call_tool("submit", arguments))

        assert (task_of(result)["status"], again["id"], again["attempt"]) == ("completed", task_id, 1)
        (link,) = [block for block in result.content if isinstance(block, ResourceLink)]
        (content,) = (await client.read_resource(link.uri)).contents
        assert isinstance(content, BlobResourceContents)
        assert base64.b64decode(content.blob).startswith(b"\x89PNG")
    assert runs(platform, task_id) == [task_id]


async def test_the_guides_configuration_starts_it(platform: Running) -> None:
    blocks = [block.text for block in read_page("docs/en/how-to/client.md").blocks if "mcpServers" in block.text]
    (settings,) = [json.loads(block)["mcpServers"]["images"] for block in blocks]
    addresses = platform.addresses
    given = {"SDONEKS_ENDPOINT": addresses.endpoint, "SDONEKS_API_KEY": addresses.api_key}
    assert settings["env"].keys() == given.keys()
    path = os.pathsep.join((str(Path(sys.prefix) / "bin"), os.environ["PATH"]))
    server = StdioServerParameters(**{**settings, "env": {**given, "PATH": path}})

    async with Client(server, read_timeout_seconds=PATIENCE) as client:
        runtimes = task_of(await client.call_tool("list_runtimes"))["runtimes"]

    assert "sdruntime" in [runtime["name"] for runtime in runtimes]
