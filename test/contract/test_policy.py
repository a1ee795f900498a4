"""What a task may ask of a runtime: each cap at its edge, each list, and the policy's ways to its readers."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.errors import MAX_PROBLEMS
from contract.links import MAX_LINKS
from contract.policy import TaskPolicy, violations
from contract.policy.model import DENIED_NODES, SETTINGS
from contract.runtimes import TASK_TYPES, RuntimeType, TaskType
from test.support.tasks import json_values
from utils.smoke import samples

POLICY = TaskPolicy()
LINK = "https://example.com/cat.png"


def of_webui(
    content: dict[str, Any], policy: TaskPolicy = POLICY, tasktype: TaskType = TaskType.TEXT_TO_IMAGE
) -> dict[str, str]:
    return {found.field: found.problem for found in violations(policy, RuntimeType.SDWEBUI, tasktype, content)}


def of_workflow(inputs: dict[str, Any], policy: TaskPolicy = POLICY, node: str = "KSampler") -> dict[str, str]:
    content = {"3": {"class_type": node, "inputs": inputs}}
    return {found.field: found.problem for found in violations(policy, RuntimeType.COMFYUI, TaskType.PIPELINE, content)}


def of_graph(content: dict[str, Any], policy: TaskPolicy = POLICY) -> dict[str, str]:
    return {found.field: found.problem for found in violations(policy, RuntimeType.INVOKEAI, TaskType.GRAPH, content)}


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


@pytest.mark.parametrize(
    ("value", "refused"),
    [
        ("cat.png", False),
        ("clipspace/cat.png", False),
        (LINK, False),
        ("s3://bucket/../cat.png", False),
        ("/9j/4AAQSkZJRg==", False),
        ("/" + "A" * 5000, False),
        ("wait... what", False),
        (7, False),
        (["4", 0], False),
        ("/etc/passwd", True),
        ("../../etc/passwd", True),
        ("a/../b.png", True),
        ("a\\..\\b.png", True),
        ("..", True),
        ("C:\\a.png", True),
        ("\\\\host\\share", True),
        ("~/a.png", True),
        (" /a.png", True),
        ("ComfyUI_00001_.png [output]", True),
        ("ComfyUI_00001_.png[temp]", True),
        ("cat.png [input] ", True),
        (["cat.png", "/etc/passwd"], True),
        ({"path": "/etc/passwd"}, True),
    ],
)
def test_an_input_names_no_file_outside_the_inputs(value: Any, refused: bool) -> None:
    found = of_workflow({"image": value}, node="LoadImage")

    assert bool(found) is refused
    assert all(field.startswith("3.inputs.image") for field in found)


@pytest.mark.parametrize(("prefix", "refused"), [("ComfyUI", False), ("a/b", False), ("../x", True), ("/tmp/x", True)])
def test_a_file_name_prefix_stays_in_its_folder(prefix: str, refused: bool) -> None:
    assert bool(of_workflow({"filename_prefix": prefix}, node="SaveImage")) is refused


@pytest.mark.parametrize("text", ["/imagine a cat", "a [input]", "../x", "~"])
def test_a_prompt_may_look_like_a_path(text: str) -> None:
    assert of_workflow({"text": text}, node="CLIPTextEncode") == {}


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ({"steps": 10**9}, "3.inputs.steps"),
        ({"width": 10**5, "height": 10**5}, "3.inputs.width"),
        ({"batch_size": 10**6}, "3.inputs.batch_size"),
    ],
)
def test_a_workflow_is_refused_above_each_cap(inputs: dict[str, Any], field: str) -> None:
    assert list(of_workflow(inputs)) == [field]


def test_the_work_of_a_workflow_is_that_of_all_its_nodes_together() -> None:
    # Given nodes that are each within their caps
    content = {
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 2048, "height": 2048, "batch_size": 4}},
        "3": {"class_type": "KSampler", "inputs": {"steps": 100, "latent_image": ["5", 0]}},
        "4": {"class_type": "KSampler", "inputs": {"steps": 100, "latent_image": ["3", 0]}},
    }

    # When
    [found] = violations(POLICY, RuntimeType.COMFYUI, TaskType.PIPELINE, content)

    # Then
    assert found.field == "3.inputs.steps"
    assert "got 3355443200" in found.problem


@pytest.mark.parametrize(
    ("node", "allowed", "denied", "passes"),
    [
        ("KSampler", ("*",), (), True),
        ("KSampler", ("*",), ("ksampler*",), False),
        ("KSampler", ("KSampler", "VAE*"), (), True),
        ("VAEDecode", ("KSampler", "VAE*"), (), True),
        ("LoadImage", ("KSampler", "VAE*"), (), False),
        ("PythonExec", ("*",), DENIED_NODES, False),
        ("LoadImageFromURL", ("*",), DENIED_NODES, False),
        ("VHS_LoadVideoPath", ("*",), DENIED_NODES, False),
        ("VHS_LoadVideo", ("*",), DENIED_NODES, True),
    ],
)
def test_nodes_are_judged_by_class_with_wildcards(
    node: str, allowed: tuple[str, ...], denied: tuple[str, ...], passes: bool
) -> None:
    policy = TaskPolicy(allowed_nodes=allowed, denied_nodes=denied)

    assert (of_workflow({}, policy, node) == {}) is passes
    assert (of_graph({"graph": {"nodes": {"a": {"type": node}}}}, policy) == {}) is passes


def test_a_workflow_wrapped_as_prompt_is_judged_too() -> None:
    content = {"prompt": {"3": {"class_type": "PythonExec", "inputs": {"file": "/etc/passwd"}}}}

    found = violations(POLICY, RuntimeType.COMFYUI, TaskType.PIPELINE, content)

    assert [one.field for one in found] == ["prompt.3.class_type", "prompt.3.inputs.file"]


@pytest.mark.parametrize(
    ("batch", "passes"),
    [
        ({"runs": 64}, True),
        ({"runs": 65}, False),
        ({"runs": 10**9}, False),
        ({"runs": 8, "data": [[{"items": [1] * 8}]]}, True),
        ({"runs": 8, "data": [[{"items": [1] * 9}]]}, False),
        ({"data": [[{"items": [1] * 9}], [{"items": [1] * 9}]]}, False),
        ({"data": [[{"items": [1] * 9}, {"items": [1] * 9}]]}, True),
        ({"runs": "many", "data": [7, [7, {"items": 7}]]}, True),
    ],
)
def test_runs_of_a_batch_are_capped_with_their_data(batch: dict[str, Any], passes: bool) -> None:
    found = of_graph({"batch": {"graph": {"nodes": {}}, **batch}})

    assert list(found) == ([] if passes else ["batch.runs"])


def test_a_graph_is_refused_above_each_cap() -> None:
    nodes = {"noise": {"type": "noise", "width": 10**5, "height": 10**5}, "d": {"type": "denoise", "steps": 10**9}}

    assert {"graph.nodes.noise.width", "graph.nodes.d.steps"} <= of_graph({"graph": {"nodes": nodes}}).keys()


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
    content = {str(number): {"class_type": "PythonExec", "inputs": {}} for number in range(200_000)}
    begin = time.process_time()

    # When
    found = violations(POLICY, RuntimeType.COMFYUI, TaskType.PIPELINE, content)

    # Then
    assert len(found) == MAX_PROBLEMS
    assert time.process_time() - begin < 2


def test_a_content_nested_beyond_what_python_can_follow_is_refused() -> None:
    value: Any = "/etc/passwd"
    for _ in range(5_000):
        value = [value]

    assert list(of_workflow({"image": value})) == [""]


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
