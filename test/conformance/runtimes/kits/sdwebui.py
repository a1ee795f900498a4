"""The WebUI family's jobs for the suite; conftest.py says what each name means."""

from typing import Any

from contract.runtimes import TaskType
from queue_agent.errors import PermanentError
from queue_agent.runtimes.base import Job


def _job(**content: Any) -> Job:
    small = {"prompt": "a lighthouse", "seed": 7, "steps": 4, "width": 64, "height": 64}
    return Job(id="task", tasktype=TaskType.TEXT_TO_IMAGE, content=small | content)


SUCCESS = _job()

MANY = _job(batch_size=2, n_iter=2)
MANY_OUTPUTS = 4

CALLERS_ERROR = _job(sampler_name="nope")
CALLERS_ERROR_SAYS = "nope"

RUNNING_ERROR = _job(steps=0)
RUNNING_ERROR_FAULT = PermanentError
RUNNING_ERROR_SAYS = "integer division or modulo by zero"

SLOW = _job(steps=150, n_iter=20)
