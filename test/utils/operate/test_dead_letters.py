"""Dead letters, listed, shown, redriven and deleted on a moto server."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import yaml
from moto.server import ThreadedMotoServer

from contract.wire import encode_task, message_group, text_attributes
from sd_on_eks.cli.app import run
from test.support.platform import CONFIG, addresses_of
from test.support.world import a_task
from utils.local import running
from utils.operate.command import ops

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

STACK = "letters"
"""Of its own: all of a process's moto servers hold the same queues, and other tests' are called by the default."""

TRACE = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01"


class Queues:
    """A runtime's two queues on an AWS of its own, and the command on them."""

    def __init__(
        self, sqs: "SQSClient", folder: Path, monkeypatch: pytest.MonkeyPatch, name: str = "sdruntime"
    ) -> None:
        self.sqs = sqs
        self.monkeypatch = monkeypatch
        self.queue = sqs.create_queue(QueueName=f"{STACK}_{name}")["QueueUrl"]
        self.dead = sqs.create_queue(QueueName=f"{STACK}_{name}_dead")["QueueUrl"]
        self.folder = folder

    def bury(
        self,
        task_id: str,
        reason: str | None = "gave up after 3 attempts: out of memory",
        client: str | None = None,
        **more: str,
    ) -> str:
        attributes: dict[str, Any] = text_attributes({"traceparent": TRACE, **more})
        if reason:
            attributes["reason"] = {"DataType": "String", "StringValue": reason}
            attributes["receives"] = {"DataType": "Number", "StringValue": "3"}
        attributes |= text_attributes({"client": client})
        sent = self.sqs.send_message(
            QueueUrl=self.dead,
            MessageBody=encode_task(a_task(task_id)),
            MessageAttributes=attributes,
            **message_group(client),
        )
        return sent["MessageId"]

    def run(self, action: str, *arguments: str, answer: str = "n", runtime: str = "sdruntime") -> int:
        """The exit code; ``answer`` is what is typed when it asks."""
        self.monkeypatch.setattr("sys.stdin", io.StringIO(f"{answer}\n"))
        where = ("--config", str(self.folder / "config.yaml"), "--output", str(self.folder))
        return run(["dead-letters", action, *where, runtime, *arguments], ops)

    def depth(self, url: str) -> int:
        shown = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        return int(shown["Attributes"]["ApproximateNumberOfMessages"])


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def queues(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queues]:
    monkeypatch.setattr("utils.operate.dead_letter_queue.POLL_SECONDS", 0)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({**CONFIG, "stackName": STACK}))
    (tmp_path / ".platform").mkdir()
    running.write(tmp_path, addresses_of(endpoint))
    sqs = boto3.Session("x", "x").client("sqs", region_name="us-east-1", endpoint_url=endpoint)
    made = Queues(sqs, tmp_path, monkeypatch)
    yield made
    for url in (made.queue, made.dead):
        sqs.delete_queue(QueueUrl=url)


