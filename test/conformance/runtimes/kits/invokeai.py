"""InvokeAI's jobs for the suite; conftest.py says what each name means."""

from typing import Any

from contract.runtimes import TaskType
from queue_agent.errors import PermanentError
from queue_agent.runtimes.base import Job
from test.support.invokeai import graph_of, text_to_image


def _job(content: dict[str, Any]) -> Job:
    return Job(id="task", tasktype=TaskType.GRAPH, content=content)


SUCCESS = _job({"graph": text_to_image(steps=4)})

MANY = _job(
    {
        "batch": {
            "graph": text_to_image(steps=4),
            "runs": 1,
            "data": [[{"node_path": "noise", "field_name": "seed", "items": [1, 2, 3]}]],
        }
    }
)
MANY_OUTPUTS = 3

CALLERS_ERROR = _job({"graph": graph_of({"x": {"type": "no_such_node"}})})
CALLERS_ERROR_SAYS = "content.graph.nodes.x: InvokeAI has no node type 'no_such_node'"

RUNNING_ERROR = _job({"graph": graph_of({"load": {"type": "image", "image": {"image_name": "nope.png"}}})})
RUNNING_ERROR_FAULT = PermanentError
RUNNING_ERROR_SAYS = "node load (image) failed: ImageRecordNotFoundException: Image record not found"

# InvokeAI tells of a batch how many of its items ended, and of an item nothing.
SLOW = _job({"batch": {"graph": text_to_image(steps=50), "runs": 80}})
