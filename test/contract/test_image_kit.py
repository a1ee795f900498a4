"""The image kit's requests: what is taken, and what is refused by which field."""

from typing import Any

import pytest

from contract.image_kit import ImageRequest, image_problems, image_request
from contract.runtimes import TASK_TYPES, RuntimeType, TaskType

LINK, IMAGE = "https://files.example/a.png", "aW1hZ2U="


@pytest.mark.parametrize(
    ("content", "url", "img"),
    [
        ({"url": LINK}, LINK, None),
        ({"img": IMAGE}, None, IMAGE),
        ({"url": LINK, "img": IMAGE}, LINK, None),
        ({"url": LINK, "img": 7}, LINK, None),
        ({"url": "", "img": IMAGE}, None, IMAGE),
        ({"url": None, "img": IMAGE, "duration": True}, None, IMAGE),
    ],
)
@pytest.mark.parametrize("operation", TASK_TYPES[RuntimeType.IMAGEKIT])
def test_the_url_wins_over_the_image(operation: TaskType, content: Any, url: str | None, img: str | None) -> None:
    assert not list(image_problems(operation, content))
    assert image_request(operation, content) == ImageRequest(operation, url, img)


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        ({}, ["url"]),
        ({"url": None, "img": ""}, ["url"]),
        ({"url": {}, "img": IMAGE}, ["url"]),
        ({"url": False, "img": IMAGE}, ["url"]),
        ({"url": "a.png"}, ["url"]),
        ({"img": {}}, ["img"]),
        ({"img": 0}, ["img"]),
    ],
)
def test_a_source_that_is_none_is_refused(content: Any, fields: list[str]) -> None:
    assert [one.field for one in image_problems(TaskType.OCR, content)] == fields


@pytest.mark.parametrize(
    ("scale", "taken"),
    [(2, 2), (4, 4), (2.0, 2), (None, 2), (0, None), (3, None), ("2", None), (True, None), ([], None)],
)
def test_a_scale_is_2_or_4(scale: Any, taken: int | None) -> None:
    content = {"img": IMAGE, "scale": scale}

    problems = [one.field for one in image_problems(TaskType.SUPER_RESOLUTION, content)]

    assert problems == ([] if taken else ["scale"])
    if taken:
        request = image_request(TaskType.SUPER_RESOLUTION, content)
        assert (request.scale, type(request.scale)) == (taken, int)


@pytest.mark.parametrize(("face", "taken"), [(False, True), (None, True), (True, False), (0, False), ("no", False)])
def test_faces_are_not_served(face: Any, *, taken: bool) -> None:
    problems = [one.field for one in image_problems(TaskType.SUPER_RESOLUTION, {"img": IMAGE, "face": face})]

    assert problems == ([] if taken else ["face"])


@pytest.mark.parametrize(("kind", "foreground"), [(None, False), ("alpha", False), ("foreground", True)])
def test_the_kind_of_a_segmentation(kind: str | None, *, foreground: bool) -> None:
    assert image_request(TaskType.HUMAN_SEGMENTATION, {"img": IMAGE, "type": kind}).foreground is foreground


def test_options_of_another_task_type_are_passed_over() -> None:
    assert not list(image_problems(TaskType.OCR, {"img": IMAGE, "scale": 9, "type": "blur", "face": True}))
