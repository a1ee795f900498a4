"""The lease: short, renewed while it is held, and ended by a deletion, a release, or a dead letter."""

import asyncio
import logging
import time
from pathlib import Path

import pytest

from contract.wire import (
    CLIENT_ATTRIBUTE,
    REPEAT,
    REPEAT_ATTRIBUTE,
    REQUEST_ID_ATTRIBUTE,
    message_group,
    text_attributes,
)
from queue_agent.aws.journal import LeaseJournal
from queue_agent.aws.lease import Lease
from queue_agent.aws.queue import Queue
from queue_agent.aws.renewals import held
from queue_agent.errors import AwsDenied, AwsError, LeaseLost, TransientError
from queue_agent.telemetry.metrics import Metrics
from queue_agent.telemetry.tracing import Telemetry
from test.support.world import World, until
from utils.local.aws_proxy import Call, Conditions, Failure, down, error_answer


def a_queue(world: World, lease_seconds: int = 60, *, dead_letters: bool = True) -> Queue:
    return Queue(
        world.clients.sqs,
        world.queue_url,
        world.dead_letter_url if dead_letters else None,
        lease_seconds,
        telemetry=Telemetry(Metrics("r")),
    )


async def taken(queue: Queue) -> Lease:
    lease = await queue.receive()
    assert lease is not None
    return lease


async def test_a_received_message_is_known_by_id_body_and_receive_count(world: World) -> None:
    # Given a message
    message_id = await world.send("a task")
    queue = a_queue(world)
    # When it is received
    lease = await taken(queue)
    # Then the lease says what SQS said
    assert (lease.message_id, lease.body, lease.receives) == (message_id, "a task", 1)
    await queue.abandon(lease)


async def test_a_lease_is_renewed_while_it_is_held_so_long_tasks_keep_their_message(world: World) -> None:
    # Given a lease of one second
    await world.send("a long task")
    queue = a_queue(world, lease_seconds=1)
    lease = await taken(queue)
    # When the task takes three times as long
    until_then = time.monotonic() + 3
    while time.monotonic() < until_then:
        await asyncio.sleep(0.1)
        # Then nobody else can take it meanwhile
        assert await world.depth() == (0, 1)
    assert not lease.lost.is_set()
    await queue.delete(lease)
    assert await world.depth() == (0, 0)


async def test_a_killed_agents_message_is_back_within_its_lease(world: World) -> None:
    # Given a lease that nobody renews any more
    await world.send("a task")
    queue = a_queue(world, lease_seconds=1)
    await queue.abandon(await taken(queue))
    # When its second is over, then the message is there again, counted twice
    again = await taken(queue)
    assert again.receives == 2
    await queue.abandon(again)


@pytest.mark.parametrize(
    ("code", "status", "lease_seconds"),
    [
        pytest.param("InternalError", 500, 3, id="what the SDK repeats by itself"),
        pytest.param("AccessDenied", 403, 6, id="what it does not"),
    ],
)
async def test_renewals_that_fail_are_tried_again_until_they_succeed(
    world: World, conditions: Conditions, code: str, status: int, lease_seconds: int
) -> None:
    # Given a lease whose renewals fail for a while
    await world.send("a task")
    queue = a_queue(world, lease_seconds)
    lease = await taken(queue)
    first_expiry = lease.expires
    conditions.failure = _failing_renewals(code, status)
    await until(lambda: conditions.calls["sqs", "ChangeMessageVisibility"] >= 1)
    # When SQS is well again
    conditions.failure = None
    # Then the lease goes on
    await until(lambda: lease.expires > first_expiry)
    assert not lease.lost.is_set()
    await queue.abandon(lease)


async def test_a_lease_that_could_not_be_renewed_in_time_is_lost(world: World, conditions: Conditions) -> None:
    # Given SQS is down for longer than the lease
    await world.send("a task")
    queue = a_queue(world, lease_seconds=1)
    lease = await taken(queue)
    conditions.failure = down("sqs")
    # When the lease runs out
    await asyncio.wait_for(lease.lost.wait(), 30)
    # Then this agent may not speak of the task any more
    with pytest.raises(LeaseLost):
        lease.check()
    conditions.failure = None
    await queue.abandon(lease)


