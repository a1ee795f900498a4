"""Links that open without credentials: outputs and uploads."""

import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from contract.task_table.item import Output, State
from contract.task_table.writes import Ending
from test.frontend_lambda.tasks.conftest import Api, new_id


def opened(url: str, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None) -> bytes:
    """What a client without credentials gets."""
    with urllib.request.urlopen(urllib.request.Request(url, body, headers or {}, method=method), timeout=30) as answer:
        data: bytes = answer.read()
        return data


def completed(api: Api, *outputs: Output, **ending: Any) -> str:
    task_id = new_id()
    api.submit(task_id)
    api.runs(task_id)
    api.ends(task_id, Ending(status=State.COMPLETED, outputs=outputs, **ending))
    return task_id


def test_an_outputs_link_opens_without_credentials(api: Api) -> None:
    # Given
    key = f"output/{new_id()} ä/1.png"
    api.door.s3.put_object(Bucket=api.door.settings.output_bucket, Key=key, Body=b"image")
    task_id = completed(api, Output(key=key, type="image/png", size=5))

    # When
    [output] = api.get(task_id).body["outputs"]

    # Then
    assert (output["n"], output["type"], output["bytes"]) == (1, "image/png", 5)
    assert opened(output["url"]) == b"image"
    assert "X-Amz-Signature" in parse_qs(urlsplit(output["url"]).query)
    assert datetime.fromisoformat(output["url_expires"]) > datetime.now(UTC)


def test_an_output_has_an_address_that_does_not_expire(api: Api) -> None:
    key = f"output/{new_id()}/1.png"
    api.door.s3.put_object(Bucket=api.door.settings.output_bucket, Key=key, Body=b"image")
    task_id = completed(api, Output(key=key, type="image/png", size=5))

    reply = api.call("GET", f"/v1alpha2/tasks/{task_id}/outputs/1")

    assert (reply.status, reply.body) == (302, None)
    assert reply.headers["Cache-Control"] == "no-store"
    assert opened(reply.headers["Location"]) == b"image"


@pytest.mark.parametrize("number", ["0", "2", "-1", "1.0", "one", "01", "%31%20", "9" * 5000])
def test_an_output_that_is_not_there_is_404(number: str, api: Api) -> None:
    task_id = completed(api, Output(key="output/1.png", type="image/png", size=5))

    reply = api.call("GET", f"/v1alpha2/tasks/{task_id}/outputs/{number}")

    assert (reply.status, reply.body["type"]) == (404, "urn:problem-type:not-found")


def test_an_output_beyond_those_of_the_item_is_found_by_the_record(api: Api) -> None:
    many = [Output(key=f"output/{n}.png", type="image/png", size=5) for n in range(70)]
    task_id = completed(api, *many, record="output/x.out")

    assert api.get(task_id).body["outputs_omitted"] == 6
    assert "urls.record" in api.call("GET", f"/v1alpha2/tasks/{task_id}/outputs/65").body["message"]


def test_an_upload_takes_the_file_without_credentials(api: Api) -> None:
    # Given
    reply = api.call("POST", "/v1alpha2/files", {"bytes": 4, "name": "cat.png", "type": "image/png"})
    assert reply.status == 201

    # When
    opened(reply.body["url"], reply.body["method"], b"\x89PNG", reply.body["headers"])

    # Then the link names it
    bucket, _, key = reply.body["s3"].removeprefix("s3://").partition("/")
    assert bucket == api.door.settings.output_bucket
    assert key.startswith(".platform/uploads/default/")
    assert key.endswith("/cat.png")
    stored = api.door.s3.get_object(Bucket=bucket, Key=key)
    assert (stored["Body"].read(), stored["ContentType"]) == (b"\x89PNG", "image/png")


def test_an_uploads_link_takes_one_size_only(api: Api) -> None:
    """The length is among what is signed: S3 refuses another. (moto does not check signatures.)"""
    reply = api.call("POST", "/v1alpha2/files", {"bytes": 4})

    assert parse_qs(urlsplit(reply.body["url"]).query)["X-Amz-SignedHeaders"] == ["content-length;host"]
    assert reply.body["headers"] == {"Content-Length": "4"}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["bytes"]),
        ({"bytes": 0}, ["bytes"]),
        ({"bytes": 33554433}, ["bytes"]),
        ({"bytes": "4"}, ["bytes"]),
        ({"bytes": 4, "name": "../cat.png"}, ["name"]),
        ({"bytes": 4, "name": ".."}, ["name"]),
        ({"bytes": 4, "name": ""}, ["name"]),
        ({"bytes": 4, "type": "image"}, ["type"]),
        ({"bytes": 4, "type": "image/png\r\nx: y"}, ["type"]),
        ({"bytes": 4, "prefix": "output"}, ["prefix"]),
        ([], [""]),
    ],
)
def test_a_wrong_upload_is_refused_by_name(body: Any, fields: list[str], api: Api) -> None:
    reply = api.call("POST", "/v1alpha2/files", body)

    assert (reply.status, reply.fields) == (400, fields)
