"""The check of the pages finds what is wrong: one bad block of each kind, and good ones that it lets pass."""

import json
from pathlib import Path
from typing import Any

import pytest

from test.docs.kinds import KINDS, page_problems
from test.docs.languages import differences
from test.docs.pages import Block, parse
from test.docs.running import Terminal, run_page


def request(**metadata: Any) -> str:
    told = {"id": "my-1", "runtime": "comfyruntime", "tasktype": "pipeline", "prefix": "output", **metadata}
    return json.dumps({"task": {"metadata": told, "content": {"1": {"class_type": "SaveImage", "inputs": {}}}}})


CALLBACK = {
    "id": "my-1",
    "result": True,
    "image_url": ["s3://b/output/my-1/my-1-abcd-1.png"],
    "output_url": "s3://b/output/my-1/my-1-abcd.out",
    "context": None,
    "runtime": "sdruntime",
    "status": "completed",
    "error": None,
}
ANSWER = {"id_task": "my-1", "runtime": "sdruntime", "output_location": "s3://b/output/my-1"}
REFUSAL = {"message": "no", "errors": [{"field": "task", "problem": "is required"}]}
SERVICE_ACCOUNT = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: agent}\n"

BAD = [
    ("", "", "x", "no kind of block is without a language"),
    ("shell", "", "x", "no kind of block is shell; there is bash, bash (cloud)"),
    ("bash", "aws", "x", "no kind of block is bash (aws)"),
    ("bash", "", "if", "bash cannot read it"),
    ("bash", "", "nonsense", "nonsense is no program that this check knows"),
    ("bash", "", "curl x | jq .", "jq is not for a block that tests run"),
    ("bash", "", "./deploy/destroy.sh", "deploy/destroy.sh is not for a block that tests run"),
    ("bash", "cloud", "./deploy/deploi.sh", "./deploy/deploi.sh is not there"),
    ("bash", "cloud", "./deploy/deploy.sh --fast", "deploy/deploy.sh --help does not name --fast"),
    ("bash", "cloud", "echo $(./deploy/update.sh --fast)", "deploy/update.sh --help does not name --fast"),
    ("bash", "cloud", "SPEED=1 ./deploy/deploy.sh", "deploy/deploy.sh --help does not name SPEED"),
    ("bash", "cloud", "./test/run.sh --time 5", "test/run.sh --help does not name --time"),
    ("bash", "platform", "./deploy/deploy.sh --local --bucket x", "deploy/deploy.sh --help does not name --bucket"),
    ("bash", "cloud", "python -m utils.nonsense", "python -m utils.nonsense: there is no such module"),
    (
        "bash",
        "cloud",
        "python -m utils.operate.task --nonsense",
        "python -m utils.operate.task --help does not name --nonsense",
    ),
    ("bash", "cloud", "python nonsense.py", "nonsense.py is not there"),
    (
        "bash",
        "cloud",
        "python -m utils.operate.dead_letters list a --force",
        "utils.operate.dead_letters --help does not name --force",
    ),
    ("bash", "cloud", "cat utils/nonsense.txt", "utils/nonsense.txt is not there"),
    ("bash", "cloud", "kubectl -n default gets pods", "kubectl gets: there is no such command"),
    ("bash", "cloud", "aws sqss list-queues", "aws sqss list-queues: there is no such command"),
    ("bash", "cloud", "aws sqs list-queue", "aws sqs list-queue: there is no such operation"),
    ("bash", "cloud", "aws sqs list-queues --prefix a", "aws sqs list-queues: there is no option --prefix"),
    ("bash", "cloud", "aws sqs receive-message", "aws sqs receive-message: --queue-url is required"),
    ("bash", "cloud", "aws s3 copy a b", "aws s3 copy: there is no such command"),
    ("bash", "cloud", "aws s3 cp a b --all", "aws s3 cp: there is no option --all"),
    ("bash", "cloud", "aws eks wait cluster-up --name a", "aws eks wait cluster-up: there is no such waiter"),
    ("python", "", "if", "Python cannot read it"),
    ("python", "code", "x: (,", "Python cannot read it"),
    ("json", "", "{", "is not JSON"),
    ("json", "", "{}", "is no request"),
    ("json", "", request(runtime="mine"), "the front door refuses it: task.metadata.runtime: must be one of"),
    ("json", "", request(colour="red"), "task.metadata.colour: is not a known field"),
    ("json", "", '{"alwayson_scripts": {}}', "the front door refuses it"),
    ("json", "callback", json.dumps({**CALLBACK, "status": "done"}), "is no callback"),
    ("json", "callback", json.dumps({**CALLBACK, "colour": "red"}), "a callback has id, result"),
    ("json", "response", json.dumps({**ANSWER, "colour": "red"}), "the front door answers"),
    ("json", "response", json.dumps({**ANSWER, "output_location": "s3://b/my-2"}), "output_location is"),
    ("json", "error", json.dumps({"message": "no"}), "an error is"),
    ("json", "error", json.dumps({"message": "no", "errors": [{"field": "x"}]}), "each of errors is"),
    ("json", "json", "{", "is not JSON"),
    ("yaml", "", "a: [", "is not YAML"),
    ("yaml", "", "- a", "is no mapping of keys"),
    ("yaml", "", "stackNam: a", "is no part of config.yaml"),
    (
        "yaml",
        "",
        "modelsRuntime: [{name: a, namespace: b, type: comfyui, extraValues: {runtime: {scaling: {a: 1}}}}]",
        "extraValues of a: runtime.scaling: Additional properties are not allowed ('a' was unexpected)",
    ),
    ("yaml", "values", "runtime: {scaling: {queueLength: 0}}", "runtime.scaling.queueLength: 0 is less than the min"),
    ("yaml", "kubernetes", "a: 1", "a manifest has apiVersion"),
    ("yaml", "kubernetes", f"{SERVICE_ACCOUNT}colour: red", "the cluster would refuse it"),
]

