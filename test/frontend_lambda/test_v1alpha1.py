"""``POST /v1alpha1``: the WebUI's body becomes the task that its runtime takes."""

from typing import Any, TypeAlias

import pytest

from contract.catalog import Catalog, RuntimeEntry
from contract.runtimes import RuntimeType
from utils.smoke import samples

from .conftest import MODEL, FrontDoor

Body: TypeAlias = dict[str, Any]

IMAGE_URL = "https://example.com/cat.png"


def body(rest: Any = None, **scripts: Any) -> Body:
    """A good text-to-image request, with changes. A value of ... takes the field away."""
    routing = {"task": "text-to-image", "sd_model_checkpoint": MODEL, "id_task": "my-1", **scripts}
    kept = {name: value for name, value in routing.items() if value is not ...}
    return {"alwayson_scripts": kept, "prompt": "A dog", **(rest or {})}


def content_at(door: FrontDoor, runtime: str = "sdruntime") -> Any:
    [message] = door.received(runtime)
    return message.body["task"]["content"]


@pytest.mark.parametrize(
    ("name", "prefix"), [("v1alpha1-text-to-image", "outputs"), ("v1alpha1-image-to-image", "output")]
)
def test_every_sample_of_the_guide_comes_to_the_runtime_of_its_model(name: str, prefix: str, door: FrontDoor) -> None:
    # Given a request of the guide
    request = samples.request(name, task_id="my-1", link=IMAGE_URL)

    # When it is posted
    answer = door.post("v1alpha1", request)

    # Then the answer is the guide's
    place = f"s3://{door.settings.output_bucket}/{prefix}/my-1"
    assert answer.status == 200
    assert answer.body == {"id_task": "my-1", "sd_model_checkpoint": MODEL, "output_location": place}

    # And one queue holds a task as v1alpha2 makes it, without a routing key
    received = door.received_anywhere()
    assert list(received) == ["sdruntime"]
    [message] = received["sdruntime"]
    tasktype = name.removeprefix("v1alpha1-")
    assert message.attributes == {"sd_model_checkpoint": MODEL}
    assert message.body["task"]["metadata"] == {
        "id": "my-1",
        "runtime": "sdruntime",
        "tasktype": tasktype,
        "prefix": prefix,
        "context": None,
    }
    images = {"init_images": [IMAGE_URL]} if tasktype == "image-to-image" else {}
    rest = {key: value for key, value in request.items() if key != "alwayson_scripts"}
    assert message.body["task"]["content"] == {**rest, "alwayson_scripts": {}, **images}


def test_a_request_that_is_wrapped_in_task_is_taken_too(door: FrontDoor) -> None:
    answer = door.post("v1alpha1", {"task": body()})

    assert answer.status == 200
    assert content_at(door) == {"alwayson_scripts": {}, "prompt": "A dog"}


def test_problems_of_a_wrapped_request_are_named_where_they_stand(door: FrontDoor) -> None:
    answer = door.post("v1alpha1", {"task": body(id_task="a/b")})

    assert answer.fields == ["task.alwayson_scripts.id_task"]


def test_a_model_that_no_runtime_loads_goes_to_the_one_that_switches_models(door: FrontDoor) -> None:
    # Given one runtime that switches
    # When a task names a model that none loads at its start
    answer = door.post("v1alpha1", body(sd_model_checkpoint="other.safetensors"))

    # Then that runtime gets it, and is told the model
    assert answer.body["sd_model_checkpoint"] == "other.safetensors"
    [message] = door.received("switching")
    assert message.attributes == {"runtime": "switching"}
    assert message.body["task"]["metadata"]["runtime"] == "switching"
    assert message.body["task"]["content"]["alwayson_scripts"] == {"sd_model_checkpoint": "other.safetensors"}


@pytest.mark.parametrize(
    ("switching", "said"),
    [((), f"must be one of '{MODEL}'"), (("one", "two"), "'one', 'two'"), (("one", "two"), "/v1alpha2")],
)
def test_an_unknown_model_that_no_single_runtime_can_switch_to_is_refused(
    switching: tuple[str, ...], said: str, standing_door: FrontDoor
) -> None:
    # Given a catalogue with none, or with more than one runtime that switches
    entries = [RuntimeEntry(name, RuntimeType.SDWEBUI, dynamic=True) for name in switching]
    catalog = Catalog((RuntimeEntry("sdruntime", RuntimeType.SDWEBUI, MODEL), *entries))
    door = standing_door.with_catalog(catalog)

    # When
    answer = door.post("v1alpha1", body(sd_model_checkpoint="other.safetensors"))

    # Then
    assert (answer.status, answer.fields) == (400, ["alwayson_scripts.sd_model_checkpoint"])
    assert said in answer.body["message"]


@pytest.mark.parametrize("request_body", [{}, {"prompt": "A dog"}, {"alwayson_scripts": []}, {"task": 7}, {"task": {}}])
def test_a_body_without_routing_is_refused(request_body: Body, door: FrontDoor) -> None:
    answer = door.post("v1alpha1", request_body)

    assert answer.status == 400
    assert [field.removeprefix("task.") for field in answer.fields] == ["alwayson_scripts"]


@pytest.mark.parametrize("request_body", [7, "text", None, [], [body()]])
def test_a_body_that_is_no_object_is_refused(request_body: Any, door: FrontDoor) -> None:
    assert door.post("v1alpha1", request_body).status == 400


