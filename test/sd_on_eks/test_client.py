"""The client's verbs against the real front door; an agent's writes are made by the test."""

import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from contract.task_table.item import Output, State
from contract.task_table.writes import Ending
from sd_on_eks import (
    Client,
    JobError,
    NotFound,
    Status,
    TaskCanceled,
    WaitTimeout,
    graph,
    image_to_image,
    text_to_image,
)
from test.sd_on_eks.agent import PNG, agent, stored
from test.sd_on_eks.conftest import JOB, KEY, PATIENCE, Site, new_id


def test_a_run_returns_what_the_task_made(site: Site, client: Client, tmp_path: Path) -> None:
    task_id = new_id()

    with agent(site):
        (output,) = client.run(JOB, id=task_id, timeout=PATIENCE)

    assert (output.n, output.type, output.size) == (1, "image/png", len(PNG))
    assert output.bytes() == PNG
    assert output.save(tmp_path) == tmp_path / f"{task_id}-1.png"
    assert output.save(tmp_path / "named.png").read_bytes() == PNG
    assert sorted(path.name for path in tmp_path.iterdir()) == ["named.png", f"{task_id}-1.png"]


def test_a_repeated_run_gets_the_same_task_and_no_second_one(site: Site, client: Client) -> None:
    task_id = new_id()
    with pytest.raises(WaitTimeout) as interrupted:
        client.run(JOB, id=task_id, timeout=0.1)
    assert interrupted.value.task.id == task_id
    site.api.ends(task_id, Ending(status=State.COMPLETED, outputs=[stored(site, task_id)]))

    (output,) = client.run(JOB, id=task_id, timeout=PATIENCE)

    assert output.bytes() == PNG
    assert len(site.api.door.received("sdruntime")) == 1


def test_a_submission_whose_answer_was_lost_is_repeated_and_runs_once(site: Site, client: Client) -> None:
    site.door.faults.append(RuntimeError("the answer is lost"))

    task = client.submit(JOB)

    assert task.status is Status.QUEUED
    assert [method for method, _ in site.door.requests] == ["POST", "POST"]
    messages = site.api.door.received("sdruntime")
    assert sorted(message.repeat for message in messages) == [False, True]
    assert len({message.request_id for message in messages}) == 1


def test_a_request_waits_for_as_long_as_it_was_asked_to(site: Site, client: Client) -> None:
    task = client.submit(JOB)
    site.door.faults.append({"statusCode": 503, "headers": {"Retry-After": "1"}, "body": '{"message": "busy"}'})
    began = time.monotonic()

    assert client.task(task.id).id == task.id

    assert time.monotonic() - began >= 1


def test_events_show_each_change_until_the_end(site: Site, client: Client) -> None:
    task = client.submit(JOB)
    site.api.runs(task.id)

    seen: list[tuple[Status, float | None]] = []
    for event in task.events(timeout=PATIENCE):
        seen.append((event.status, event.progress.value if event.progress else None))
        if len(seen) == 1:
            site.api.beats(task.id, 0.5)
        elif len(seen) == 2:
            site.api.ends(task.id, Ending(status=State.COMPLETED))

    assert [status for status, _ in seen] == [Status.RUNNING, Status.RUNNING, Status.COMPLETED]
    assert seen[1][1] == 0.5


def test_a_task_that_has_ended_has_no_events(client: Client) -> None:
    assert list(client.submit(JOB).cancel().events()) == []


def test_events_of_a_task_from_a_list_begin_with_how_it_is(site: Site, client: Client) -> None:
    label = uuid.uuid4().hex
    client.submit(JOB, labels={"batch": label})
    (task,) = client.tasks(labels={"batch": label})

    first = next(task.events(timeout=PATIENCE))

    assert first.status is Status.QUEUED


def test_events_end_after_the_time_to_wait(client: Client) -> None:
    task = client.submit(JOB)

    with pytest.raises(WaitTimeout, match=r"is queued after 0\.2 s"):
        list(task.events(timeout=0.2))


def test_a_waiting_task_is_canceled_at_once(client: Client) -> None:
    task = client.submit(JOB).cancel()

    assert task.status is Status.CANCELED
    assert task.cancel().status is Status.CANCELED
    with pytest.raises(TaskCanceled):
        task.checked()


