"""The server's other routes, and that it says what it is."""

import asyncio
import logging
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from comfy_api_simplified import ComfyApiWrapper, ComfyWorkflowWrapper
from PIL import Image

from utils.simulators.base import Options
from utils.simulators.comfyui import make_app
from utils.simulators.comfyui.disk import Disk, Folder, OutsideFolder, Place
from utils.simulators.comfyui.nodes import NODES

from .conftest import Comfy
from .test_workflows import flat, node, painting

SLOW = painting(steps=10_000)


async def test_the_pypi_client_runs_a_workflow_unmodified(comfy: Comfy, tmp_path: Path) -> None:
    # Given
    photo = tmp_path / "photo.png"
    photo.write_bytes(flat((3, 2, 1)))
    workflow = ComfyWorkflowWrapper(painting(batch_size=2))
    for node_id, each in workflow.items():
        each["_meta"] = {"title": f"node {node_id}"}
    loading = ComfyWorkflowWrapper(
        {
            "1": node("LoadImage", image="default_upload_folder/photo.png"),
            "2": node("SaveImage", images=["1", 0], filename_prefix="x"),
        }
    )
    for each in loading.values():
        each["_meta"] = {"title": each["class_type"]}
    client = ComfyApiWrapper(comfy.url)

    def use() -> tuple[dict[str, bytes], dict[str, Any], dict[str, bytes]]:
        workflow.set_node_param("node 6", "text", "a red house")
        generated = client.queue_and_wait_images(workflow, "node 9")
        uploaded = client.upload_image(photo)
        client.interrupt()
        assert client.get_queue() == {"queue_running": [], "queue_pending": []}
        assert client.get_embeddings() == []
        assert "KSampler" in client.get_object_info()
        return generated, uploaded, client.queue_and_wait_images(loading, "SaveImage")

    # When
    generated, uploaded, loaded = await asyncio.to_thread(use)

    # Then
    assert list(generated) == ["lighthouse_00001_.png", "lighthouse_00002_.png"]
    assert [Image.open(BytesIO(data)).size for data in generated.values()] == [(96, 64)] * 2
    assert uploaded == {"name": "photo.png", "subfolder": "default_upload_folder", "type": "input"}
    assert [Image.open(BytesIO(data)).getpixel((0, 0)) for data in loaded.values()] == [(3, 2, 1)]


async def test_it_says_that_it_is_simulated(comfy: Comfy, caplog: pytest.LogCaptureFixture) -> None:
    # Given
    caplog.set_level(logging.INFO)

    # When
    async with (
        TestServer(make_app(Options(name="<mine>"))) as server,
        aiohttp.ClientSession() as session,
        session.get(server.make_url("/")) as answer,
    ):
        page = await answer.text()
    stats = await comfy.get("/system_stats")

    # Then
    assert "&lt;mine&gt;: a simulated ComfyUI" in page
    assert "simulated ComfyUI <mine>" in caplog.text
    assert "simulated" in stats["system"]["comfyui_version"]
    assert "simulated" in stats["devices"][0]["name"]


async def test_every_route_is_also_served_under_api(comfy: Comfy) -> None:
    for path in ("/", "/prompt", "/queue", "/history", "/system_stats", "/object_info", "/embeddings"):
        async with comfy.session.get(f"{comfy.url}/api{path}") as answer:
            assert answer.status == 200, path
    async with comfy.session.ws_connect(f"{comfy.url}/api/ws") as socket:
        greeting = await socket.receive_json(timeout=30)
    assert greeting["data"]["sid"]


async def test_every_node_describes_itself(comfy: Comfy) -> None:
    # When
    described = await comfy.get("/object_info")

    # Then
    assert set(described) == set(NODES)
    shape = set((await comfy.get("/object_info/SaveImage"))["SaveImage"])
    assert all(set(info) == shape for info in described.values())
    assert await comfy.get("/object_info/NoSuchNode") == {}


async def test_a_waiting_prompt_is_deleted_and_the_rest_cleared(comfy: Comfy) -> None:
    # Given
    running = await comfy.queue(SLOW)
    await comfy.events(until=("executing", "3"))
    first, second, third = [await comfy.queue(painting(seed=seed)) for seed in (1, 2, 3)]

    # When
    await comfy.post("/queue", {"delete": [second]})
    after_deletion = await comfy.get("/queue")
    await comfy.post("/queue", {"clear": True})
    after_clearing = await comfy.get("/queue")

    # Then
    assert [item[1] for item in after_deletion["queue_pending"]] == [first, third]
    assert [item[1] for item in after_clearing["queue_running"]] == [running]
    assert after_clearing["queue_pending"] == []
    await comfy.post("/interrupt", {})