async def test_a_process_that_stalled_past_its_lease_does_not_believe_in_it(world: World) -> None:
    # Given a lease of one second
    await world.send("a task")
    queue = a_queue(world, lease_seconds=1)
    lease = await taken(queue)
    # When the whole process stands still for longer, its renewals included
    time.sleep(1.2)  # noqa: ASYNC251 - that is the stall
    # Then the lease is over before anybody said so
    assert not lease.lost.is_set()
    with pytest.raises(LeaseLost):
        lease.check()
    await queue.abandon(lease)


async def test_a_receipt_that_sqs_no_longer_takes_is_lost_at_once(world: World, conditions: Conditions) -> None:
    # Given a lease of a minute
    await world.send("a task")
    queue = a_queue(world, lease_seconds=3)
    lease = await taken(queue)
    # When SQS says that the receipt is not good any more
    conditions.failure = _failing_renewals("ReceiptHandleIsInvalid", 400)
    # Then nothing is tried a second time
    await asyncio.wait_for(lease.lost.wait(), 30)
    assert conditions.calls["sqs", "ChangeMessageVisibility"] == 1
    await queue.abandon(lease)


async def test_a_failing_renewal_is_logged_when_it_begins_and_when_it_ends(
    world: World, conditions: Conditions, caplog: pytest.LogCaptureFixture
) -> None:
    # Given renewals that fail more than once
    caplog.set_level(logging.INFO, "queue_agent")
    await world.send("a task")
    queue = a_queue(world, 9)
    lease = await taken(queue)
    conditions.failure = _failing_renewals("AccessDenied", 403)
    await until(lambda: conditions.calls["sqs", "ChangeMessageVisibility"] >= 2)
    conditions.failure = None
    # When they succeed again
    await until(lambda: "the lease is renewed again" in caplog.text)
    # Then that is two lines, with the cause
    assert caplog.text.count("the lease was not renewed; retrying until it expires") == 1
    assert caplog.text.count("the lease is renewed again") == 1
    (record,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "AWS denied sqs:ChangeMessageVisibility: the role of this pod needs it" in vars(record)["cause"]
    await queue.abandon(lease)


async def test_an_agent_that_may_not_renew_takes_no_more_messages_until_it_may(
    world: World, conditions: Conditions
) -> None:
    # Given a lease that was lost for want of the permission
    await world.send("a task")
    queue = a_queue(world, lease_seconds=1)
    lease = await taken(queue)
    conditions.failure = _failing_renewals("AccessDenied", 403)
    await asyncio.wait_for(lease.lost.wait(), 30)
    await queue.abandon(lease)
    # Then its cause is known, and no run is begun that would be lost, too
    assert lease.lost_cause is not None
    assert lease.lost_cause.message.startswith("could not renew the lease: AccessDenied")
    with pytest.raises(AwsDenied, match="AWS denied sqs:ChangeMessageVisibility"):
        await queue.receive()
    assert conditions.calls["sqs", "ReceiveMessage"] == 1
    # When it is granted, then messages are taken again
    conditions.failure = None
    await queue.abandon(await until(queue.receive))


async def test_a_message_that_is_gone_while_it_is_deleted_is_no_lost_lease(
    world: World, conditions: Conditions, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a deletion that arrived, whose response did not
    await world.send("a task")
    queue = a_queue(world, lease_seconds=1)
    lease = await taken(queue)
    conditions.failure = lambda call: (
        error_answer("ServiceUnavailable", 503)
        if call.action == "DeleteMessage"
        else error_answer("ReceiptHandleIsInvalid", 400)
    )
    with pytest.raises(AwsError):
        await queue.delete(lease)
    # When its lease is renewed meanwhile
    await until(lambda: conditions.calls["sqs", "ChangeMessageVisibility"] >= 1)
    await asyncio.sleep(0.2)
    # Then nobody speaks of a loss
    assert "a lease was lost" not in caplog.text
    assert not lease.lost.is_set()
    conditions.failure = None
    await queue.delete(lease)


async def test_a_deletion_with_a_receipt_that_is_not_good_any_more_is_not_repeated(
    world: World, conditions: Conditions
) -> None:
    await world.send("a task")
    queue = a_queue(world)
    lease = await taken(queue)
    conditions.failure = lambda call: (
        error_answer("ReceiptHandleIsInvalid", 400) if call.action == "DeleteMessage" else None
    )
    with pytest.raises(LeaseLost):
        await queue.delete(lease)
    await queue.abandon(lease)


async def test_a_release_does_not_wait_for_sqs(
    world: World, conditions: Conditions, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given SQS that answers in 20 seconds
    monkeypatch.setattr("queue_agent.aws.queue.RELEASE_SECONDS", 0.2)
    await world.send("a task")
    queue = a_queue(world)
    lease = await taken(queue)
    conditions.latency = {"sqs": 20.0}
    # Then a process that stops is not held up
    await asyncio.wait_for(queue.release(lease), 10)


async def test_a_lease_says_which_request_its_message_is_of(world: World) -> None:
    # Given messages of a request, of none, and of what is no request's id
    request_id = "5fea7756-0ea4-451a-a703-a558b933e274"
    for attributes in (
        {REQUEST_ID_ATTRIBUTE: request_id, REPEAT_ATTRIBUTE: REPEAT},
        {REQUEST_ID_ATTRIBUTE: "x/.."},
        {},
    ):
        await world.direct.sqs.send_message(
            QueueUrl=world.queue_url,
            MessageBody="a task",
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )
    queue = a_queue(world)
    leases = [await taken(queue) for _ in range(3)]
    # Then
    assert sorted((lease.request_id or "", lease.repeat) for lease in leases) == [
        ("", False),
        ("", False),
        (request_id, True),
    ]
    assert all(abs(lease.first_received - time.time()) < 600 for lease in leases)
    for lease in leases:
        await queue.abandon(lease)


@pytest.mark.parametrize(
    ("attributes", "read"),
    [
        ({"client": "shop", "deadline": "1800000000", "webhook": "ended"}, ("shop", 1_800_000_000, "ended")),
        ({}, (None, None, "")),
        ({"client": "a#b", "deadline": "soon"}, ("a#b", None, "")),
    ],
)
async def test_a_lease_says_who_sent_its_task_and_until_when_the_result_is_wanted(
    world: World, tmp_path: Path, attributes: dict[str, str], read: tuple[object, ...]
) -> None:
    # Given a message, maybe of somebody who writes what he likes
    await world.send("a task", attributes)
    queue, journal = a_queue(world), LeaseJournal(tmp_path)
    # When it is received, and held by a successor of this process
    lease = await taken(queue)
    journal.hold(held(lease))
    resumed = await queue.resume(LeaseJournal(tmp_path).take_over()[0])
    # Then both know
    assert resumed is not None
    assert (lease.client, lease.deadline, lease.webhook) == read
    assert (resumed.client, resumed.deadline, resumed.webhook, resumed.sent) == (*read, lease.sent)
    # And so does a dead letter
    await queue.dead_letter(lease, "why")
    await queue.abandon(resumed)
    (letter,) = await world.dead_letters()
    kept = {name: letter["MessageAttributes"].get(name, {}).get("StringValue") for name in ("deadline", "webhook")}
    assert kept == {"deadline": str(read[1]) if read[1] else None, "webhook": read[2] or None}


async def test_handing_back_makes_the_message_visible_at_once(world: World) -> None:
    # Given a held message
    await world.send("a task")
    queue = a_queue(world)
    # When it is handed back
    await queue.release(await taken(queue))
    # Then it can be taken again
    assert await world.depth() == (1, 0)


async def test_handing_back_with_a_delay_keeps_it_hidden_that_long(world: World) -> None:
    # Given a held message
    await world.send("a task")
    queue = a_queue(world)
    # When it is handed back with a delay
    await queue.release(await taken(queue), delay=600)
    # Then it is neither lost nor there
    assert await world.depth() == (0, 1)


async def test_a_hand_back_that_fails_leaves_the_rest_to_the_lease(world: World, conditions: Conditions) -> None:
    # Given a held message and SQS down
    await world.send("a task")
    queue = a_queue(world, lease_seconds=1)
    lease = await taken(queue)
    conditions.failure = down("sqs")
    # When it is handed back, then nothing is raised
    await queue.release(lease)
    conditions.failure = None
    # And the message comes back by itself
    await until(lambda: _is_back(world))


async def test_a_buried_message_lies_in_the_dead_letter_queue_with_its_reason(world: World) -> None:
    # Given a held message
    message_id = await world.send("not a task")
    queue = a_queue(world)
    lease = await taken(queue)
    # When it is buried
    await queue.dead_letter(lease, "not JSON\x07: really")
    # Then it has moved, and says why
    assert await world.depth() == (0, 0)
    (letter,) = await world.dead_letters()
    assert letter["Body"] == "not a task"
    said = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert said == {"reason": "not JSON : really", "message_id": message_id, "receives": "1"}


async def test_a_message_keeps_its_client_and_its_group_as_a_dead_letter(world: World) -> None:
    # Given
    await world.direct.sqs.send_message(
        QueueUrl=world.queue_url,
        MessageBody="not a task",
        MessageAttributes=text_attributes({CLIENT_ATTRIBUTE: "web"}),
        **message_group("web"),
    )
    queue = a_queue(world)
    # When
    lease = await taken(queue)
    await queue.dead_letter(lease, "not JSON")
    # Then
    assert (lease.client, lease.group) == ("web", "web")
    (letter,) = await world.dead_letters()
    assert letter["MessageAttributes"]["client"]["StringValue"] == "web"
    assert letter["Attributes"]["MessageGroupId"] == "web"


async def test_a_message_of_no_client_says_so(world: World) -> None:
    await world.send("a task")
    queue = a_queue(world)
    lease = await taken(queue)
    assert (lease.client, lease.group) == (None, None)
    await queue.abandon(lease)


async def test_a_dead_letter_is_sent_once_however_often_its_deletion_fails(
    world: World, conditions: Conditions
) -> None:
    # Given a deletion that fails
    await world.send("not a task")
    queue = a_queue(world, lease_seconds=1)
    lease = await taken(queue)
    conditions.failure = lambda call: error_answer("AccessDenied", 403) if call.action == "DeleteMessage" else None
    for _ in range(3):
        with pytest.raises(AwsDenied, match="AWS denied sqs:DeleteMessage"):
            await queue.dead_letter(lease, "not JSON")
    await queue.abandon(lease)
    # When the message is delivered to this process again
    conditions.failure = None
    await queue.dead_letter(await until(queue.receive), "not JSON")
    # Then it is one dead letter
    assert len(await world.dead_letters()) == 1
    assert await world.depth() == (0, 0)


async def test_without_a_dead_letter_queue_the_message_is_left_to_the_redrive(world: World) -> None:
    # Given no dead-letter queue in the settings
    await world.send("not a task")
    queue = a_queue(world, lease_seconds=1, dead_letters=False)
    # When a message is buried
    await queue.dead_letter(await taken(queue), "not JSON")
    # Then it is not lost
    await until(lambda: _is_back(world))


async def test_an_empty_queue_gives_no_message(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queue_agent.aws.queue.LONG_POLL_SECONDS", 1)
    assert await a_queue(world).receive() is None


async def test_sqs_down_is_the_surroundings_fault_and_says_what_was_tried(world: World, conditions: Conditions) -> None:
    conditions.failure = down("sqs")
    with pytest.raises(TransientError, match="could not receive from the queue: ServiceUnavailable"):
        await a_queue(world).receive()


def _failing_renewals(code: str, status: int) -> Failure:
    return lambda call: error_answer(code, status) if call == Call("sqs", "ChangeMessageVisibility", "/") else None


async def _is_back(world: World) -> bool:
    waiting, _ = await world.depth()
    return waiting == 1
