"""What a flood of unknown names costs the front door: ``.venv/bin/python -m test.bench.flood``.

CPU seconds to refuse a body of 4.4 MB, next to those of parsing it as JSON, which nobody can avoid.
"""

import json
import time
from collections.abc import Callable
from functools import partial

import boto3
from rich.table import Table

from contract.catalog import Catalog, RuntimeEntry
from contract.runtimes import RuntimeType
from frontend_lambda.handler import make_handler
from frontend_lambda.settings import Settings
from test.bench.stage import console
from test.support.floods import FLOODS, flood

VERSIONS = ("v1alpha1", "v1alpha2")


def main() -> None:
    catalog = Catalog((RuntimeEntry("sdruntime", RuntimeType.SDWEBUI, "m"), RuntimeEntry("comfy", RuntimeType.COMFYUI)))
    settings = Settings(
        input_topic_arn="arn:aws:sns:us-east-1:123456789012:tasks",
        output_bucket="results",
        catalog=catalog,
        tasks_table="tasks",
        task_retention=1,
        queue_url_prefix="http://sqs/",
    )
    handle = make_handler(settings, boto3.Session(region_name="us-east-1"))
    table = Table(title="A body of 450,000 unknown names")
    for column in ("version", "place", "parse, s", "refuse, s", "more, s"):
        table.add_column(column, justify="right" if column.endswith(" s") else "left")
    for version in VERSIONS:
        for place in FLOODS:
            text = flood(place)
            event = {
                "resource": f"/{version}",
                "path": f"/{version}",
                "httpMethod": "POST",
                "body": text,
                "headers": {},
            }
            parse, refuse = _seconds(partial(json.loads, text)), _seconds(partial(handle, event, None))
            table.add_row(version, place, f"{parse:.3f}", f"{refuse:.3f}", f"{refuse - parse:.3f}")
    console().print(table)


def _seconds(work: Callable[[], object]) -> float:
    """The least of three."""
    taken = []
    for _ in range(3):
        begin = time.process_time()
        work()
        taken.append(time.process_time() - begin)
    return min(taken)


if __name__ == "__main__":
    main()