async def test_a_prompt_with_front_runs_before_those_that_wait(comfy: Comfy) -> None:
    # Given
    await comfy.queue(SLOW)
    await comfy.events(until=("executing", "3"))
    later = await comfy.queue(painting(seed=1))

    # When
    sooner = await comfy.queue(painting(seed=2), front=True)

    # Then
    pending = (await comfy.get("/queue"))["queue_pending"]
    assert [item[1] for item in pending] == [sooner, later]
    await comfy.post("/interrupt", {})


async def test_an_interrupt_for_another_prompt_stops_nothing(comfy: Comfy) -> None:
    # Given
    running = await comfy.queue(SLOW)
    await comfy.events(until=("executing", "3"))

    # When
    await comfy.post("/interrupt", {"prompt_id": "another"})
    await comfy.events(until=("progress", "3"))
    still = await comfy.get("/queue")
    await comfy.post("/interrupt", {"prompt_id": running})
    await comfy.events()

    # Then
    assert [item[1] for item in still["queue_running"]] == [running]
    assert (await comfy.get(f"/history/{running}"))[running]["status"]["status_str"] == "error"


async def test_the_history_is_forgotten_on_demand(comfy: Comfy) -> None:
    # Given
    ids = []
    for seed in (1, 2, 3):
        ids.append(await comfy.queue(painting(seed=seed)))
        await comfy.events()

    # When
    await comfy.post("/history", {"delete": [ids[1]]})
    after_deletion = await comfy.get("/history")
    await comfy.post("/history", {"clear": True})

    # Then
    assert list(after_deletion) == [ids[0], ids[2]]
    assert await comfy.get("/history") == {}


async def test_a_second_file_of_a_name_gets_a_number_unless_it_is_the_same(comfy: Comfy) -> None:
    names = [(await comfy.upload("a.png", data))["name"] for data in (b"1", b"2", b"2", b"1")]
    assert names == ["a.png", "a (1).png", "a (1).png", "a.png"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/view?filename=../x.png", 403),
        ("/view?filename=x.png&subfolder=../..", 403),
        ("/view?filename=x.png&type=models", 400),
        ("/view?filename=x.png", 404),
        ("/view", 403),
    ],
)
async def test_only_files_of_the_three_folders_are_shown(path: str, status: int, comfy: Comfy) -> None:
    async with comfy.session.get(comfy.url + path) as answer:
        assert answer.status == status


async def test_an_upload_may_not_leave_its_folder(comfy: Comfy) -> None:
    form = aiohttp.FormData({"subfolder": "../elsewhere"})
    form.add_field("image", b"1", filename="a.png")
    async with comfy.session.post(comfy.url + "/upload/image", data=form) as answer:
        assert answer.status == 400


@pytest.mark.parametrize("body", [b"no JSON", b"[]", b'{"prompt": []}', b'{"prompt": {"1": 2}}'])
async def test_a_body_that_is_no_prompt_is_a_server_error_as_in_the_real_one(body: bytes, comfy: Comfy) -> None:
    async with comfy.session.post(comfy.url + "/prompt", data=body) as answer:
        assert answer.status == 500


async def test_a_body_without_a_prompt_is_refused(comfy: Comfy) -> None:
    answer = await comfy.post("/prompt", {"client_id": "x"})
    assert answer.status == 400
    assert (await answer.json())["error"]["type"] == "no_prompt"


async def test_while_it_starts_it_cuts_every_connection() -> None:
    async with (
        TestServer(make_app(Options(startup_seconds=3600))) as server,
        aiohttp.ClientSession() as session,
    ):
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(server.make_url("/system_stats"))


async def test_a_client_that_comes_back_under_its_id_hears_on(comfy: Comfy) -> None:
    # Given
    await comfy.queue(painting(steps=300))
    await comfy.events(until=("executing", "3"))

    # When
    async with comfy.session.ws_connect(f"{comfy.url}/ws", params={"clientId": comfy.client_id}) as socket:
        heard = [await socket.receive_json(timeout=30) for _ in range(3)]

    # Then
    assert heard[0]["data"]["sid"] == comfy.client_id
    assert {event["type"] for event in heard[1:]} <= {"progress", "progress_state"}


def test_the_disk_drops_its_oldest_files_when_it_is_full() -> None:
    # Given
    disk = Disk(limit=10)
    places = []

    # When
    for _ in range(3):
        places.append(disk.next_place(Folder.OUTPUT, "a/x", "png"))
        disk.write(places[-1], b"12345")

    # Then
    assert [disk.read(place) for place in places] == [None, b"12345", b"12345"]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a.png", "/input/a.png"),
        ("sub/a.png [output]", "/output/sub/a.png"),
        ("a [1].png [temp]", "/temp/a [1].png"),
        ("a.png [models]", "/input/a.png [models]"),
    ],
)
def test_a_loader_may_name_the_folder(text: str, path: str) -> None:
    assert Place.annotated(text).path == path


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "", "."])
def test_a_place_never_lies_outside_its_folder(path: str) -> None:
    with pytest.raises(OutsideFolder):
        Place.of(Folder.INPUT, "", path)
