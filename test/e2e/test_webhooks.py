"""Webhooks of a running platform: a task's start and end reach a receiver on this machine, signed."""

import asyncio
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from standardwebhooks import Webhook as Verifier

from sd_on_eks.cli.app import run
from test.support.platform import PATIENCE, Running
from test.support.web import a_site
from utils.operate.command import ops
from utils.smoke import samples


@pytest.fixture
def verifier(platform: Running, capsys: pytest.CaptureFixture[str]) -> Verifier:
    """With the secret that the command shows."""
    config = platform.output.parent / "config.yaml"
    assert run(["webhook-secret", "--config", str(config), "--output", str(platform.output)], ops) == 0
    return Verifier(capsys.readouterr().out.strip())


async def submitted(http: ClientSession, webhook: dict[str, Any]) -> str:
    """A task with a webhook; returns its id."""
    body = samples.request("v1alpha2-text-to-image", task_id=f"task-{uuid.uuid4()}")
    async with http.post("v1alpha2/tasks", json={**body, "options": {"webhook": webhook}}) as response:
        assert response.status == 202, await response.text()
        return str((await response.json())["id"])


async def shown(http: ClientSession, task_id: str, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The task's webhook as the API shows it, once it is as expected."""
    webhook: dict[str, Any] = {}
    async with asyncio.timeout(PATIENCE):
        while not (webhook and until(webhook)):
            await asyncio.sleep(0.2)
            async with http.get(f"v1alpha2/tasks/{task_id}") as response:
                webhook = (await response.json())["webhook"]
    return webhook


async def test_start_and_end_of_a_task_are_sent_and_sent_again(
    platform: Running, http: ClientSession, verifier: Verifier
) -> None:
    # Given a receiver that is not well at first
    got: list[dict[str, Any]] = []

    async def answer(request: web.Request) -> web.Response:
        got.append(
            {**verifier.verify(await request.read(), dict(request.headers)), "of": request.headers["webhook-id"]}
        )
        return web.Response(status=500 if len(got) == 1 else 200)

    async with a_site() as site, ClientSession() as nobody:
        # When
        url = site.at("/hook", answer)
        task_id = await submitted(http, {"url": url, "events": ["started", "ended"]})
        webhook = await shown(http, task_id, lambda one: one["state"] == "delivered")
        async with asyncio.timeout(PATIENCE):
            while len(got) < 3:  # noqa: ASYNC110 - the other event is another process's
                await asyncio.sleep(0.1)

        # Then
        assert webhook["last_status"] == 200
        assert {one["type"] for one in got} == {"task.started", "task.ended"}
        assert len({one["of"] for one in got}) == 2, "one id for all tries of an event"
        assert {one["data"]["id"] for one in got} == {task_id}
        (task, *_) = [one["data"] for one in got if one["type"] == "task.ended"]
        assert task["status"] == "completed"
        async with nobody.get(task["outputs"][0]["url"]) as response:
            assert (await response.read()).startswith(b"\x89PNG")
        async with http.get(task["urls"]["self"]) as response:
            assert (await response.json())["id"] == task_id
    log = (Path(platform.addresses.logs) / "webhooks.log").read_text()
    outcomes = [json.loads(line)["outcome"] for line in log.splitlines() if task_id in line]
    assert sorted(outcomes) == ["delivered", "delivered", "retried"]


async def test_410_ends_a_webhook_and_the_task_is_done(http: ClientSession) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=410)

    async with a_site() as site:
        task_id = await submitted(http, {"url": site.at("/hook", answer)})
        webhook = await shown(http, task_id, lambda one: one["state"] == "failed")
    assert webhook == {"state": "failed", "tries": 1, "last_status": 410}


@pytest.mark.parametrize("url", ["http://example.com/", "https://10.0.0.1/", "https://169.254.169.254/", 7])
async def test_a_url_that_nobody_may_be_asked_at_is_refused_at_once(http: ClientSession, url: Any) -> None:
    body = samples.request("v1alpha2-text-to-image", task_id=f"task-{uuid.uuid4()}")
    async with http.post("v1alpha2/tasks", json={**body, "options": {"webhook": {"url": url}}}) as response:
        assert response.status == 400
        assert "options.webhook.url" in await response.text()
