"""test/run.sh against a running platform, as against a deployed stack."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from test.support.platform import MODEL, Running
from utils.local.services import ROOT

LIMIT = 110

SDWEBUI = [
    "v1alpha1-image-to-image",
    "v1alpha1-text-to-image",
    "v1alpha2-extra-single-image",
    "v1alpha2-image-to-image",
    "v1alpha2-text-to-image",
]


def run(variables: Mapping[str, str], *words: str, cwd: Path = ROOT / "test") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(ROOT / "test" / "run.sh"), *words],
        env={"PATH": os.environ["PATH"], **variables},
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT,
        check=False,
    )


def reached(platform: Running) -> dict[str, str]:
    addresses = platform.addresses
    link = f"s3://{addresses.bucket}/output/samples/picture.png"
    return {"ENDPOINT": addresses.endpoint, "API_KEY": addresses.api_key, "LINK": link}


def test_the_answers_are_a_table_and_the_callbacks_another(platform: Running) -> None:
    # When
    topic = {"TOPIC_ARN": platform.addresses.topic_arn, **platform.access.environment()}
    ended = run({**reached(platform), **topic}, "--runtime", "sdruntime", "--model", MODEL)
    # Then
    assert ended.returncode == 0, ended.stdout
    answers, callbacks, stages = (part.splitlines() for part in ended.stdout.split("\n\n"))
    assert [line.split()[:2] for line in answers] == [["REQUEST", "STATUS"], *([name, "200"] for name in SDWEBUI)]
    assert callbacks[0].split() == ["CALLBACK", "STATUS", "SECONDS", "RESULT"]
    assert sorted(line.split()[:2] for line in callbacks[1:]) == [[name, "completed"] for name in SDWEBUI]
    assert all("s3://" in line and ".png" in line for line in callbacks[1:])
    assert [line.split()[0] for line in stages] == ["STAGES", *SDWEBUI]
    assert all(float(word) >= 0 for line in stages[1:] for word in line.split()[1:])


def test_a_refusal_shows_and_ends_badly(platform: Running) -> None:
    ended = run({**reached(platform), "API_KEY": "guess", "RUNTIME_TYPE": "comfyui"}, "--runtime", "flow")
    assert ended.returncode == 1
    assert "v1alpha2-pipeline                401" in ended.stdout


def test_a_stack_is_found_by_the_aws_cli(platform: Running, tmp_path: Path) -> None:
    # Given a command line that knows one stack
    aws = tmp_path / "aws"
    address = platform.addresses
    aws.write_text(
        f"""#!/bin/bash
case "$*" in
  *"--stack-name mine "*FrontApiEndpoint*) echo {address.endpoint} ;;
  *"--stack-name mine "*GetAPIKeyCommand*)
    echo "aws apigateway get-api-keys --query 'items[?id==\\`k3y1d\\`].value' --include-values --output text" ;;
  *"--stack-name mine "*ApiKeyIds*) echo "batch=other,web=k3y1d" ;;
  *"--stack-name mine "*sdNotificationOutputArn*) echo {address.topic_arn} ;;
  "apigateway get-api-key --api-key k3y1d --include-value --query value --output text") echo {address.api_key} ;;
  *) echo "unknown stack" >&2; exit 254 ;;
esac
"""
    )
    aws.chmod(0o755)
    variables = {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "RUNTIME_TYPE": "comfyui",
        **platform.access.environment(),
    }
    # When
    known = run({**variables, "STACK_NAME": "mine"}, "--runtime", "flow", cwd=tmp_path)
    unknown = run({**variables, "STACK_NAME": "other"})
    client = run({**variables, "STACK_NAME": "mine", "CLIENT": "web"}, "--runtime", "flow", cwd=tmp_path)
    stranger = run({**variables, "STACK_NAME": "mine", "CLIENT": "we"})
    # Then
    assert client.returncode == 0, client.stdout
    assert stranger.returncode == 1
    assert "the stack has no client we; its clients and their keys are batch=other,web=k3y1d" in stranger.stdout
    assert known.returncode == 0, known.stdout
    assert "v1alpha2-pipeline                200" in known.stdout
    assert "v1alpha2-pipeline                completed" in known.stdout
    assert unknown.returncode == 1
    assert "error: the stack other cannot be looked up, see above" in unknown.stdout


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "give STACK_NAME, or ENDPOINT and API_KEY"),
        ({"ENDPOINT": "http://127.0.0.1:9"}, "give STACK_NAME, or ENDPOINT and API_KEY"),
        ({"ENDPOINT": "http://127.0.0.1:9", "API_KEY": "k"}, "http://127.0.0.1:9/v1alpha2 cannot be reached"),
        ({"ENDPOINT": "http://127.0.0.1:9", "API_KEY": "k", "RUNTIME_TYPE": "comfyui"}, "has no comfyui runtime"),
    ],
)
def test_what_is_missing_is_named(variables: dict[str, str], said: str) -> None:
    ended = run(variables)
    assert ended.returncode == 1
    assert said in ended.stdout
