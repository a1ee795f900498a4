"""The lines that the local platform shows."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from contract.callback import Callback, Cause, Status
from test.support.platform import addresses_of
from utils.local.display import Display
from utils.smoke.client import Request


def completed(images: int) -> Callback:
    places = tuple(f"s3://bucket/output/t/t-abcd-{number}.png" for number in range(1, images + 1))
    return Callback(id="t", result=True, image_url=places, runtime="sd", status=Status.COMPLETED)


def failed(message: str) -> Callback:
    cause = Cause(type="content", message=message)
    return Callback(id="t", result=False, runtime="sd", status=Status.FAILED, error=cause)


@pytest.mark.parametrize(
    ("images", "shown"),
    [
        (1, "completed  t  output/1.png\n"),
        (3, "completed  t  output/1.png output/2.png output/3.png\n"),
        (5, "completed  t  output/1.png output/2.png output/3.png and 2 more\n"),
    ],
)
def test_a_callback_is_a_line_with_its_images(
    images: int, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given
    monkeypatch.chdir(tmp_path)
    files = [tmp_path / "output" / f"{number}.png" for number in range(1, images + 1)]
    # When
    Display().callback(completed(images), [*files, tmp_path / "output" / "t.out"])
    # Then
    assert capsys.readouterr().out == shown


def test_a_failed_task_shows_its_cause_and_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    Display().callback(failed("bad \x1b[31mnode\x07 [bold]9[/bold]"), [])
    assert capsys.readouterr().out == "failed     t  content: bad �[31mnode� [bold]9[/bold]\n"


def test_when_nobody_reads_any_more_it_goes_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr("sys.stdout", pipe)
        display = Display()
        # When, then: neither these nor the flush at the end raise
        display.event("the first line finds nobody")
        display.event("the second is not even tried")


@pytest.mark.parametrize(
    ("auth", "shown", "hidden"),
    [
        ("API_KEY", ["API key       k3y", "-H 'x-api-key: k3y'", "API_KEY=k3y"], ["--aws-sigv4"]),
        ("AWS_IAM", ["--aws-sigv4 aws:amz:us-east-1:execute-api --user local:local"], ["x-api-key", "API_KEY="]),
        (
            "NONE",
            ["curl -sS http://127.0.0.1:1/dev/v1alpha2 -H 'Content-Type"],
            ["x-api-key", "--aws-sigv4", "API_KEY="],
        ),
    ],
)
def test_the_first_request_is_sent_as_the_api_asks_for_it(
    auth: str, shown: list[str], hidden: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    # Given
    keys = {"default": "k3y"} if auth == "API_KEY" else {}
    addresses = replace(
        addresses_of("http://127.0.0.1:2"),
        endpoint="http://127.0.0.1:1/dev/",
        region="us-east-1",
        auth=auth,
        api_key=keys.get("default", ""),
        api_keys=keys,
    )

    # When
    Display().welcome(addresses, Request("v1alpha2-text-to-image", "t", {}), "s3://bucket/a.png")

    # Then
    printed = capsys.readouterr().out
    assert [one for one in shown if one not in printed] == []
    assert [one for one in hidden if one in printed] == []