def test_a_running_task_is_asked_to_stop(site: Site, client: Client) -> None:
    task = client.submit(JOB)
    site.api.runs(task.id)

    stopping = task.cancel()

    assert (stopping.status, stopping.cancel_requested is not None) == (Status.RUNNING, True)


def test_tasks_are_listed_over_pages(client: Client) -> None:
    label = uuid.uuid4().hex
    made = [client.submit(JOB, labels={"batch": label}).id for _ in range(5)]

    listed = [task.id for task in client.tasks(labels={"batch": label})]
    limited = [task.id for task in client.tasks(labels={"batch": label}, limit=2)]

    assert sorted(listed) == sorted(made)
    assert limited == listed[:2]
    assert list(client.tasks(labels={"batch": label}, status="running")) == []
    with pytest.raises(ValueError, match="limit"):
        list(client.tasks(limit=0))


def test_a_listed_task_can_be_waited_for_and_its_outputs_read(site: Site, client: Client) -> None:
    task_id, label = new_id(), uuid.uuid4().hex
    client.submit(JOB, id=task_id, labels={"batch": label})
    site.api.ends(task_id, Ending(status=State.COMPLETED, outputs=[stored(site, task_id)]))

    (task,) = client.tasks(labels={"batch": label})

    assert task.outputs[0].url is None
    assert task.outputs[0].bytes() == PNG


def test_an_output_that_was_deleted_is_not_found(site: Site, client: Client, tmp_path: Path) -> None:
    task_id = client.submit(JOB).id
    missing = Output(key=f"output/{task_id}/gone.png", type="image/png", size=1)
    site.api.ends(task_id, Ending(status=State.COMPLETED, outputs=[missing]))
    (output,) = client.task(task_id).outputs

    with pytest.raises(NotFound, match="output 1 of task"):
        output.save(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_files_of_a_job_are_uploaded(site: Site, client: Client, tmp_path: Path) -> None:
    image = tmp_path / "my photo.png"
    image.write_bytes(PNG)

    client.submit(image_to_image(image, "the same in oil"), runtime="sdruntime")

    (message,) = site.api.door.received("sdruntime")
    (link,) = site.api.door.content_of(message)["init_images"]
    assert link.startswith("s3://")
    assert link.endswith("/my_photo.png")
    bucket, _, key = link.removeprefix("s3://").partition("/")
    found = site.api.door.s3.get_object(Bucket=bucket, Key=key)
    assert (found["Body"].read(), found["ContentType"]) == (PNG, "image/png")


def test_a_repeated_job_with_files_gets_the_same_task(client: Client, tmp_path: Path) -> None:
    image = tmp_path / "a.png"
    image.write_bytes(PNG)
    job = image_to_image(image, "the same in oil").having(runtime="sdruntime", id=new_id())

    assert client.submit(job).created == client.submit(job).created


@pytest.mark.parametrize("empty", [True, False])
def test_a_file_that_cannot_be_uploaded_is_an_error(empty: bool, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    if empty:
        file.touch()

    with pytest.raises(JobError, match=r"a\.png"):
        client.upload(file)


def test_the_runtime_may_be_left_out_where_one_serves_the_job(client: Client) -> None:
    assert client.submit(graph({"nodes": {}, "edges": []})).runtime == "invoke"
    with pytest.raises(JobError, match="sdruntime, switching"):
        client.submit(text_to_image("a lighthouse"))


def test_runtimes_are_shown_with_their_load(client: Client) -> None:
    runtimes = {runtime.name: runtime for runtime in client.runtimes()}

    assert runtimes["comfy"].tasktypes == ("pipeline",)
    assert runtimes["sdruntime"].tasks is not None
    assert runtimes["sdruntime"].start_in is None


def test_a_key_never_goes_to_the_bucket(site: Site, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    task_id = client.submit(JOB).id
    site.api.ends(task_id, Ending(status=State.COMPLETED, outputs=[stored(site, task_id)]))
    sent: list[Any] = []
    client._transport._http.event_hooks["request"] = [sent.append]

    client.task(task_id).outputs[0].bytes()

    assert [KEY in request.headers.values() for request in sent] == [True, False]
