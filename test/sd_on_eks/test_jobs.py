"""Jobs as they are sent."""

import json
from pathlib import Path
from typing import Any

import pytest

from sd_on_eks import (
    JobError,
    Webhook,
    graph,
    human_segmentation,
    image_to_image,
    ocr,
    super_resolution,
    text_to_image,
    upscale,
    workflow,
)

WORKFLOW: dict[str, Any] = {
    "3": {"class_type": "KSampler", "inputs": {"seed": 1, "model": ["4", 0]}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a"}, "_meta": {"title": "Positive v1.5"}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "b"}, "_meta": {"title": "Twin"}},
    "8": {"class_type": "CLIPTextEncode", "inputs": {"text": "c"}, "_meta": {"title": "Twin"}},
}


def body(job: Any, links: list[str] | None = None) -> Any:
    return job.having(id="a1").body("r", links or [])


def test_what_is_not_given_is_not_sent() -> None:
    sent = body(text_to_image("a lighthouse", steps=4, cfg_scale=2.5))

    assert sent == {
        "task": {
            "metadata": {"id": "a1", "runtime": "r", "tasktype": "text-to-image", "prefix": "output"},
            "content": {"prompt": "a lighthouse", "steps": 4, "cfg_scale": 2.5},
        }
    }


def test_a_model_goes_where_the_platform_reads_it() -> None:
    job = text_to_image("a", model="xl.safetensors", alwayson_scripts={"refiner": {"args": []}})

    scripts = body(job)["task"]["content"]["alwayson_scripts"]

    assert scripts == {"refiner": {"args": []}, "sd_model_checkpoint": "xl.safetensors"}


def test_options_are_sent_next_to_the_task() -> None:
    job = text_to_image("a").having(
        deadline=60, labels={"order": "1"}, webhook="https://example.com/hook", prefix="team", context=[1]
    )

    sent = body(job)

    assert sent["task"]["metadata"]["prefix"] == "team"
    assert sent["task"]["metadata"]["context"] == [1]
    assert sent["options"] == {
        "deadline": 60,
        "labels": {"order": "1"},
        "webhook": {"url": "https://example.com/hook", "events": ["ended"]},
    }


def test_a_webhook_may_hear_of_the_begin_too() -> None:
    job = text_to_image("a").having(webhook=Webhook("https://example.com/", ("started", "ended")))

    assert body(job)["options"]["webhook"]["events"] == ["started", "ended"]


def test_files_are_replaced_by_their_links(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"png")
    job = image_to_image(str(file), "a", mask=b"bytes")

    assert job.files == [file, b"bytes"]
    content = body(job, ["s3://b/1", "s3://b/2"])["task"]["content"]
    assert (content["init_images"], content["mask"]) == (["s3://b/1"], "s3://b/2")


@pytest.mark.parametrize("link", ["https://example.com/a.png", "s3://bucket/a.png", "HTTP://example.com/a"])
def test_links_are_sent_as_they_are(link: str) -> None:
    job = upscale(link, scale=4)

    assert job.files == []
    assert job.content == {"image": link, "upscaling_resize": 4, "upscaler_1": "R-ESRGAN 4x+"}


def test_a_file_that_is_not_there_is_an_error() -> None:
    with pytest.raises(JobError, match=r"no file 'nowhere\.png'"):
        image_to_image("nowhere.png", "a")


def test_fields_of_a_workflow_are_set_by_title_id_and_class(tmp_path: Path) -> None:
    file = tmp_path / "workflow.json"
    file.write_text(json.dumps(WORKFLOW))

    job = workflow(file, {"Positive v1.5.text": "a cat", "8.text": "d", "KSampler.seed": 7})

    assert job.tasktype == "pipeline"
    assert job.content["6"]["inputs"]["text"] == "a cat"
    assert job.content["8"]["inputs"]["text"] == "d"
    assert job.content["3"]["inputs"]["seed"] == 7


def test_a_workflow_given_as_an_object_is_left_as_it_is() -> None:
    wrapped = {"prompt": WORKFLOW}

    job = workflow(wrapped, {"3.seed": 8})

    assert job.content["prompt"]["3"]["inputs"]["seed"] == 8
    assert WORKFLOW["3"]["inputs"]["seed"] == 1


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("seed", r"must be 'title\.field'"),
        ("Negative.text", "has no node 'Negative'; it has 'KSampler', 'Positive v1.5', 'Twin'"),
        ("Twin.text", r"nodes 7, 8 are all named 'Twin'; use a node's id, as in '7\.text'"),
        ("KSampler.steps", "has no field 'steps'; it has 'seed', 'model'"),
    ],
)
def test_a_field_that_is_not_there_is_an_error(address: str, problem: str) -> None:
    with pytest.raises(JobError, match=problem):
        workflow(WORKFLOW, {address: 1})


@pytest.mark.parametrize("content", [{"nodes": [], "links": []}, {}, {"1": {"inputs": {}}}])
def test_another_format_is_refused_with_how_to_export(content: dict[str, Any]) -> None:
    with pytest.raises(JobError, match=r"Export \(API\)"):
        workflow(content)


@pytest.mark.parametrize(("text", "problem"), [("[1]", "must hold a JSON object"), ("{", "is not JSON")])
def test_a_file_without_an_object_is_an_error(text: str, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "graph.json"
    file.write_text(text)

    with pytest.raises(JobError, match=problem):
        graph(file)


def test_a_bare_graph_is_put_where_the_runtime_wants_it() -> None:
    bare: dict[str, Any] = {"nodes": {}, "edges": []}

    assert graph(bare).content == {"graph": bare}
    assert graph({"batch": {"graph": bare}}).content == {"batch": {"graph": bare}}


def test_the_image_kit_gets_a_link_and_what_to_do() -> None:
    link = "https://example.com/a.png"

    assert super_resolution(link, scale=4).content == {"url": link, "scale": 4}
    assert human_segmentation(link).content == {"url": link, "type": "alpha"}
    assert human_segmentation(b"png", foreground=True).content == {"url": b"png", "type": "foreground"}
    assert (ocr(link).tasktype, ocr(link).content) == ("ocr", {"url": link})
