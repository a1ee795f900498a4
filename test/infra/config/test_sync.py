"""``sync`` of config.yaml: which routes answer with a result."""

from typing import Any

import pytest

from contract.image_kit import ROUTES
from contract.policy import TaskPolicy
from contract.sync_routes import TextToImageRoute
from infra.api_routes import API_ROUTES, ApiRoute, Function
from infra.config.errors import ConfigError
from infra.config.model import parse_config
from infra.config.resources import MAX_RUNTIMES
from infra.config.warnings import warnings_of
from infra.topology import topology_of

KIT = {"name": "kit", "namespace": "kit", "type": "imagekit"}
OTHER_TYPE = "sync.imageKit.runtime: must be a runtime of the type imagekit (kit), got"
SD = {"name": "sd", "namespace": "sd", "type": "sdwebui", "modelFilename": "sd.safetensors"}
COMFY = {"name": "comfy", "namespace": "comfy", "type": "comfyui"}


def _raw(sync: Any, *runtimes: dict[str, str]) -> dict[str, Any]:
    return {"modelBucketArn": "arn:aws:s3:::models", "modelsRuntime": list(runtimes or (KIT,)), "sync": sync}


def _environment(raw: dict[str, Any]) -> dict[str, str]:
    return topology_of(parse_config(raw)).frontend_environment(
        input_topic_arn="arn:topic", output_bucket="results", queue_url_prefix="https://queues/"
    )


@pytest.mark.parametrize("backend", [{}, {"backend": "runtime"}])
def test_the_image_kits_routes_are_switched_on_with_a_runtime(backend: dict[str, str]) -> None:
    # Given
    sync = {"imageKit": {"runtime": "kit", **backend}}

    # When
    topology = topology_of(parse_config(_raw(sync)))

    # Then
    added = topology.api.routes[len(API_ROUTES) :]
    assert topology.api.routes[: len(API_ROUTES)] == API_ROUTES
    assert [(one.method, one.path, one.body) for one in added] == [("POST", f"/{route}", True) for route in ROUTES]
    assert _environment(_raw(sync))["SYNC_IMAGE_KIT"] == "kit"


def test_without_it_there_are_no_such_routes() -> None:
    assert topology_of(parse_config(_raw({}))).api.routes == API_ROUTES
    assert "SYNC_IMAGE_KIT" not in _environment(_raw({}))


