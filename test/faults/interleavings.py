"""Two agents, their tasks, and clients that cancel them at any moment: what the table of tasks is told, write by write.

Many messages are delivered to both agents at once, runs fail and are repeated, deadlines pass. Every write that the
table takes is recorded with the state that it leaves.
"""

import asyncio
import logging
import os
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from contract.task_table import writes
from contract.task_table.item import State, TaskItem
from contract.task_table.keys import PARTITION_KEY
from contract.task_table.values import from_values
from contract.wire import CLIENT_ATTRIBUTE, DEADLINE_ATTRIBUTE, REQUEST_ID_ATTRIBUTE, encode_task
from queue_agent.aws.clients import Clients, open_clients
from queue_agent.runtimes.base import Job, Result
from test.bench.stage import REGION, credentials
from test.faults.scenario import Ground, Report
from test.support.agents import QUICK, assembled, at_work
from test.support.tables import CLIENT, cancel, item_of, submit
from test.support.world import ScriptedRuntime, World, a_result, a_task, make_world, until
from utils.local.aws_proxy import Call, Conditions, aws_proxy, error_answer

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

log = logging.getLogger(__name__)

BEATING = replace(QUICK, beat=0.01, look=0.005)
"""Many beats in short runs; a look at the table may come too late."""
LEASE_SECONDS = 3
OUTSTANDING = 40
"""Tasks that are on their way at a time."""
LONGEST_RUN, LATEST_CANCEL = 0.06, 0.4
FAILING_RUNS, CANCELED, DUPLICATED, DEADLINED = 0.1, 0.4, 0.3, 0.1
DEADLINE_SECONDS = 1
LOOK_SECONDS = 2.0
"""Between two looks of a client at its task."""
PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Write:
    """A write that the table took: the state and the revision that it left."""

    status: State
    revision: int


class Recorder:
    """A client of DynamoDB whose writes are recorded."""

    def __init__(self, client: Any, taken: dict[str, list[Write]]) -> None:
        self._client = client
        self._taken = taken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def update_item(self, **request: Any) -> Any:
        answer = await self._client.update_item(**{**request, "ReturnValues": "ALL_NEW"})
        item = from_values(answer["Attributes"])
        self._taken[item[PARTITION_KEY]].append(Write(State(item["status"]), item["revision"]))
        return answer


class Erratic(ScriptedRuntime):
    """Runs take a random time, and some fail for no reason that anybody knows."""

    def __init__(self, rolls: random.Random) -> None:
        super().__init__(self._run)
        self._rolls = rolls

    async def _run(self, _: Job) -> Result:
        await asyncio.sleep(self._rolls.random() * LONGEST_RUN)
        if self._rolls.random() < FAILING_RUNS:
            raise ZeroDivisionError("erratic")
        return a_result()

    async def progress(self) -> float | None:
        return self._rolls.random()


async def interleave(
    ground: Ground, *, tasks: int = 5000, agents: int = 2, failing_share: float = 0.0, seed: int = 0
) -> Report:
    """Run so many tasks; a share (0..1) of the table's calls fails before AWS sees them."""
    rolls, taken = random.Random(seed), defaultdict[str, list[Write]](list)
    conditions = Conditions()
    if failing_share:
        conditions.failure = _failing(failing_share, rolls)
    os.environ.update(credentials(ground.endpoint))
    async with AsyncExitStack() as stack:
        stack.enter_context(_logged_to(ground.logs / "interleaved.log"))
        direct = _recorded(await stack.enter_async_context(open_clients(REGION, tables=True)), taken)
        os.environ["AWS_ENDPOINT_URL"] = await stack.enter_async_context(aws_proxy(ground.endpoint, conditions))
        clients = _recorded(await stack.enter_async_context(open_clients(REGION, tables=True)), taken)
        world = await make_world(clients, direct)
        runtimes = [Erratic(random.Random(f"{seed} {number}")) for number in range(agents)]
        for runtime in runtimes:
            parts = await stack.enter_async_context(
                assembled(world, runtime, timings=BEATING, lease_seconds=LEASE_SECONDS)
            )
            await stack.enter_async_context(at_work(parts))
        ended = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(_read_callbacks(world, ended))
            await _submit_all(world, tasks, rolls)
            ended.set()
        runs = sum(len(runtime.jobs) for runtime in runtimes)
        return await _judged(world, tasks, taken, runs, may_differ=failing_share > 0)


