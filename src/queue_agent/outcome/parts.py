"""An output's bytes on their way from the runtime to S3, a part at a time."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from contract.metrics import STORED_BYTES
from queue_agent.errors import AgentError, RuntimeFault
from queue_agent.outcome.limits import OutputBudget
from queue_agent.runtimes.base import Output
from queue_agent.telemetry.tracing import Span

PART_BYTES = 8 * 1024 * 1024
"""What is held of one output at a time; larger ones are uploaded in parts of this size (S3 wants at least 5 MiB)."""


@dataclass(slots=True)
class Size:
    """How much of an output was read so far."""

    bytes: int = 0


async def parts_of(output: Output) -> AsyncIterator[bytes]:
    """The output in parts of PART_BYTES, the last one smaller. Raises AgentError when the runtime does not give it."""
    held: list[bytes] = []
    size = 0
    async for chunk in _read(output):
        held.append(chunk)
        size += len(chunk)
        if size >= PART_BYTES:
            yield b"".join(held)
            held, size = [], 0
    if size:
        yield b"".join(held)


async def _read(output: Output) -> AsyncIterator[bytes]:
    """Whatever the runtime does wrong here is its fault, not that of the AWS call that is to carry the bytes."""
    try:
        async for chunk in output.read():
            yield chunk
    except AgentError:
        raise
    except Exception as error:
        said = f"could not read an output of the runtime: {type(error).__name__}: {error}"
        raise RuntimeFault("bad-output", said) from error


async def counted(
    parts: AsyncIterator[bytes], number: int, budget: OutputBudget, span: Span, size: Size
) -> AsyncIterator[bytes]:
    """The parts of output ``number``, counted while they pass. Raises PermanentError beyond the limits."""
    async for part in parts:
        size.bytes += len(part)
        budget.take(number, size.bytes, len(part))
        span.carry(STORED_BYTES, len(part))
        yield part


async def joined(first: bytes, second: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Two parts that were looked at, and those behind them."""
    yield first
    yield second
    async for part in rest:
        yield part
