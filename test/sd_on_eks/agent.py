"""What an agent does with tasks, without running them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from contract.task_table.item import Output, State
from contract.task_table.writes import Ending
from test.sd_on_eks.conftest import PATIENCE

if TYPE_CHECKING:
    from test.sd_on_eks.conftest import Site

PNG = b"\x89PNG\r\n\x1a\n and more"

LOOK_SECONDS = 0.02


def stored(site: "Site", task_id: str, content: bytes = PNG) -> Output:
    """An output in the bucket."""
    key = f"output/{task_id}/{task_id}-1.png"
    site.api.door.s3.put_object(Bucket=site.api.door.settings.output_bucket, Key=key, Body=content)
    return Output(key=key, type="image/png", size=len(content))


@contextmanager
def agent(site: "Site", runtime: str = "sdruntime") -> Iterator[list[str]]:
    """Completes each task of the runtime's queue; yields the ids of those that it ran, in order."""
    ran: list[str] = []
    failures: list[BaseException] = []
    stop = threading.Event()

    def work() -> None:
        try:
            while not stop.wait(LOOK_SECONDS):
                for message in site.api.door.received(runtime):
                    task_id = message.body["task"]["metadata"]["id"]
                    site.api.runs(task_id)
                    ending = Ending(status=State.COMPLETED, outputs=[stored(site, task_id)], gpu_seconds=1.5)
                    site.api.ends(task_id, ending)
                    ran.append(task_id)
        except BaseException as error:  # noqa: BLE001 - shown by the test's own thread
            failures.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield ran
    finally:
        stop.set()
        thread.join(PATIENCE)
    assert not failures
    assert not thread.is_alive()
