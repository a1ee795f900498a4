"""Messages are received, deleted and released; an agent that dies loses its message to the next within the lease."""

import asyncio
import time
from pathlib import Path

import pytest

from contract.wire import (
    REPEAT,
    REPEAT_ATTRIBUTE,
    REQUEST_ID_ATTRIBUTE,
)
from queue_agent.aws.journal import LeaseJournal
from queue_agent.aws.renewals import held
from queue_agent.errors import AwsError, LeaseLost, TransientError
from test.queue_agent.aws.queues import a_queue, is_back, taken
from test.support.world import World, until
from utils.local.aws_proxy import Conditions, down, error_answer


async def test_a_received_message_is_known_by_id_body_and_receive_count(world: World) -> None:
    # Given a message
    message_id = await world.send("a task")
    queue = a_queue(world)
    # When it is received
    lease = await taken(queue)
    # Then the lease says what SQS said
    assert (lease.message_id, lease.body, lease.receives) == (message_id, "a task", 1)
    await queue.abandon(lease)


async def test_a_killed_agents_message_is_back_within_its_lease(world: World) -> None:
    # Given a lease that nobody renews any more
    await world.send("a task")
    queue = a_queue(world, lease_seconds=1)
    await queue.abandon(await taken(queue))
    # When its second is over, then the message is there again, counted twice
    again = await taken(queue)
    assert again.receives == 2
    await queue.abandon(again)


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
    await until(lambda: is_back(world))


async def test_an_empty_queue_gives_no_message(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queue_agent.aws.queue.LONG_POLL_SECONDS", 1)
    assert await a_queue(world).receive() is None


async def test_sqs_down_is_the_surroundings_fault_and_says_what_was_tried(world: World, conditions: Conditions) -> None:
    conditions.failure = down("sqs")
    with pytest.raises(TransientError, match="could not receive from the queue: ServiceUnavailable"):
        await a_queue(world).receive()
