"""What WebUI is sent for a task."""

import base64
import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.runtimes import TaskType
from contract.webui import PLATFORM_KEYS
from queue_agent.errors import PermanentError
from queue_agent.runtimes.base import File, Job, Path
from queue_agent.runtimes.sdwebui import Adapter
from queue_agent.runtimes.sdwebui.content import RESTORE, prepare, restore_links
from test.support.runtimes import run_job

from .conftest import MakeJob

V1ALPHA1_SCRIPTS = {
    "task": "text-to-image",
    "sd_model_checkpoint": "alpha.safetensors",
    "id_task": "test-t2i",
    "save_dir": "outputs",
    "image_link": "https://example.com/cat.png",
    "uid": "42",
}


LINK = "https://example.com/cat.png"
CAT = File(name="cat.png", media_type="image/png", data=b"cat")


def _job(content: dict[str, Any], files: dict[Path, File] | None = None) -> Job:
    return Job(id="task", tasktype=TaskType.TEXT_TO_IMAGE, content=content, files=files or {})


async def test_what_v1alpha1_leaves_among_the_scripts_does_not_reach_the_runtime(
    adapter: Adapter, make_job: MakeJob
) -> None:
    # When
    result = await run_job(adapter, make_job(alwayson_scripts=V1ALPHA1_SCRIPTS))

    # Then
    assert result.answer(["s3://bucket/1.png"])["parameters"]["alwayson_scripts"] == {}


def test_settings_that_v1alpha1_puts_among_the_scripts_become_override_settings() -> None:
    # Given
    scripts = V1ALPHA1_SCRIPTS | {"sd_vae": "fine.vae", "override_settings": {"eta": 1, "CLIP_stop_at_last_layers": 2}}

    # When
    request = prepare(_job({"alwayson_scripts": scripts, "override_settings": {"eta": 0}}))

    # Then
    assert request.body == {
        "alwayson_scripts": {},
        "override_settings": {"sd_vae": "fine.vae", "CLIP_stop_at_last_layers": 2, "eta": 1},
        "override_settings_restore_afterwards": True,
    }
    assert request.model == "alpha.safetensors"


def test_files_stand_as_base64_where_their_links_stood() -> None:
    # Given
    content = {"init_images": [LINK], "alwayson_scripts": {"ControlNet": {"args": [{"weight": 1}, {"image": LINK}]}}}
    keys: list[Path] = [("init_images", 0), ("alwayson_scripts", "ControlNet", "args", 1, "image")]
    before = copy.deepcopy(content)

    # When
    request = prepare(_job(content, dict.fromkeys(keys, CAT)))

    # Then
    data = base64.b64encode(CAT.data).decode()
    assert json.loads(b"".join(request.payload.texts())) == {
        "init_images": [data],
        "alwayson_scripts": {"ControlNet": {"args": [{"weight": 1}, {"image": data}]}},
    }
    assert request.body == content, "the files are held once"
    assert content == before, "the task itself is not changed"


def test_links_come_back_where_the_runtime_repeats_the_files() -> None:
    # Given
    content = {"init_images": [LINK], "mask": LINK, "alwayson_scripts": {"ControlNet": {"args": [{"image": LINK}]}}}
    keys: list[Path] = [("init_images", 0), ("mask",), ("alwayson_scripts", "ControlNet", "args", 0, "image")]
    echo = {"init_images": None, "alwayson_scripts": {"ControlNet": {"args": [{"image": "Y2F0"}]}}, "steps": 2}

    # When
    restore_links(echo, _job(content, dict.fromkeys(keys, CAT)))

    # Then
    assert echo == {
        "init_images": None,
        "alwayson_scripts": {"ControlNet": {"args": [{"image": LINK}]}},
        "steps": 2,
    }


def test_a_task_type_of_another_runtime_is_refused() -> None:
    # When / Then
    with pytest.raises(
        PermanentError, match="sdwebui does not serve pipeline; it serves text-to-image, image-to-image"
    ):
        prepare(Job(id="task", tasktype=TaskType.PIPELINE, content={}))


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(content=st.dictionaries(st.text(max_size=10), _json, max_size=4), scripts=_json, settings=_json)
def test_everything_else_is_sent_as_it_is(content: dict[str, Any], scripts: Any, settings: Any) -> None:
    # Given
    content = content | {"alwayson_scripts": scripts, "override_settings": settings}
    if isinstance(scripts, dict) and PLATFORM_KEYS & scripts.keys():
        return

    # When
    request = prepare(_job(content))

    # Then
    assert {**request.body, RESTORE: True} == {**content, RESTORE: True}


@settings(deadline=None)
@given(scripts=st.dictionaries(st.sampled_from(sorted(PLATFORM_KEYS)), _json))
def test_whatever_stands_under_the_platforms_keys_is_taken_out_or_refused(scripts: dict[str, Any]) -> None:
    # When
    try:
        request = prepare(_job({"alwayson_scripts": scripts}))
    except PermanentError as fault:
        assert "alwayson_scripts.sd_model_checkpoint" in fault.message  # noqa: PT017 - a fault is one of two good ends
        return

    # Then
    assert request.body["alwayson_scripts"] == {}
