"""What the client raises, against the real API."""

import pytest

from contract.callback import Cause
from contract.task_table.item import State
from contract.task_table.writes import Ending
from sd_on_eks import (
    Client,
    Forbidden,
    IdInUse,
    InvalidRequest,
    JobError,
    NotFound,
    RateLimited,
    Status,
    TaskFailed,
    Timings,
    Unavailable,
    Unreachable,
    text_to_image,
)
from test.sd_on_eks.conftest import JOB, SHORT, Site


def test_another_job_with_the_same_id_is_refused(client: Client) -> None:
    task = client.submit(JOB)

    with pytest.raises(IdInUse) as refused:
        client.submit(text_to_image("another"), id=task.id, runtime="sdruntime")

    assert (refused.value.status, refused.value.kind) == (422, "id-in-use")
    assert task.id in str(refused.value)


def test_an_error_that_stays_is_raised_when_the_time_for_tries_is_over(site: Site) -> None:
    site.door.faults += [{"statusCode": 503, "headers": {}, "body": '{"message": "busy"}'}] * 100

    with (
        site.client(Timings(first_pause=0.01, longest_pause=0.05, retry_for=0.5)) as client,
        pytest.raises(Unavailable, match="busy"),
    ):
        client.task("any")

    assert 2 < len(site.door.requests) < 100


def test_a_used_up_quota_is_not_waited_for(site: Site, client: Client) -> None:
    site.door.faults.append({"statusCode": 429, "headers": {}, "body": '{"message": "Limit Exceeded"}'})

    with pytest.raises(RateLimited):
        client.task("any")

    assert len(site.door.requests) == 1


def test_a_place_that_does_not_answer_is_named_without_the_key() -> None:
    with (
        Client("http://127.0.0.1:9/dev", "secret", timings=Timings(retry_for=0.1)) as client,
        pytest.raises(Unreachable, match=r"http://127\.0\.0\.1:9/dev/v1alpha2/tasks/a1 did not answer") as failed,
    ):
        client.task("a1")

    assert "secret" not in str(failed.value)


def test_a_wrong_key_is_an_error_at_once(site: Site) -> None:
    with Client(site.endpoint, "wrong", timings=SHORT) as client, pytest.raises(Forbidden) as refused:
        client.runtimes()

    assert refused.value.status == 401
    assert refused.value.request_id


def test_a_refusal_names_every_field(client: Client) -> None:
    with pytest.raises(InvalidRequest) as refused:
        client.submit(JOB, deadline=-1, labels={"order": ""})

    assert {error.field for error in refused.value.errors} == {"options.deadline", "options.labels.order"}


def test_what_is_not_there_is_not_found(client: Client) -> None:
    with pytest.raises(NotFound, match="there is no task 'nothing'"):
        client.task("nothing")


def test_ids_cannot_lead_to_other_paths(site: Site, client: Client) -> None:
    with pytest.raises(NotFound):
        client.task("../runtimes")
    with pytest.raises(JobError):
        client.task("..")


def test_a_failed_run_raises_with_its_cause(site: Site, client: Client) -> None:
    task_id = client.submit(JOB).id
    site.api.ends(task_id, Ending(status=State.FAILED, error=Cause(type="runtime", message="out of memory")))

    with pytest.raises(TaskFailed, match="out of memory") as failed:
        client.run(JOB, id=task_id)

    assert failed.value.task.error.type == "runtime"
    assert client.task(task_id).wait().status is Status.FAILED
