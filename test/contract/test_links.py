"""Which strings of a content are links."""

import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.links import MAX_LINK_LENGTH, OPAQUE_FIELDS, TEXT_FIELDS, Path, find_links, link_problem

LINK = "https://files.example.com/cat.png"


def at(content: Any, path: Path) -> Any:
    for key in path:
        content = content[key]
    return content


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value that holds no others, with its path, in order."""
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    else:
        yield path, value
    for key, part in inner:
        yield from leaves(part, (*path, key))


def in_text(path: Path) -> bool:
    """Whether the path leads through something opaque, or through a text field that is no object."""
    following = [*path[1:], 0]
    return any(
        part in OPAQUE_FIELDS or (part in TEXT_FIELDS and isinstance(after, int))
        for part, after in zip(path, following, strict=True)
    )


@pytest.mark.parametrize(
    ("content", "paths"),
    [
        ({"prompt": "A dog", "init_images": [LINK, LINK]}, [("init_images", 0), ("init_images", 1)]),
        ({"image": LINK, "upscaling_resize": 4}, [("image",)]),
        ({"imageList": [{"data": LINK, "name": "a.png"}]}, [("imageList", 0, "data")]),
        (
            {"alwayson_scripts": {"controlnet": {"args": [{"image": LINK, "module": "canny"}]}}},
            [("alwayson_scripts", "controlnet", "args", 0, "image")],
        ),
        (
            {"7": {"class_type": "LoadImage", "inputs": {"image": "s3://photos/cat.png", "upload": "image"}}},
            [("7", "inputs", "image")],
        ),
        (
            {"prompt": {"7": {"inputs": {"image": LINK}}}, "extra_data": {"a": LINK}},
            [("prompt", "7", "inputs", "image")],
        ),
        ({"nodes": {"prompt": {"type": "image", "image": LINK}}}, [("nodes", "prompt", "image")]),
    ],
)
def test_files_of_every_runtime_are_found_where_they_stand(content: dict[str, Any], paths: list[Path]) -> None:
    assert [path for path, _ in find_links(content)] == paths


@pytest.mark.parametrize(
    "content",
    [
        {"prompt": LINK},
        {"negative_prompt": LINK, "hr_prompt": LINK, "styles": [LINK], "override": {"prompt": LINK}},
        {"6": {"class_type": "CLIPTextEncode", "inputs": {"text": LINK}, "_meta": {"title": LINK}}},
        {"9": {"class_type": "SaveImage", "inputs": {"filename_prefix": LINK}}},
        {"styles": [[LINK]]},
        {"extra_pnginfo": {"workflow": {"nodes": [{"widgets_values": [LINK]}]}}},
    ],
)
def test_a_link_in_a_prompt_is_text_and_never_fetched(content: dict[str, Any]) -> None:
    assert list(find_links(content)) == []


@pytest.mark.parametrize(
    "link", ["http://a/b.png", "https://a/b.png", "s3://b/k.png", "HTTPS://A/B", "S3://b/k", "http://x"]
)
def test_http_https_and_s3_are_links(link: str) -> None:
    assert list(find_links({"image": link})) == [(("image",), link)]


@pytest.mark.parametrize(
    "value",
    [
        *("", "http://", "ftp://a/b", "file:///etc/passwd", "//a/b", "a http://a/b"),
        *("data:image/png;base64,AAAA", "gopher://a", "javascript:alert(1)", "httpx://a", 5, None, True, 1.5),
    ],
)
def test_only_a_whole_string_that_is_a_link_is_one(value: Any) -> None:
    assert list(find_links({"image": value})) == []


@pytest.mark.parametrize(
    ("value", "link"),
    [
        (" http://a/b", "http://a/b"),
        ("\n\thttps://a/b \r\n", "https://a/b"),
        ("http://a/b c", "http://a/b c"),
        ("s3://b/a cat.png\n", "s3://b/a cat.png"),
        ("http://a/" + "x" * MAX_LINK_LENGTH, "http://a/" + "x" * MAX_LINK_LENGTH),
    ],
)
def test_what_a_runtime_might_take_for_a_link_is_one(value: str, link: str) -> None:
    assert list(find_links({"image": value})) == [(("image",), link)]


@pytest.mark.parametrize(
    ("link", "problem"),
    [
        ("http://a/b", None),
        ("s3://b/a cat.png", None),
        ("http://a/b c", "it contains white space"),
        ("HTTPS://a/b\nc", "it contains white space"),
        ("http://a/" + "x" * MAX_LINK_LENGTH, f"it is longer than {MAX_LINK_LENGTH} characters"),
        ("s3://a/" + "x" * MAX_LINK_LENGTH, f"it is longer than {MAX_LINK_LENGTH} characters"),
    ],
)
def test_a_link_that_nobody_could_fetch_is_told_why(link: str, problem: str | None) -> None:
    assert (link_problem(link) or "").startswith(problem or "")
    assert (link_problem(link) is None) == (problem is None)


def test_half_a_million_values_are_searched_without_a_copy_of_them() -> None:
    # Given
    content = {"values": [str(number) for number in range(500_000)], "image": LINK}
    tracemalloc.start()

    # When
    found = list(find_links(content))

    # Then
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == [(("image",), LINK)]
    assert peak < 1024 * 1024


def test_a_content_nested_beyond_reason_does_not_break_the_search() -> None:
    content: dict[str, Any] = {"image": LINK}
    for _ in range(1000):
        content = {"a": [content]}
    ((path, link),) = find_links(content)
    assert link == LINK
    assert len(path) == 2001


KEYS = st.sampled_from(
    ["init_images", "image", "inputs", "args", "7", *sorted(TEXT_FIELDS)[:4], *sorted(OPAQUE_FIELDS)]
)
LEAVES = st.sampled_from([LINK, "s3://b/k", "http://a", "text", f"see {LINK}", "", 1, None])
CONTENTS = st.dictionaries(
    KEYS,
    st.recursive(
        LEAVES,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
        max_leaves=20,
    ),
    max_size=5,
)


@given(CONTENTS)
def test_every_link_outside_of_text_is_found_once_and_in_order(content: dict[str, Any]) -> None:
    # When
    found = list(find_links(content))

    # Then
    assert all(at(content, path) == link for path, link in found), "a path leads to its link"
    assert found == [(path, value) for path, value in leaves(content) if _is_link(value) and not in_text(path)]


def _is_link(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "s3://", "https://"))
