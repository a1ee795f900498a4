"""The command ``sdoneks`` against the real front door."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from contract.callback import Cause
from contract.task_table.item import State
from contract.task_table.writes import Ending
from test.sd_on_eks.agent import PNG, agent
from test.sd_on_eks.command import Command, on_terminal, sdoneks
from test.sd_on_eks.conftest import KEY, Site

__all__ = ["sdoneks"]


def submitted(sdoneks: Command, *options: str) -> str:
    return str(sdoneks("submit", "text-to-image", "a lighthouse", "--runtime", "sdruntime", *options).out[0])


def test_a_run_prints_the_files_that_it_saved(site: Site, sdoneks: Command, tmp_path: Path) -> None:
    with agent(site):
        ran = sdoneks("run", "text-to-image", "a", "--runtime", "sdruntime", "--id", f"t-{uuid.uuid4()}", "-o", "made")

    assert ran.code == 0
    (file,) = ran.out
    assert (tmp_path / file).read_bytes() == PNG


@pytest.mark.parametrize(
    ("kind", "options", "content"),
    [
        ("super-resolution", ["--scale", "4"], {"scale": 4}),
        ("human-segmentation", ["--foreground"], {"type": "foreground"}),
        ("ocr", [], {}),
    ],
)
def test_the_image_kit_takes_files(
    kind: str, options: list[str], content: dict[str, Any], *, site: Site, sdoneks: Command, tmp_path: Path
) -> None:
    (tmp_path / "cat.png").write_bytes(PNG)

    assert sdoneks("submit", kind, "cat.png", *options).code == 0

    (message,) = site.api.door.received("kit")
    sent = site.api.door.content_of(message)
    assert sent.pop("url").startswith("s3://")
    assert (message.body["task"]["metadata"]["tasktype"], sent) == (kind, content)


def test_options_and_fields_reach_the_task(site: Site, sdoneks: Command) -> None:
    options = ["--set", "steps=20", "--set", "sampler_name=Euler a", "--label", "order=1", "--deadline", "60"]

    task_id = submitted(sdoneks, *options)

    (message,) = site.api.door.received("sdruntime")
    assert site.api.door.content_of(message) == {"prompt": "a lighthouse", "steps": 20, "sampler_name": "Euler a"}
    item = site.api.item(task_id)
    assert item is not None
    assert (item.labels, item.deadline is not None) == ({"order": "1"}, True)


def test_a_workflow_takes_files_and_values(site: Site, sdoneks: Command, tmp_path: Path) -> None:
    nodes = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "a.png"}, "_meta": {"title": "Start"}},
        "2": {"class_type": "KSampler", "inputs": {"seed": 1}},
    }
    (tmp_path / "flow.json").write_text(json.dumps(nodes))
    (tmp_path / "cat.png").write_bytes(PNG)

    ran = sdoneks("submit", "workflow", "flow.json", "--input", "Start.image=@cat.png", "--input", "2.seed=7")

    assert ran.code == 0
    (message,) = site.api.door.received("comfy")
    content = site.api.door.content_of(message)
    assert content["1"]["inputs"]["image"].startswith("s3://")
    assert content["2"]["inputs"]["seed"] == 7


def test_a_failed_task_is_exit_code_1_with_its_cause(site: Site, sdoneks: Command) -> None:
    task_id = submitted(sdoneks)
    site.api.ends(task_id, Ending(status=State.FAILED, error=Cause(type="runtime", message="out of memory")))

    ran = sdoneks("wait", task_id)

    assert ran.code == 1
    assert ran.out == [f"{task_id} failed"]
    assert "out of memory" in ran.err[-1]


def test_a_wait_that_is_over_is_exit_code_5(sdoneks: Command) -> None:
    ran = sdoneks("wait", submitted(sdoneks), "--timeout", "0.2")

    assert ran.code == 5
    assert "it goes on" in ran.err[-1]


def test_tasks_are_shown_listed_and_canceled(sdoneks: Command) -> None:
    label = f"batch={uuid.uuid4().hex}"
    task_id = submitted(sdoneks, "--label", label)

    assert sdoneks("status", task_id).out[0].startswith(f"{task_id} queued waits for a pod")
    assert sdoneks("list", "--label", label).out[1].split()[:3] == [task_id, "queued", "sdruntime"]
    assert sdoneks("cancel", task_id).out == [f"{task_id} canceled"]
    assert sdoneks("list", "--label", label, "--status", "queued").out == []


@pytest.mark.parametrize(
    "arguments", [["status"], ["list", "--limit", "1"], ["wait", "--timeout", "1"], ["cancel"]], ids=lambda a: a[0]
)
def test_json_is_the_task_of_the_api(arguments: list[str], sdoneks: Command) -> None:
    task_id = submitted(sdoneks)
    sdoneks("cancel", task_id)

    shown = sdoneks(*arguments, *([] if arguments[0] == "list" else [task_id]), "--json").json

    assert shown["status"] == "canceled"
    assert shown["urls"]["self"].endswith(task_id)


def test_files_are_uploaded_and_runtimes_shown(sdoneks: Command, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)

    assert sdoneks("upload", "a.png").out[0].startswith("s3://")
    assert sdoneks("upload", "a.png", "--json").json["file"] == "a.png"
    assert {"sdruntime", "comfy"} <= {line.split()[0] for line in sdoneks("runtimes").out[1:]}


def test_a_refusal_is_exit_code_3_with_each_field(sdoneks: Command) -> None:
    ran = sdoneks("submit", "text-to-image", "a", "--runtime", "sdruntime", "--deadline", "0", "--json")
    text = sdoneks("submit", "text-to-image", "a", "--runtime", "none", "--deadline", "-1")

    assert (ran.code, text.code) == (3, 3)
    assert json.loads(ran.err[-1])["error"] == "InvalidRequest"
    assert any(line.startswith("  options.deadline must be") for line in text.err)


def test_a_platform_that_does_not_answer_is_exit_code_4(
    site: Site, sdoneks: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.door.faults.append({"statusCode": 429, "headers": {}, "body": '{"message": "Limit Exceeded"}'})

    assert sdoneks("runtimes").code == 4


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["run"], "Usage: sdoneks run"),
        (["status"], "Missing argument"),
        (["submit", "text-to-image", "a", "--set", "steps"], "--set must be NAME=VALUE"),
        (["submit", "upscale", "nothing.png"], "there is no file 'nothing.png'"),
        (["list", "--label", "=1"], "--label must be NAME=VALUE"),
        (["--endpoint", "http://example.com", "runtimes"], "must begin with https"),
    ],
)
def test_a_wrong_command_is_exit_code_2(arguments: list[str], problem: str, sdoneks: Command) -> None:
    ran = sdoneks(*arguments)

    assert ran.code == 2
    assert problem in "\n".join([*ran.out, *ran.err])


@pytest.mark.parametrize(
    "arguments", [["status", "--json"], ["submit", "text-to-image", "--json", "a", "--set", "x"], ["upload", "--json"]]
)
def test_a_wrong_command_is_json_too(arguments: list[str], sdoneks: Command) -> None:
    ran = sdoneks(*arguments)

    assert (ran.code, ran.out) == (2, [])
    (line,) = ran.err
    assert json.loads(line)["message"]


def test_the_configuration_is_saved_and_used(
    site: Site, sdoneks: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SDONEKS_ENDPOINT")
    assert sdoneks("runtimes").code == 2

    assert sdoneks("config", "set", site.endpoint).code == 0

    monkeypatch.delenv("SDONEKS_API_KEY")
    assert sdoneks("runtimes").code == 0
    assert sdoneks("config", "show", "--json").json["endpoint"] == site.endpoint.rstrip("/")
    assert KEY not in "".join(sdoneks("config", "show").out)


def test_a_local_platform_is_found_by_its_folder(site: Site, sdoneks: Command, tmp_path: Path) -> None:
    running = tmp_path / "out" / ".platform" / "running.json"
    running.parent.mkdir(parents=True)

    assert sdoneks("config", "local", "out").code == 2
    running.write_text(json.dumps({"endpoint": site.endpoint, "api_key": KEY}))
    assert sdoneks("config", "local", "out").code == 0


def test_a_stack_is_read_with_the_aws_command(
    site: Site, sdoneks: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = {
        "FrontApiEndpoint": site.endpoint,
        "GetAPIKeyCommand": "aws apigateway get-api-keys --query 'items[?id==`abc123`].value' --include-values",
        "ApiKeyIds": "web=def456",
    }
    stack = {"Stacks": [{"Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]}]}
    (tmp_path / "stack.json").write_text(json.dumps(stack))
    aws = tmp_path / "bin" / "aws"
    aws.parent.mkdir()
    aws.write_text(
        f"""#!/bin/sh
