"""Queues, leases and failing renewals for the tests of the queue."""

from queue_agent.aws.lease import Lease
from queue_agent.aws.queue import Queue
from queue_agent.telemetry.metrics import Metrics
from queue_agent.telemetry.tracing import Telemetry
from test.support.world import World
from utils.local.aws_proxy import Call, Failure, error_answer


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


def failing_renewals(code: str, status: int) -> Failure:
    return lambda call: error_answer(code, status) if call == Call("sqs", "ChangeMessageVisibility", "/") else None


async def is_back(world: World) -> bool:
    waiting, _ = await world.depth()
    return waiting == 1
