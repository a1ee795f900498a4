"""Bodies that are not JSON, or JSON that not every parser on a task's way can carry."""

import base64
import json
import tracemalloc
from typing import Any

import pytest

from contract.errors import MAX_PROBLEMS
from frontend_lambda.body import MAX_DEPTH
from test.support.floods import FLOODS, flood

from .conftest import FrontDoor


def task_of(tasktype: str, runtime: str, content: dict[str, Any]) -> dict[str, Any]:
    metadata = {"id": "1", "prefix": "x", "tasktype": tasktype, "runtime": runtime}
    return {"task": {"metadata": metadata, "content": content}}


VERSIONS = ["v1alpha1", "v1alpha2"]

MANY = {str(number): {"class_type": "A", "type": "a", "inputs": {}} for number in range(10_000)}
"""More nodes, scripts or fields than a task may have."""

TOO_MANY: dict[str, tuple[str, dict[str, Any]]] = {
    "task.content": ("v1alpha2", task_of("pipeline", "comfy", MANY)),
    "task.content.graph.nodes": ("v1alpha2", task_of("graph", "invoke", {"graph": {"nodes": MANY}})),
    "task.content.alwayson_scripts": (
        "v1alpha2",
        task_of("text-to-image", "sdruntime", {"alwayson_scripts": MANY}),
    ),
    "alwayson_scripts": ("v1alpha1", {"alwayson_scripts": MANY}),
    "": ("v1alpha1", {"alwayson_scripts": {}, **MANY}),
}
"""By the field that is refused: the version, and the request."""