@contextmanager
def _logged_to(path: Path) -> Iterator[None]:
    """The agents run in this process: their warnings would fill the screen."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


def _recorded(clients: Clients, taken: dict[str, list[Write]]) -> Clients:
    return replace(clients, dynamodb=cast("DynamoDBClient", Recorder(clients.tables, taken)))


def _failing(share: float, rolls: random.Random) -> Any:
    def fail(call: Call) -> Any:
        failing = call.service == "dynamodb" and rolls.random() < share
        return error_answer("InternalServerError", 500) if failing else None

    return fail


async def _submit_all(world: World, tasks: int, rolls: random.Random) -> None:
    gate = asyncio.Semaphore(OUTSTANDING)

    async def go_through(number: int) -> None:
        try:
            await _one(world, f"t{number}", random.Random(rolls.random()))
        finally:
            gate.release()

    async with asyncio.TaskGroup() as group:
        for number in range(tasks):
            await gate.acquire()
            group.create_task(go_through(number))


async def _one(world: World, task_id: str, rolls: random.Random) -> None:
    """A task, with whatever its client and SQS do to it, until it has ended."""
    deadline = int(time.time()) + DEADLINE_SECONDS if rolls.random() < DEADLINED else None
    item = await submit(world, task_id, deadline=deadline)
    if rolls.random() < DUPLICATED:
        attributes = {CLIENT_ATTRIBUTE: CLIENT, REQUEST_ID_ATTRIBUTE: item.request}
        if deadline is not None:
            attributes[DEADLINE_ATTRIBUTE] = str(deadline)
        await world.send(encode_task(a_task(task_id)), attributes)
    if rolls.random() < CANCELED:
        await asyncio.sleep(rolls.random() * LATEST_CANCEL)
        await cancel(world, task_id)
    async with asyncio.timeout(PATIENCE):
        while not (await _item(world, task_id)).status.terminal:
            await asyncio.sleep(LOOK_SECONDS)
            await _expire(world, item)


async def _expire(world: World, item: TaskItem) -> None:
    """As the front door does when it is asked for a task beyond its deadline."""
    if item.deadline is None:
        return
    request = writes.expire(world.table or "", item.client, item.id, now=time.time(), ttl=item.ttl or 0)
    try:
        await world.direct.tables.update_item(**request)
    except ClientError:
        return


async def _read_callbacks(world: World, ended: asyncio.Event) -> None:
    """During the runs: moto looks through all messages of a queue for each one that is received or deleted. Never
    canceled, since a message that was received and not read would be missing."""
    while not ended.is_set():
        await world.callbacks()
        await asyncio.sleep(LOOK_SECONDS)


async def _is_empty(world: World) -> bool:
    return await world.depth() == (0, 0)


async def _item(world: World, task_id: str) -> TaskItem:
    item = await item_of(world, task_id)
    assert item is not None
    return item


async def _judged(world: World, tasks: int, taken: dict[str, list[Write]], runs: int, *, may_differ: bool) -> Report:
    await until(partial(_is_empty, world), PATIENCE)
    statuses = defaultdict[str, set[str]](set)
    for callback in await world.callbacks():
        statuses[callback["id"]].add(callback["status"])
    ends = Counter[int]()
    states = Counter[str]()
    late = differing = otherwise = silent = 0
    for number in range(tasks):
        item = await _item(world, f"t{number}")
        written = taken[item.key[PARTITION_KEY]["S"]]
        terminal = [write for write in written if write.status.terminal]
        ends[len(terminal)] += 1
        states[item.status.value] += 1
        late += item.revision != terminal[-1].revision or item.progress is not None
        differing += len(statuses[item.id]) > 1
        silent += not statuses[item.id]
        if statuses[item.id] and statuses[item.id] != {item.status.value}:
            otherwise += 1
            log.warning("%s: writes %s, callbacks %s", item.id, written, statuses[item.id])
    report = Report()
    report.equal("tasks with exactly one terminal write", ends[1], tasks)
    report.equal("tasks that changed after it", late, 0)
    report.equal("tasks without a callback", silent, 0)
    report.equal("tasks whose callbacks differ", differing, 0)
    if not may_differ:
        report.equal("tasks whose callback says otherwise than the table", otherwise, 0)
    report.at_least("tasks that were canceled", states["canceled"], tasks / 20)
    report.at_least("tasks that completed", states["completed"], tasks / 4)
    report.at_least("runs", runs, tasks / 2)
    report.at_least("writes", sum(map(len, taken.values())), tasks)
    return report