@pytest.mark.parametrize(
    ("sync", "problem"),
    [
        (
            {"imageKit": {"runtime": "comfy"}},
            OTHER_TYPE,
        ),
        ({"imageKit": {"runtime": "none"}}, OTHER_TYPE),
        ({"imageKit": {}}, "sync.imageKit.runtime: is required"),
        ({"imageKit": {"runtime": "kit", "backend": "lambda"}}, "sync.imageKit.backend: must be"),
        ({"textToSpeech": {}}, "sync.textToSpeech: is not a known key"),
        (
            {"imageKit": {"runtime": "kit", "memoryMb": 2048}},
            "sync.imageKit.memoryMb: is only for backend: function, got 2048 for runtime",
        ),
        (
            {"imageKit": {"backend": "function", "runtime": "kit"}},
            "sync.imageKit.runtime: is only for backend: runtime, got 'kit' for function",
        ),
        ({"imageKit": {"backend": "function", "memoryMb": 512}}, "sync.imageKit.memoryMb: must be"),
        ({"imageKit": {"backend": "function", "memoryMb": 10241}}, "sync.imageKit.memoryMb: must be"),
        ({"imageKit": {"backend": "function", "image": "kit:1"}}, "sync.imageKit.image: must be an image in ECR"),
        ({"textToImage": {}}, "sync.textToImage.runtime: is required for backend: runtime"),
        (
            {"textToImage": {"backend": "sagemaker"}},
            "sync.textToImage.endpointName: is required",
        ),
        (
            {"textToImage": {"backend": "sagemaker", "endpointName": "e", "runtime": "sd"}},
            "sync.textToImage.runtime: is only for backend: runtime, got 'sd' for sagemaker",
        ),
        (
            {"textToImage": {"runtime": "sd", "endpointName": "e"}},
            "sync.textToImage.endpointName: is only for backend: sagemaker, got 'e' for runtime",
        ),
        (
            {"textToImage": {"runtime": "comfy"}},
            "sync.textToImage.runtime: must be a runtime of the type sdwebui (sd), got 'comfy'",
        ),
        (
            {"textToImage": {"backend": "sagemaker", "endpointName": "a_b"}},
            "sync.textToImage.endpointName: must be the name of a SageMaker endpoint",
        ),
        ({"textToImage": {"runtime": "sd", "path": "a/b"}}, "sync.textToImage.path: must be one part of a path"),
        ({"textToImage": {"runtime": "sd", "path": "ocr"}}, "sync.textToImage.path: must not be a path"),
        (
            {"textToImage": {"runtime": "sd", "path": "v1alpha2"}},
            "sync.textToImage.path: must not be a path",
        ),
    ],
)
def test_what_cannot_be_is_refused(sync: Any, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(_raw(sync, KIT, COMFY, SD))
    assert any(str(one).startswith(problem) for one in caught.value.problems), [*map(str, caught.value.problems)]


def test_without_an_image_kit_there_is_nothing_to_name() -> None:
    with pytest.raises(ConfigError, match=r"must be a runtime of the type imagekit \(there is none\)"):
        parse_config(_raw({"imageKit": {"runtime": "comfy"}}, COMFY))


def test_images_from_text_are_switched_on_with_a_runtime_or_an_endpoint() -> None:
    # Given
    by_runtime = _raw({"textToImage": {"runtime": "sd", "path": "route"}}, SD)
    by_endpoint = _raw({"textToImage": {"backend": "sagemaker", "endpointName": "Sd-1"}}, KIT)
    by_endpoint["taskPolicy"] = {"maxPixels": 1000, "maxSteps": 5}

    # When
    routes = [topology_of(parse_config(raw)).api.routes[len(API_ROUTES) :] for raw in (by_runtime, by_endpoint)]

    # Then
    assert routes == [(ApiRoute("GET", "/route"),), (ApiRoute("GET", "/text-to-image"),)]
    assert TextToImageRoute.from_env(_environment(by_runtime)["SYNC_TEXT_TO_IMAGE"]) == TextToImageRoute(
        path="route", runtime="sd"
    )
    assert TextToImageRoute.from_env(_environment(by_endpoint)["SYNC_TEXT_TO_IMAGE"]) == TextToImageRoute(
        endpoint="Sd-1", policy=TaskPolicy(max_pixels=1000)
    )


def test_a_function_answers_the_image_kits_routes_without_a_runtime() -> None:
    # Given
    raw = {
        **_raw({"imageKit": {"backend": "function"}}, SD),
        "taskPolicy": {"maxUpscaling": 2},
        "inputBuckets": ["a-b"],
    }

    # When
    topology = topology_of(parse_config(raw))

    # Then
    added = topology.api.routes[len(API_ROUTES) :]
    assert {one.function for one in added} == {Function.IMAGE_KIT}
    assert topology.sync.image_kit_function is not None
    assert topology.sync.image_kit_function.memory_mb == 3008
    assert topology.sync.image_kit_function.environment(results_bucket="b") == {
        "RESULTS_BUCKET": "b",
        "INPUT_BUCKETS": "a-b",
        "TASK_POLICY": '{"maxUpscaling":2}',
    }
    assert "SYNC_IMAGE_KIT" not in _environment(raw)


@pytest.mark.parametrize("more", [{"images": {"build": False}}, {"addOns": {"imageRegistry": "registry.example"}}])
def test_a_function_needs_an_image_where_the_stack_builds_none(more: dict[str, Any]) -> None:
    # Given
    raw = {**_raw({"imageKit": {"backend": "function"}}, SD), **more}

    # Then
    with pytest.raises(ConfigError, match=r"sync\.imageKit\.image: is required where the stack builds no images"):
        parse_config(raw)
    image = "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/kit:1.0"
    parse_config({**raw, "sync": {"imageKit": {"backend": "function", "image": image}}})
    parse_config({**raw, "images": {"build": True}})


def test_clients_that_may_use_some_runtimes_are_warned_of_a_function_that_takes_every_key() -> None:
    # Given
    clients = {"clients": [{"name": "web", "runtimes": ["sd"], "prefixes": ["web"]}]}

    # Then
    (warning,) = warnings_of(parse_config({**_raw({"imageKit": {"backend": "function"}}, SD), **clients}))
    assert "web may use some runtimes only" in warning
    assert not warnings_of(parse_config({**_raw({"imageKit": {"runtime": "kit"}}, KIT, SD), **clients}))


def test_routes_leave_less_room_for_runtimes() -> None:
    # Given
    many = [{**SD, "name": f"sd-{n}", "modelFilename": f"{n}.safetensors"} for n in range(MAX_RUNTIMES)]

    # Then
    parse_config(_raw({}, *many))
    with pytest.raises(ConfigError, match=r"modelsRuntime: a stack has room for 3[0-4] runtimes, got 35"):
        parse_config(_raw({"imageKit": {"backend": "function"}}, *many))
