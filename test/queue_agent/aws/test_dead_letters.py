"""A message that is given up goes to the dead-letter queue, once, with its reason, client and group."""

import pytest

from contract.wire import (
    CLIENT_ATTRIBUTE,
    message_group,
    text_attributes,
)
from queue_agent.errors import AwsDenied
from test.queue_agent.aws.queues import a_queue, is_back, taken
from test.support.world import World, until
from utils.local.aws_proxy import Conditions, error_answer


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
    await until(lambda: is_back(world))
