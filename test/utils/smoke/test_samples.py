"""The guide's requests, as a client gets them."""

import json
from typing import Any

import pytest

from utils.smoke import samples

GIVEN = {"task_id": "my-1", "runtime": "mine", "model": "my.safetensors", "link": "s3://bucket/cat.png"}
GUIDES = {
    samples.RUNTIME,
    samples.MODEL,
    samples.LINK,
    "test-t2i",
    "test-i2i",
    "test-extra",
    "test-pipeline",
    "test-graph",
    "test-super-resolution",
    "test-human-segmentation",
    "test-ocr",
}


def texts(value: Any) -> set[str]:
    """Every text among the values of ``value``."""
    if isinstance(value, dict | list):
        return {text for item in (value.values() if isinstance(value, dict) else value) for text in texts(item)}
    return {value} if isinstance(value, str) else set()


def test_every_request_of_the_guide_is_there() -> None:
    assert samples.NAMES == (
        "v1alpha1-image-to-image",
        "v1alpha1-text-to-image",
        "v1alpha2-extra-single-image",
        "v1alpha2-graph",
        "v1alpha2-human-segmentation",
        "v1alpha2-image-to-image",
        "v1alpha2-ocr",
        "v1alpha2-pipeline",
        "v1alpha2-super-resolution",
        "v1alpha2-text-to-image",
    )


@pytest.mark.parametrize("name", samples.NAMES)
def test_what_is_given_takes_the_place_of_the_guides_own(name: str) -> None:
    guide = samples.request(name)

    changed = samples.request(name, **GIVEN)

    assert texts(changed).isdisjoint(GUIDES)
    assert len(texts(guide) - texts(changed)) == len(texts(guide) & GUIDES) > 0
    assert json.dumps(changed).count("my-1") == 1


@pytest.mark.parametrize("name", samples.NAMES)
def test_without_anything_given_the_request_is_the_file(name: str) -> None:
    assert texts(samples.request(name)) & GUIDES


def test_a_name_begins_with_the_path_to_post_to() -> None:
    assert samples.version("v1alpha2-pipeline") == "v1alpha2"


def test_an_unknown_request_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        samples.request("nosuch")
