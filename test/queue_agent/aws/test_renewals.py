"""A lease is renewed while it is held, and lost when it cannot be."""

import asyncio
import logging
import time

import pytest

from queue_agent.errors import AwsDenied, LeaseLost
from test.queue_agent.aws.queues import a_queue, failing_renewals, taken
from test.support.world import World, until
from utils.local.aws_proxy import Conditions, down


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
    conditions.failure = failing_renewals(code, status)
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
    conditions.failure = failing_renewals("ReceiptHandleIsInvalid", 400)
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
    conditions.failure = failing_renewals("AccessDenied", 403)
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
    conditions.failure = failing_renewals("AccessDenied", 403)
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
