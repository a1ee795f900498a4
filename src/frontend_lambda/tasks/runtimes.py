"""``GET /v1alpha2/runtimes``: what a client may use, and how long a task would wait there now."""

from typing import Any

from contract.catalog import RuntimeEntry
from contract.runtimes import TASK_TYPES
from frontend_lambda.tasks.estimate import Load, waiting_of_new

HOUR = 3600


def runtime_view(runtime: RuntimeEntry, load: Load, gpu_hour_price: float | None) -> dict[str, Any]:
    """``tasks`` counts those that wait and those that pods have taken; None where SQS did not answer."""
    estimate = waiting_of_new(load)
    ready, mean = load.ready, load.mean_seconds
    start_in = None if estimate.start_in is None else round(estimate.start_in, 1)
    return {
        "name": runtime.name,
        "type": runtime.type.value,
        "tasktypes": [tasktype.value for tasktype in TASK_TYPES[runtime.type]],
        "model": runtime.model,
        "dynamic_model": runtime.dynamic,
        "tasks": None if load.waiting is None else {"waiting": load.waiting, "taken": load.taken},
        "pods": {"ready": len(ready), "starting": len(load.present) - len(ready)},
        "mean_seconds": None if mean is None else round(mean, 3),
        "usd_per_task": None if mean is None or gpu_hour_price is None else round(mean / HOUR * gpu_hour_price, 6),
        "start_in": start_in,
    }