GOOD = [
    ("bash", "", 'curl -s "$ENDPOINT" | python -m utils.operate.task --help'),
    ("bash", "cloud", "STACK_NAME=a ./test/run.sh --timeout 5"),
    ("bash", "cloud", "AWS_PROFILE=a ./deploy/deploy.sh -n a --dry-run"),
    ("bash", "cloud", "CDK_CONFIG_PATH=a infra/cdk.sh deploy"),
    ("bash", "cloud", ".venv/bin/python -m utils.operate.dead_letters redrive a --local"),
    ("bash", "cloud", 'X="$(aws --region a sts get-caller-identity --query Account --output text)"'),
    ("bash", "cloud", "aws sns subscribe --topic-arn a --protocol email --notification-endpoint a@example.com"),
    ("bash", "cloud", "aws ec2 describe-images --no-dry-run"),
    ("bash", "cloud", "kubectl -n a get pods -o wide\nsudo docker ps"),
    ("bash", "platform", "./deploy/deploy.sh --local --once &"),
    ("python", "", "print(1)"),
    ("python", "code", "A.B: (A.C,),"),
    ("json", "", request()),
    (
        "json",
        "",
        '{"alwayson_scripts": {"task": "text-to-image", "id_task": "a", "sd_model_checkpoint": "a.safetensors"}}',
    ),
    ("json", "callback", json.dumps(CALLBACK)),
    ("json", "response", json.dumps(ANSWER)),
    ("json", "error", json.dumps(REFUSAL)),
    ("json", "json", "[1]"),
    ("yaml", "", "vpc: {natGateways: 3}"),
    ("yaml", "values", "runtime: {scaling: {queueLength: 5}}"),
    ("yaml", "kubernetes", f"{SERVICE_ACCOUNT}---\n{SERVICE_ACCOUNT}"),
    ("text", "", "anything"),
]


def page_of(language: str, marker: str, text: str) -> str:
    comment = f"<!-- block: {marker} -->\n" if marker else ""
    return f"# Title\n\nWords.\n\n{comment}```{language}\n{text}\n```\n"


