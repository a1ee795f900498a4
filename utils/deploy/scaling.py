"""How long tasks wait and what they cost by the scaling of a plan, before it is deployed."""

from infra.config.model import Config
from infra.config.scaling import rule_of
from utils.deploy.console import say, warn
from utils.planner import loads
from utils.planner.errors import PlannerError
from utils.planner.model import Cloud
from utils.planner.planning import Planner
from utils.planner.prices import node_hour
from utils.planner.settings import as_it_is

BURST = 100
"""Tasks at once into an idle system: what shows a setting that does not fit most clearly."""


def show_scaling(config: Config) -> None:
    """Print a line for each runtime: a burst of tasks, each of scaling.runSeconds."""
    price = node_hour(None)
    for runtime in config.models_runtime:
        try:
            setting = as_it_is(runtime)
        except PlannerError as error:
            warn(str(error))
            continue
        run = float(setting.values["runSeconds"])
        planner = Planner(
            load=loads.burst(BURST, run), cloud=Cloud(), price=price, seed=0, watch=lambda _: lambda _share: None
        )
        result = planner.result(setting)
        say(
            f"    scaling       {runtime.name}: {rule_of(setting.values).queue_length} tasks of {run:g} s a pod; "
            f"{BURST} at once take {result.peak} pods,"
        )
        say(f"                  wait {result.p95:.0f} s (p95) and cost {result.per_thousand:.2f} USD per 1,000")
    say("                  other loads and settings: .venv/bin/sdoneks ops plan --help")
