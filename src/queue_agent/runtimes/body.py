"""Reads what a runtime answers, and never more of it than the agent's memory has room for.

A task decides how much its runtime answers. The agent's container may use 2 GiB; these limits keep it below 512 MiB
while one task's answer is parsed and the one before is stored. Files that a runtime keeps on its disk are streamed:
these limits are not about them.
"""

from aiohttp import ClientResponse

MIB = 1024 * 1024

MAX_IMAGES_ANSWER_BYTES = 72 * MIB
"""Of an answer that holds images as base64, which makes 54 MiB of images: one of 4096 x 4096 pixels, or 16 of 1024 x
1024 with their grid. Parsing holds an answer three times, and the one before may still be held once."""

MAX_ANSWER_BYTES = 16 * MIB
"""Of any other answer. A workflow of the largest task that the front door takes (6 MB) comes back in it twice; as
Python objects JSON takes up to 20 times its size."""

MAX_LIST_BYTES = 32 * MIB
"""Of a list of what a runtime has queued, which holds the tasks of others."""


class AnswerTooLarge(Exception):
    """The answer has more than ``limit`` bytes; its rest was not read."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"its answer is larger than {limit} bytes")
        self.limit = limit


async def read_body(response: ClientResponse, limit: int) -> bytearray:
    """The body, decompressed. Raises AnswerTooLarge as soon as there is more than ``limit`` bytes of it."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        if len(body) + len(chunk) > limit:
            response.close()
            raise AnswerTooLarge(limit)
        body += chunk
    return body