def test_the_list_tells_reason_age_and_receives_and_takes_nothing(
    queues: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a letter that an agent buried, and one that SQS itself did
    ids = [queues.bury("dog"), queues.bury("cat", reason=None)]
    # When
    assert queues.run("list") == 0
    # Then
    shown = capsys.readouterr().out
    for word in (*ids, "dog", "cat", "3", " s", "out of memory", "received too often"):
        assert word in shown
    assert queues.depth(queues.dead) == 2


def test_an_empty_list_says_so(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    assert queues.run("list") == 0
    assert capsys.readouterr() == ("", "there are no dead letters\n")
    assert queues.run("list", "--json") == 0
    assert capsys.readouterr() == ("", "")


def test_letters_are_listed_as_json(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    message_id = queues.bury("dog")
    assert queues.run("list", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["message_id"], shown["task_id"], shown["reason"]) == (
        message_id,
        "dog",
        "gave up after 3 attempts: out of memory",
    )


def test_one_letter_is_shown_whole(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    message_id = queues.bury("dog")
    queues.bury("cat")
    assert queues.run("show", message_id) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["task_id"], shown["receives"], shown["traceparent"]) == ("dog", "3", TRACE)
    assert shown["body"] == json.loads(encode_task(a_task("dog")))


def test_a_letter_is_redriven_with_its_trace_once_it_was_agreed_to(
    queues: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given
    message_id = queues.bury("dog")
    queues.bury("cat")
    # When
    assert queues.run("redrive", message_id, answer="y") == 0
    # Then
    assert "redrive 1 of sdruntime? [y/N]" in capsys.readouterr().err
    (message,) = queues.sqs.receive_message(QueueUrl=queues.queue, MessageAttributeNames=["All"])["Messages"]
    assert json.loads(message["Body"])["task"]["metadata"]["id"] == "dog"
    assert set(message["MessageAttributes"]) == {"traceparent"}
    assert message["MessageAttributes"]["traceparent"]["StringValue"] == TRACE
    assert queues.depth(queues.dead) == 1


def test_a_redriven_letter_is_still_its_clients(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    # Given
    message_id = queues.bury("dog", client="web")
    # When
    assert queues.run("show", message_id) == 0
    assert queues.run("redrive", "--yes") == 0
    # Then
    assert '"client": "web"' in capsys.readouterr().out
    (message,) = queues.sqs.receive_message(
        QueueUrl=queues.queue, MessageAttributeNames=["All"], MessageSystemAttributeNames=["MessageGroupId"]
    )["Messages"]
    assert message["MessageAttributes"]["client"]["StringValue"] == "web"
    assert message["Attributes"]["MessageGroupId"] == "web"


def test_a_redriven_letter_has_its_deadline_and_webhook_again(queues: Queues) -> None:
    kept = {"deadline": "1800000000", "webhook": "started,ended"}
    queues.bury("dog", **kept)
    assert queues.run("redrive", "--yes") == 0
    (message,) = queues.sqs.receive_message(QueueUrl=queues.queue, MessageAttributeNames=["All"])["Messages"]
    values = {name: value.get("StringValue") for name, value in message["MessageAttributes"].items()}
    assert values == {"traceparent": TRACE, **kept}


def test_a_webhooks_letter_is_redriven_as_it_came(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    # Given one that the sender gave up, and a callback that SQS itself moved
    webhooks = Queues(queues.sqs, queues.folder, queues.monkeypatch, "webhook_events")
    event = {"client": "default", "id": "dog", "request": "r", "event": "ended", "runtime": "sdruntime"}
    notes = {"reason": "the receiver answered 500", "receives": "16"}
    attributes = {"client": "default", "request_id": "r", "webhook": "ended"}
    for body, named in ((event, notes), ({"id": "cat"}, attributes)):
        queues.sqs.send_message(
            QueueUrl=webhooks.dead,
            MessageBody=json.dumps(body),
            MessageAttributes={name: {"DataType": "String", "StringValue": text} for name, text in named.items()},
        )
    # When
    assert webhooks.run("list", runtime="webhook_events") == 0
    shown = capsys.readouterr().out
    assert webhooks.run("redrive", "--yes", runtime="webhook_events") == 0
    # Then
    for word in ("dog", "cat", "the receiver answered 500"):
        assert word in shown
    answer = queues.sqs.receive_message(
        QueueUrl=webhooks.queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=0
    )
    found = {
        json.loads(message["Body"])["id"]: {
            name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()
        }
        for message in answer["Messages"]
    }
    assert found == {"dog": {}, "cat": attributes}


def test_all_letters_are_redriven_when_none_is_named(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(12):
        queues.bury(f"t{number}")
    assert queues.run("redrive", "--yes") == 0
    assert capsys.readouterr().err == ""
    assert (queues.depth(queues.queue), queues.depth(queues.dead)) == (12, 0)


@pytest.mark.parametrize("action", ["redrive", "delete"])
@pytest.mark.parametrize("answer", ["n", "", "yes please\nn"])
def test_nothing_changes_without_a_yes(action: str, answer: str, queues: Queues) -> None:
    message_id = queues.bury("dog")
    assert queues.run(action, message_id, answer=answer) == 1
    assert (queues.depth(queues.queue), queues.depth(queues.dead)) == (0, 1)


def test_a_letter_is_deleted(queues: Queues) -> None:
    message_id = queues.bury("dog")
    queues.bury("cat")
    assert queues.run("delete", message_id, answer="y") == 0
    assert (queues.depth(queues.queue), queues.depth(queues.dead)) == (0, 1)


def test_what_is_not_there_is_said(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    queues.bury("dog")
    assert queues.run("delete", "nosuch", answer="y") == 2
    assert queues.run("list", runtime="nosuch") == 2
    shown = capsys.readouterr().err
    assert "sdruntime has no dead letter nosuch" in shown
    assert "has no runtime 'nosuch'; it has sdruntime, flow, graph; name another file with --config" in shown
    assert queues.run("list", runtime="flow") == 2
    assert f"there is no queue {STACK}_flow" in capsys.readouterr().err
    assert queues.depth(queues.dead) == 1


def test_an_empty_queue_asks_nothing(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    assert queues.run("redrive") == 0
    assert capsys.readouterr().err == "there are no dead letters\n"


def test_without_a_platform_it_says_how_to_get_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({**CONFIG, "stackName": STACK}))
    where = ["--config", str(tmp_path / "config.yaml"), "--output", str(tmp_path)]
    assert run(["dead-letters", "list", *where, "sdruntime"], ops) == 2
    assert "no platform runs with the output folder" in capsys.readouterr().err


def test_a_letter_that_is_no_task_is_listed_without_control_characters(
    queues: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    queues.sqs.send_message(QueueUrl=queues.dead, MessageBody="\x1b[31mno task")
    assert queues.run("list") == 0
    assert "\x1b" not in capsys.readouterr().out