@pytest.mark.parametrize(("language", "marker", "text", "problem"), BAD)
def test_a_bad_block_is_told_with_its_page_and_line(language: str, marker: str, text: str, problem: str) -> None:
    problems = page_problems(parse(page_of(language, marker, text)), "docs/en/x.md")

    line = 6 if marker else 5
    assert any(told.startswith(f"docs/en/x.md:{line}: ") and problem in told for told in problems), problems


@pytest.mark.parametrize(("language", "marker", "text"), GOOD)
def test_a_good_block_passes(language: str, marker: str, text: str) -> None:
    assert page_problems(parse(page_of(language, marker, text)), "x.md") == []


def test_every_kind_is_tried_with_a_good_and_a_bad_block() -> None:
    assert {(language, marker) for language, marker, _ in GOOD} == {*KINDS}
    assert {(language, marker) for language, marker, _, _ in BAD} >= {*KINDS} - {("text", "")}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("<!-- block: cloud -->\n\nWords.\n", "stands before no block"),
        ("Words.\n\n    curl x\n", "an indented block is not checked"),
        ("It is in `utils/nonsense.py`.\n", "`utils/nonsense.py` is no file of the project"),
    ],
)
def test_what_means_nothing_is_told(text: str, problem: str) -> None:
    (told,) = page_problems(parse(text), "x.md")

    assert problem in told


def test_blocks_inside_of_lists_are_found() -> None:
    (block,) = parse("1. First:\n\n    <!-- block: cloud -->\n    ```bash\n    docker ps\n    ```\n").blocks

    assert block == Block(4, "bash", "cloud", "docker ps\n")


FIRST = "# A\n\n## B\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\n```text\nx\n```\n"


@pytest.mark.parametrize(
    ("second", "difference"),
    [
        (FIRST.replace("## B", "### B"), "heading 2: line 3 is of level 2, line 3 is of level 3"),
        (FIRST + "\n## C\n", "heading 3 is only in one of them: line 13"),
        (FIRST.replace("| 1 | 2 |\n", "| 1 | 2 |\n| 3 | 4 |\n"), "table 1: line 5 is of 2 rows"),
        (FIRST.replace("x", "y"), "block 1: line 9 is text"),
    ],
)
def test_a_page_that_differs_in_the_other_language_is_told(second: str, difference: str) -> None:
    (told,) = differences(parse(FIRST), parse(second))

    assert told.startswith(difference)


def test_other_words_are_no_difference() -> None:
    assert list(differences(parse(FIRST), parse(FIRST.replace("# A", "# Ä").replace("| 1 |", "| eins |")))) == []


@pytest.fixture
def quiet(tmp_path: Path) -> Terminal:
    """A terminal without a platform."""
    folder = tmp_path / "project"
    folder.mkdir()
    return Terminal(folder, {"PATH": "/usr/bin:/bin"})


def run(terminal: Terminal, *blocks: str) -> list[str]:
    return list(run_page(parse("".join(f"```bash\n{block}\n```\n\n" for block in blocks)), terminal))


def test_variables_stay_from_block_to_block(quiet: Terminal) -> None:
    assert run(quiet, "A='1 2'", 'test "$A" = "1 2"') == []


def test_a_failing_block_ends_the_page(quiet: Terminal) -> None:
    (failure,) = run(quiet, "true", "echo before; false; echo after", "echo > reached")

    assert failure.startswith("5: exit code 1")
    assert "before" in failure.splitlines()
    assert "after" not in failure.splitlines()
    assert not (quiet.folder / "reached").exists()


def test_a_bad_block_is_not_run(quiet: Terminal) -> None:
    (failure,) = run(quiet, "echo > reached; nonsense")

    assert failure.startswith("1: not run: ")
    assert not (quiet.folder / "reached").exists()


def test_what_a_block_leaves_running_is_ended(quiet: Terminal) -> None:
    assert run(quiet, "(sleep 1; echo > reached) >/dev/null 2>&1 &", "sleep 1.5; test ! -e reached") == []