def task_with(value: str) -> str:
    """A good request with ``value``, raw JSON, in its content."""
    metadata = '{"id":"my-1","runtime":"sdruntime","tasktype":"text-to-image","prefix":"output"}'
    return f'{{"task":{{"metadata":{metadata},"content":{{"value":{value}}}}}}}'


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "{",
        "nonsense",
        "{'a': 1}",
        '{"a": 1,}',
        '{"a": 1} {"b": 2}',
        "\ufeff{}",
        "\x00",
        "{" * 99_999,
        "[" * 99_999,
    ],
)
def test_a_body_that_is_not_json_is_refused(version: str, text: str, door: FrontDoor) -> None:
    answer = door.post(version, text)

    assert (answer.status, answer.fields) == (400, [""])
    assert "the body is" in answer.body["message"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, // the id\n "b": 2}', "a comment at line 1, column 10, '// the id'"),
        ('{\n  "a": 1 // the id\n}', "a comment at line 2, column 10, '// the id'"),
        ('{"a": // the id\n 1}', "a comment at line 1, column 7"),
        ('{"a": 1} // the end', "a comment at line 1, column 10, '// the end'"),
        ('// my task\n{"a": 1}', "a comment at line 1, column 1, '// my task'"),
        ('{"a": /* the\n id */ 1}', "a comment at line 1, column 7"),
        ('{"a": 1, # the id\n "b": 2}', "a comment at line 1, column 10, '# the id'"),
        ('{"a": [1, // one\n 2]}', "a comment at line 1, column 11, '// one'"),
        ('{"a": 1, "b": 2, // two\n}', "a comment at line 1, column 18, '// two'"),
    ],
)
def test_a_comment_in_the_body_is_named(text: str, said: str, door: FrontDoor) -> None:
    answer = door.post("v1alpha2", text)

    assert (answer.status, answer.fields) == (400, [""])
    assert said in answer.body["message"]
    assert "JSON has none" in answer.body["message"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("body", [None, 7, {"task": {}}])
def test_an_event_without_a_text_body_is_refused(version: str, body: Any, door: FrontDoor) -> None:
    answer = door.handler({**door.event(version, None), "body": body}, None)

    assert answer["statusCode"] == 400


def test_an_event_that_lacks_the_body_is_refused(door: FrontDoor) -> None:
    event = door.event("v1alpha2", None)
    del event["body"]

    assert door.handler(event, None)["statusCode"] == 400


@pytest.mark.parametrize("value", ["[]", "7", "null", "true", '"text"', "1.5", "[{}]"])
def test_json_that_is_no_object_is_refused(value: str, door: FrontDoor) -> None:
    for version in VERSIONS:
        assert door.post(version, value).status == 400


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1" * 21, "-" + "1" * 20])
def test_a_number_that_not_every_parser_holds_is_refused_by_its_field(value: str, door: FrontDoor) -> None:
    answer = door.post("v1alpha2", task_with(f"[1, {value}]"))

    assert (answer.status, answer.fields) == (400, ["task.content.value.1"])


def test_a_number_of_more_digits_than_python_reads_is_refused(door: FrontDoor) -> None:
    answer = door.post("v1alpha2", task_with("1" * 5000))

    assert (answer.status, answer.fields) == (400, [""])
    assert "the body holds a number that 64 bits cannot hold" in answer.body["message"]


@pytest.mark.parametrize("value", ["18446744073709551615", "-9223372036854775808", "1e308", "0.1", "-0.0"])
def test_the_numbers_of_64_bits_come_through(value: str, door: FrontDoor) -> None:
    # Given the largest seed of ComfyUI, among others
    answer = door.post("v1alpha2", task_with(value))

    # Then it is the same at the other end
    assert answer.status == 200
    [message] = door.received("sdruntime")
    assert message.body["task"]["content"]["value"] == json.loads(value)


@pytest.mark.parametrize(
    ("value", "field"), [(r'"\ud800"', "value"), (r'["ok", "a\udfffb"]', "value.1"), (r'{"\ud83d": 1}', "value")]
)
def test_half_a_surrogate_pair_is_refused_by_its_field(value: str, field: str, door: FrontDoor) -> None:
    answer = door.post("v1alpha2", task_with(value))

    assert (answer.status, answer.fields) == (400, [f"task.content.{field}"])


def test_whole_surrogate_pairs_and_other_text_come_through(door: FrontDoor) -> None:
    answer = door.post("v1alpha2", task_with(r'"\ud83d\ude00 犬 \u0000"'))

    assert answer.status == 200
    [message] = door.received("sdruntime")
    assert message.body["task"]["content"]["value"] == "😀 犬 \x00"


@pytest.mark.parametrize(("levels", "status"), [(MAX_DEPTH - 3, 200), (MAX_DEPTH - 2, 400), (900, 400), (99_999, 400)])
def test_nesting_ends_at_a_limit(levels: int, status: int, door: FrontDoor) -> None:
    # Given so many lists in one another, below task, content and value
    answer = door.post("v1alpha2", task_with("[" * levels + "]" * levels))

    assert answer.status == status


def test_of_a_million_problems_the_first_are_named(door: FrontDoor) -> None:
    answer = door.post("v1alpha2", task_with(f"[{','.join(['NaN'] * 200_000)}]"))

    assert answer.status == 400
    assert len(answer.body["errors"]) == MAX_PROBLEMS + 1
    assert answer.body["errors"][-1]["problem"].startswith("and at least ")


def test_unknown_fields_without_number_or_limit_do_not_flood_the_answer(door: FrontDoor) -> None:
    # Given many unknown fields, and one whose name is a megabyte
    metadata = {f"field{number}": 1 for number in range(5_000)} | {"x" * 1_000_000: 1}

    # When
    answer = door.post("v1alpha2", {"task": {"metadata": metadata, "content": {}}})

    # Then the answer is still one that Lambda may give
    assert answer.status == 400
    assert answer.body["errors"][-1] == {"field": "", "problem": "and at least 4985 more"}
    assert len(json.dumps(answer.body)) < 100_000


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("place", FLOODS)
def test_a_flood_of_unknown_names_is_answered_with_a_few(version: str, place: str, door: FrontDoor) -> None:
    """What it costs is measured by test.bench.flood."""
    # When
    answer = door.handler(door.event(version, flood(place)), None)

    # Then
    assert answer["statusCode"] == 400
    assert len(json.loads(answer["body"])["errors"]) <= MAX_PROBLEMS + 1


def test_a_flood_of_unknown_names_takes_little_more_memory_than_to_read_it(door: FrontDoor) -> None:
    # Given
    text = flood("metadata")
    event = door.event("v1alpha2", text)
    tracemalloc.start()
    parsed = json.loads(text)
    _, parsing = tracemalloc.get_traced_memory()
    del parsed
    tracemalloc.reset_peak()

    # When
    answer = door.handler(event, None)

    # Then
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer["statusCode"] == 400
    assert peak - parsing < 64 * 1024 * 1024


def test_a_base64_body_is_decoded(door: FrontDoor) -> None:
    encoded = base64.b64encode(task_with('"犬"').encode()).decode()

    assert door.post("v1alpha2", encoded, isBase64Encoded=True).status == 200

    [message] = door.received("sdruntime")
    assert message.body["task"]["content"]["value"] == "犬"


@pytest.mark.parametrize("text", ["%%%", "a", base64.b64encode(b"\xff\xfe").decode(), "é"])
def test_a_base64_body_that_is_none_or_not_utf_8_is_refused(text: str, door: FrontDoor) -> None:
    answer = door.post("v1alpha2", text, isBase64Encoded=True)

    assert (answer.status, answer.fields) == (400, [""])


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": None, "multiValueHeaders": None},
        {"headers": {}, "multiValueHeaders": {}},
        {"headers": {"content-type": "text/plain", "CONTENT-TYPE": "x", "": "\x00"}},
        {"multiValueHeaders": {"content-type": ["application/json", "text/html"], "x-api-key": []}},
        {"requestContext": {}},
        {"queryStringParameters": {"a": "b"}},
    ],
)
def test_no_header_and_no_parameter_makes_a_difference(changes: dict[str, Any], door: FrontDoor) -> None:
    assert door.post("v1alpha2", task_with("1"), **changes).status == 200


@pytest.mark.parametrize("field", TOO_MANY)
def test_too_many_entries_are_one_problem(field: str, door: FrontDoor) -> None:
    answer = door.post(*TOO_MANY[field])

    assert (answer.status, answer.fields) == (400, [field])
    assert "must hold at most" in answer.body["message"]