case "$*" in
  "cloudformation describe-stacks --stack-name mine "*) cat {tmp_path}/stack.json ;;
  "apigateway get-api-key --api-key abc123 --include-value "*) echo '{{"value": "of-everybody"}}' ;;
  "apigateway get-api-key --api-key def456 --include-value "*) echo '{{"value": "of-web"}}' ;;
  *) echo "not found" >&2; exit 254 ;;
esac
"""
    )
    aws.chmod(0o755)
    monkeypatch.setenv("PATH", f"{aws.parent}:/usr/bin:/bin")
    file = tmp_path / "config.toml"

    assert sdoneks("config", "stack", "mine").code == 0
    assert 'api_key = "of-everybody"' in file.read_text()
    assert sdoneks("config", "stack", "mine", "--client", "web").code == 0
    assert 'api_key = "of-web"' in file.read_text()
    assert "not found" in sdoneks("config", "stack", "another").err[-1]
    assert sdoneks("config", "stack", "mine", "--client", "nobody").code == 2
    outputs = {"OutputKey": "FrontApiEndpoint", "OutputValue": site.endpoint}
    (tmp_path / "stack.json").write_text(json.dumps({"Stacks": [{"Outputs": [outputs]}]}))
    assert "has no keys (APIGW.auth of its config)" in sdoneks("config", "stack", "mine").err[-1]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_its_commands(shell: str, sdoneks: Command) -> None:
    assert "_SDONEKS_COMPLETE" in "\n".join(sdoneks("completion", shell).out)


@pytest.mark.parametrize(("answer", "status"), [("y", State.CANCELED), ("n", State.QUEUED)])
def test_an_interrupted_run_offers_to_cancel(answer: str, status: State, site: Site, tmp_path: Path) -> None:
    task_id = f"t-{uuid.uuid4()}"

    with on_terminal(site, tmp_path, "run", "text-to-image", "a", "--runtime", "sdruntime", "--id", task_id) as command:
        command.shows("waits for a pod")
        assert command.is_interrupted_and_answered(answer) == 130

    item = site.api.item(task_id)
    assert item is not None
    assert item.status is status
