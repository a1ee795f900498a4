"""``sync`` of config.yaml: which routes answer with a result."""

from typing import Any

import pytest

from contract.image_kit import ROUTES
from infra.api_routes import API_ROUTES
from infra.config.errors import ConfigError
from infra.config.model import parse_config
from infra.topology import topology_of

KIT = {"name": "kit", "namespace": "kit", "type": "imagekit"}
OTHER_TYPE = "sync.imageKit.runtime: must be a runtime of the type imagekit (kit), got"
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
    ("sync", "mistake"),
    [
        (
            {"imageKit": {"runtime": "comfy"}},
            OTHER_TYPE,
        ),
        ({"imageKit": {"runtime": "none"}}, OTHER_TYPE),
        ({"imageKit": {}}, "sync.imageKit.runtime: is required"),
        ({"imageKit": {"runtime": "kit", "backend": "lambda"}}, "sync.imageKit.backend: must be"),
        ({"textToSpeech": {}}, "sync.textToSpeech: is not a known key"),
    ],
)
def test_what_cannot_be_is_refused(sync: Any, mistake: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(_raw(sync, KIT, COMFY))
    assert any(str(one).startswith(mistake) for one in caught.value.mistakes), [*map(str, caught.value.mistakes)]


def test_without_an_image_kit_there_is_nothing_to_name() -> None:
    with pytest.raises(ConfigError, match=r"must be a runtime of the type imagekit \(there is none\)"):
        parse_config(_raw({"imageKit": {"runtime": "comfy"}}, COMFY))
