"""The command line of the planner."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from infra.app import ROOT
from utils.planner.loads import LONGEST_RUN

EXAMPLES = """examples:
  sdoneks ops plan --rate 0.75 --run-seconds 8
  sdoneks ops plan --daily 6.7 --run-seconds 1.5 --p95 60
  sdoneks ops plan --burst 100 --run-seconds 60 --interruptions 0.01
  sdoneks ops plan --csv tasks.csv --svg plan.svg
  sdoneks ops plan --cloudwatch 7 --region us-west-2
"""


def read(argv: Sequence[str] | None) -> argparse.Namespace:
    """Exits with 2 and a sentence when the command line is wrong."""
    parser = argparse.ArgumentParser(
        prog="sdoneks ops plan",
        description="What a scaling setting costs, and how long tasks wait with it: the config as it is, and the three "
        "presets. GPU nodes only; python -m infra.cost has the rest of the bill.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, default=ROOT / "config.yaml", metavar="FILE", help="default config.yaml")
    parser.add_argument("--runtime", metavar="NAME", help="of the config; default its first")
    _add_load(parser)
    tasks = parser.add_argument_group("tasks and nodes")
    tasks.add_argument("--run-seconds", type=_run, metavar="S", help="of a task; default scaling.runSeconds")
    tasks.add_argument("--cold-start", type=_above_zero, metavar="S", help="from a task to its pod; default 96")
    tasks.add_argument(
        "--interruptions", type=_from_zero, default=0.0, metavar="N", help="Spot interruptions in an hour of a node"
    )
    tasks.add_argument("--max-pods", type=_whole, metavar="N", help="in place of the config's limit")
    tasks.add_argument(
        "--gpu-hour-price", type=_above_zero, metavar="USD", help="of a node; default g5.2xlarge on Spot"
    )
    answer = parser.add_argument_group("what is asked")
    answer.add_argument("--p95", type=_above_zero, metavar="S", help="find the cheapest setting with this p95 wait")
    answer.add_argument("--api-price", type=_from_zero, metavar="USD", help="of an image from an API, to compare with")
    answer.add_argument("--seed", type=int, default=0, metavar="N", help="another one is another day; default 0")
    form = answer.add_mutually_exclusive_group()
    form.add_argument("--svg", type=Path, metavar="FILE", help="also write what is printed as an image")
    form.add_argument("--json", action="store_true", help="print one JSON object instead")
    return parser.parse_args(argv)


def _add_load(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("arrivals, one of")
    load = group.add_mutually_exclusive_group(required=True)
    load.add_argument("--rate", type=_above_zero, metavar="N", help="tasks a second, at random")
    load.add_argument("--daily", type=_above_zero, metavar="N", help="tasks a second at noon, and --low at midnight")
    load.add_argument("--burst", type=_whole, metavar="N", help="tasks at once, once a day")
    load.add_argument("--csv", type=Path, metavar="FILE", help="a line a task: seconds[,run_seconds], with that header")
    load.add_argument("--cloudwatch", type=_whole, metavar="DAYS", help="what the runtime's queue got in the last days")
    parser.add_argument("--low", type=_from_zero, default=0.0, metavar="N", help="of --daily; default 0")
    parser.add_argument("--days", type=_whole, default=1, metavar="N", help="of --rate and --daily; default 1")
    parser.add_argument("--region", metavar="NAME", help="of --cloudwatch; default that of your AWS variables")


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


def _above_zero(text: str) -> float:
    """A number above 0."""
    try:
        number = _number(text)
    except ValueError:
        number = 0.0
    if number <= 0:
        raise argparse.ArgumentTypeError(f"must be a number above 0, got {text!r}")
    return number


def _run(text: str) -> float:
    run = _above_zero(text)
    if run > LONGEST_RUN:
        raise argparse.ArgumentTypeError(f"must not be above {LONGEST_RUN:g}, got {text!r}")
    return run


def _from_zero(text: str) -> float:
    try:
        number = _number(text)
    except ValueError:
        number = -1.0
    if number < 0:
        raise argparse.ArgumentTypeError(f"must be a number from 0, got {text!r}")
    return number


def _whole(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, got {text!r}")
    return int(text)