@pytest.mark.parametrize("field", ["task", "sd_model_checkpoint", "id_task"])
def test_a_missing_routing_key_is_named(field: str, door: FrontDoor) -> None:
    answer = door.post("v1alpha1", body(**{field: ...}))

    assert (answer.status, answer.fields) == (400, [f"alwayson_scripts.{field}"])


def test_all_problems_are_told_at_once_and_by_the_names_of_this_version(door: FrontDoor) -> None:
    # Given a mistake in every routing key
    request = body(
        {"override_settings": 7},
        task="image-to-image",
        sd_model_checkpoint=7,
        id_task="a/b",
        save_dir="..",
        uid="x" * 70_000,
        image_link=7,
        override_settings=[],
        controlnet={"args": [{}, {"image_link": "cat.png"}, {"image_link": f"{IMAGE_URL},{IMAGE_URL}"}]},
    )

    # When
    answer = door.post("v1alpha1", request)

    # Then
    assert answer.status == 400
    assert sorted(answer.fields) == sorted(
        [
            "override_settings",
            "alwayson_scripts.sd_model_checkpoint",
            "alwayson_scripts.id_task",
            "alwayson_scripts.save_dir",
            "alwayson_scripts.uid",
            "alwayson_scripts.image_link",
            "alwayson_scripts.image_link",
            "alwayson_scripts.override_settings",
            "alwayson_scripts.controlnet.args.1.image_link",
            "alwayson_scripts.controlnet.args.2.image_link",
        ]
    )


@pytest.mark.parametrize("tasktype", ["extra-single-image", "pipeline", "", "TEXT-TO-IMAGE", 7, None, []])
def test_other_task_types_are_sent_to_v1alpha2(tasktype: Any, door: FrontDoor) -> None:
    answer = door.post("v1alpha1", body(task=tasktype))

    assert (answer.status, answer.fields) == (400, ["alwayson_scripts.task"])
    assert "/v1alpha2" in answer.body["message"]


def test_image_to_image_without_an_image_is_refused_by_the_name_of_this_version(door: FrontDoor) -> None:
    answer = door.post("v1alpha1", body(task="image-to-image"))

    assert (answer.status, answer.fields) == (400, ["alwayson_scripts.image_link"])


def test_image_to_image_may_bring_its_images_in_the_webuis_own_field(door: FrontDoor) -> None:
    answer = door.post("v1alpha1", body({"init_images": ["aGVsbG8="]}, task="image-to-image"))

    assert answer.status == 200
    assert content_at(door)["init_images"] == ["aGVsbG8="]


def test_several_links_are_told_apart_though_links_hold_commas(door: FrontDoor) -> None:
    links = ["https://example.com/a,b.png?x=1,2", "s3://bucket/c.png"]

    answer = door.post("v1alpha1", body(task="image-to-image", image_link=", ".join(links)))

    assert answer.status == 200
    assert content_at(door)["init_images"] == links


@pytest.mark.parametrize("link", ["cat.png", "ftp://example.com/cat.png", "https://a b", "file:///etc/passwd"])
def test_an_image_link_that_is_no_link_is_refused(link: str, door: FrontDoor) -> None:
    answer = door.post("v1alpha1", body(task="image-to-image", image_link=link))

    assert (answer.status, answer.fields) == (400, ["alwayson_scripts.image_link"])


@pytest.mark.parametrize("name", ["controlnet", "ControlNet"])
def test_the_links_of_controlnet_units_become_their_images(name: str, door: FrontDoor) -> None:
    units = [{"image_link": IMAGE_URL, "module": "canny"}, {"image": "aGVsbG8="}, {"image_link": ""}]

    answer = door.post("v1alpha1", body(**{name: {"args": units, "other": 1}}))

    assert answer.status == 200
    assert content_at(door)["alwayson_scripts"] == {
        name: {"args": [{"image": IMAGE_URL, "module": "canny"}, {"image": "aGVsbG8="}, {}], "other": 1}
    }


@pytest.mark.parametrize("script", [7, None, [], {"args": 7}, {"args": [7, None]}, {}])
def test_a_controlnet_script_of_another_shape_is_left_to_the_runtime(script: Any, door: FrontDoor) -> None:
    answer = door.post("v1alpha1", body(controlnet=script))

    assert answer.status == 200
    assert content_at(door)["alwayson_scripts"] == {"controlnet": script}


def test_override_settings_and_vae_come_to_where_the_webui_takes_them(door: FrontDoor) -> None:
    # Given the WebUI's own override_settings, a VAE, and override_settings among the routing keys
    own = {"override_settings": {"CLIP_stop_at_last_layers": 1, "sd_vae": "a.pt", "eta_ancestral": 1}}

    # When
    door.post("v1alpha1", body(own, sd_vae="b.pt", override_settings={"CLIP_stop_at_last_layers": 2}))

    # Then they are one, and the routing's win
    assert content_at(door) == {
        "alwayson_scripts": {},
        "prompt": "A dog",
        "override_settings": {"CLIP_stop_at_last_layers": 2, "sd_vae": "b.pt", "eta_ancestral": 1},
    }


def test_the_uid_comes_back_in_the_callback_as_context(door: FrontDoor) -> None:
    door.post("v1alpha1", body(uid="user-7"))

    [message] = door.received("sdruntime")
    assert message.body["task"]["metadata"]["context"] == {"uid": "user-7"}
    assert "uid" not in message.body["task"]["content"]["alwayson_scripts"]
