"""What a task may ask of a runtime: each cap at its edge, each list, and the policy's ways to its readers."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.errors import MAX_PROBLEMS
from contract.links import MAX_LINKS
from contract.policy import TaskPolicy, violations
from contract.policy.counts import MAX_NODES
from contract.policy.model import SETTINGS
from contract.runtimes import TASK_TYPES, RuntimeType, TaskType
from test.support.tasks import json_values
from utils.smoke import samples

POLICY = TaskPolicy()
LINK = "https://example.com/cat.png"


def of_webui(
    content: dict[str, Any], policy: TaskPolicy = POLICY, tasktype: TaskType = TaskType.TEXT_TO_IMAGE
) -> dict[str, str]:
    return {found.field: found.problem for found in violations(policy, RuntimeType.SDWEBUI, tasktype, content)}


@pytest.mark.parametrize("name", samples.NAMES)
def test_every_request_of_the_guide_is_within_the_defaults(name: str) -> None:
    # Given
    tasktype = TaskType(name.partition("-")[2])
    runtime_type = next(type_ for type_, served in TASK_TYPES.items() if tasktype in served)
    request = samples.request(name, task_id="my-1", link=LINK)

    # When / Then
    content = request["task"]["content"] if samples.version(name) == "v1alpha2" else request
    assert violations(POLICY, runtime_type, tasktype, content) == []


@pytest.mark.parametrize(
    ("content", "within"),
    [
        ({"width": 4096, "height": 4096, "steps": 20}, True),
        ({"width": 1024, "height": 1024, "steps": 50, "batch_size": 4, "n_iter": 4}, True),
        ({"width": 1024, "height": 1024, "steps": 20, "enable_hr": True, "hr_scale": 2}, True),
        ({"steps": 10**9}, False),
        ({"steps": "1000000000"}, False),
        ({"steps": 1e300}, False),
        ({"width": 10**6, "height": 10**6}, False),
        ({"width": 4097, "height": 4096}, False),
        ({"batch_size": 10**6}, False),
        ({"n_iter": 257}, False),
        ({"batch_size": 16, "n_iter": 17, "steps": 1}, False),
        ({"width": 2048, "height": 2048, "steps": 500}, False),
        ({"enable_hr": True, "hr_scale": 100}, False),
        ({"enable_hr": True, "hr_resize_x": 10**5}, False),
        ({"enable_hr": True, "hr_second_pass_steps": 10**6}, False),
        ({"hr_scale": 100}, True),
        ({"steps": None, "width": [], "height": {}, "batch_size": "many", "n_iter": True}, True),
        ({"steps": -5, "width": -1}, True),
    ],
)
def test_a_generation_is_refused_above_each_cap(content: dict[str, Any], within: bool) -> None:
    assert (of_webui(content) == {}) is within


def test_a_violation_names_field_cap_key_and_value() -> None:
    assert of_webui({"steps": 10**9}) == {
        "steps": "width x height x steps x images must be at most 2000000000 (taskPolicy.maxPixelSteps), "
        "got 262144000000000"
    }
    found = violations(POLICY, RuntimeType.SDWEBUI, TaskType.TEXT_TO_IMAGE, {"steps": 10**9})
    assert found[0].problem == "must be at most 500 (taskPolicy.maxSteps), got 1000000000"


def test_a_cap_is_inclusive() -> None:
    policy = TaskPolicy(max_steps=20)

    assert of_webui({"steps": 20}, policy) == {}
    assert list(of_webui({"steps": 21}, policy)) == ["steps"]


@pytest.mark.parametrize(
    ("tasktype", "content", "fields"),
    [
        ("extra-single-image", {"image": LINK, "upscaling_resize": 8}, []),
        ("extra-single-image", {"image": LINK, "upscaling_resize": 1000}, ["upscaling_resize"]),
        ("extra-single-image", {"resize_mode": 1, "upscaling_resize_w": 10**5, "upscaling_resize_h": 512},
         ["upscaling_resize_w"]),
        ("extra-batch-images", {"imageList": [{}] * 257}, ["imageList"]),
    ],
)  # fmt: skip
def test_upscaling_is_refused_above_its_caps(tasktype: str, content: dict[str, Any], fields: list[str]) -> None:
    assert list(of_webui(content, tasktype=TaskType(tasktype))) == fields


@pytest.mark.parametrize(
    "settings_", [{"sd_vae": "a.pt"}, {"CLIP_stop_at_last_layers": 2}, {"eta_noise_seed_delta": 1}, {}, None, 7]
)
def test_settings_of_one_run_are_allowed(settings_: Any) -> None:
    assert of_webui({"override_settings": settings_}) == {}


@pytest.mark.parametrize("place", ["", "alwayson_scripts."])
@pytest.mark.parametrize("key", ["sd_model_checkpoint", "outdir_samples", "directories_filename_pattern", "x"])
def test_other_settings_are_refused_wherever_they_are(place: str, key: str) -> None:
    content: dict[str, Any] = {"override_settings": {key: "evil"}}
    if place:
        content = {"alwayson_scripts": content}

    [(field, problem)] = of_webui(content).items()
    assert field == f"{place}override_settings.{key}"
    assert "taskPolicy.allowedSettings: sd_vae, " in problem


def test_a_model_is_a_setting_only_where_a_task_may_choose_it() -> None:
    content = {"override_settings": {"sd_model_checkpoint": "other"}}

    assert of_webui(content, POLICY.switching_models()) == {}
    assert list(of_webui(content)) == ["override_settings.sd_model_checkpoint"]


def test_a_selectable_script_runs_only_where_it_is_allowed() -> None:
    assert "none" in of_webui({"script_name": "Custom code"})["script_name"]
    assert of_webui({"script_name": "sd upscale"}, TaskPolicy(allowed_scripts=("SD upscale",))) == {}
    assert of_webui({"script_name": ""}) == of_webui({"script_name": None}) == {}


def test_always_on_scripts_can_be_limited_and_routing_keys_are_none() -> None:
    policy = TaskPolicy(allowed_alwayson_scripts=("controlnet",))
    content = {"alwayson_scripts": {"ControlNet": {}, "task": "text-to-image", "sd_vae": "a", "Roop": {}}}

    assert list(of_webui(content, policy)) == ["alwayson_scripts.Roop"]
    assert of_webui(content) == {}


@pytest.mark.parametrize("count", [MAX_LINKS, MAX_LINKS + 1])
def test_the_links_of_a_task_are_counted(count: int) -> None:
    found = of_webui({"init_images": [f"{LINK}?{number}" for number in range(count)]})

    assert (found == {}) is (count == MAX_LINKS)
    assert all("at most 64 links" in problem for problem in found.values())


@pytest.mark.parametrize("link", [f"https://e.com/{'x' * 9000}", "http://a b", " http://a\nb "])
def test_what_the_webui_would_fetch_by_itself_is_refused(link: str) -> None:
    assert list(of_webui({"init_images": [link]})) == ["init_images.0"]
    assert of_webui({"prompt": link}) == {}


def test_violations_without_number_are_not_all_looked_for() -> None:
    # Given
    content = {str(number): {"class_type": "PythonExec", "inputs": {}} for number in range(MAX_NODES)}

    # When
    found = violations(POLICY, RuntimeType.COMFYUI, TaskType.PIPELINE, content)

    # Then
    assert len(found) == MAX_PROBLEMS


@settings(max_examples=200)
@given(json_values(), st.sampled_from(RuntimeType), st.sampled_from(TaskType))
def test_any_json_is_judged(value: Any, runtime_type: RuntimeType, tasktype: TaskType) -> None:
    for content in ({"graph": value, "prompt": value}, {"batch": value, "3": value}, {"alwayson_scripts": value}):
        violations(POLICY, runtime_type, tasktype, content)


def test_a_policy_comes_through_an_environment_variable() -> None:
    policy = TaskPolicy(max_steps=1000, allowed_settings=(*SETTINGS, "x"), denied_nodes=())

    assert TaskPolicy.from_env(policy.to_env()) == policy
    assert json.loads(policy.to_env()).keys() == {"maxSteps", "allowedSettings", "deniedNodes"}
    assert TaskPolicy().to_env() == "{}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read"),
        ("[]", "must be an object"),
        ('{"maxStep": 1}', "maxStep: is not a known field"),
        ('{"maxSteps": 0}', "maxSteps: must be greater than or equal to 1, got 0"),
        ('{"maxLinks": 65}', "maxLinks: must be less than or equal to 64, got 65"),
        ('{"deniedNodes": [7]}', "deniedNodes.0: must be a valid string, got 7"),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_anything_else_in_the_environment_is_one_clear_error(text: str, said: str) -> None:
    with pytest.raises(ValueError, match="task policy cannot be read") as caught:
        TaskPolicy.from_env(text)
    assert said in str(caught.value)


def test_what_a_runtime_sets_wins_over_what_the_stack_sets_and_that_over_the_defaults() -> None:
    stack, runtime = TaskPolicy(max_steps=10, max_runs=2), TaskPolicy(max_steps=500)

    merged = runtime.over(stack)

    assert (merged.max_steps, merged.max_runs, merged.max_pixels) == (500, 2, 4096 * 4096)


@pytest.mark.parametrize(("scale", "cap", "refused"), [(2, 2, False), (4, 2, True), (4, 4, False), (None, 1, True)])
def test_the_image_kits_scale_is_an_upscaling(scale: int | None, cap: int, *, refused: bool) -> None:
    # Given
    policy, content = TaskPolicy(max_upscaling=cap), {"img": "aQ==", "scale": scale}

    # When
    found = violations(policy, RuntimeType.IMAGEKIT, TaskType.SUPER_RESOLUTION, content)

    # Then
    assert [one.field for one in found] == (["scale"] if refused else [])
