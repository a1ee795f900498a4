"""``sdoneks ops plan``: what a scaling setting costs, and how long tasks wait with it."""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace

import yaml
from rich.console import Console
from rich.progress import Progress as Bar

from infra.config.errors import ConfigError
from infra.config.model import Config, Runtime, load_config
from infra.config.scaling import SHORTEST_RUN
from infra.topology import queue_name
from utils.planner import loads, report
from utils.planner.cloudwatch import PERIOD, history
from utils.planner.errors import PlannerError
from utils.planner.model import DAY, HOUR, Cloud, Load
from utils.planner.options import read
from utils.planner.planning import Planner, Watch
from utils.planner.prices import node_hour, vcpus
from utils.planner.settings import Setting, as_it_is, instance_types, presets
from utils.planner.simulator import Progress

INTERRUPTED = 130
"""128 and SIGINT's number, as shells have it."""

WIDTH = 120
"""Columns of what is printed where there is no terminal."""


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0, 1 after a sentence on what is wrong, or 130 after Ctrl-C."""
    options = read(argv)
    try:
        _plan(options)
    except (ConfigError, PlannerError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _plan(options: argparse.Namespace) -> None:
    config = load_config(options.config)
    runtime = _runtime(config, options.runtime)
    base = as_it_is(runtime)
    if options.max_pods:
        base = base.changed(base.name, maxReplicaCount=options.max_pods)
    load = _load(options, config, runtime, base)
    run = load.work / len(load)
    sizes = [size for kind in instance_types(runtime) if (size := vcpus(kind))]
    price = node_hour(options.gpu_hour_price)
    with _progress() as watch:
        planner = Planner(load=load, cloud=_cloud(options), price=price, seed=options.seed, watch=watch)
        others = presets(base, max(SHORTEST_RUN, round(run, 2)))
        results = [planner.result(setting) for setting in (base, *others)]
        best = planner.cheapest(others[0], options.p95) if options.p95 else None
    warnings = list(report.warnings(base, load, results, options.p95))
    comparisons = list(report.comparisons(load, price, options.api_price))
    section = report.section_of(best[0]) if best else None
    if best:
        results.append(replace(best[1], name="cheapest"))
        if base.values["queueLength"] or not base.values["enabled"]:
            warnings.append("take queueLength and enabled out of extraValues, where they win over a pasted scaling")
    if options.json:
        summary = {"runtime": runtime.name, "tasks": len(load), "run_seconds": run, "hours": load.length / HOUR}
        settings = [asdict(result) for result in results]
        texts = {"warnings": warnings, "comparisons": comparisons}
        print(json.dumps({**summary, "node_hour_usd": price, "settings": settings, "cheapest": section, **texts}))
        return
    console = Console(width=None if sys.stdout.isatty() else WIDTH, record=bool(options.svg), highlight=False)
    console.print(
        f"{runtime.name}: {len(load):,} tasks of {run:.3g} s in {load.length / HOUR:.3g} h, "
        f"{price:.4f} USD an hour of a node"
    )
    report.show_table(console, results, sizes)
    report.show_pods(console, load, results)
    for text in warnings:
        console.print(f"warning: {text}", style="yellow")
    for text in comparisons:
        console.print(f"compare: {text}")
    if section is not None:
        console.print(f"\nThe cheapest that was found with p95 of {options.p95:g} s; paste it into {runtime.name}:")
        console.print(yaml.safe_dump(section, sort_keys=False), markup=False)
    elif options.p95:
        console.print(f"\nNo setting was found with p95 of {options.p95:g} s; raise it, or --max-pods.", style="yellow")
    if options.svg:
        _save(console, options)


def _save(console: Console, options: argparse.Namespace) -> None:
    drawn = console.export_svg(title="sdoneks ops plan")
    try:
        # Without the fonts that it would fetch from the internet.
        options.svg.write_text(re.sub(r"@font-face \{.*?\}", "", drawn, flags=re.DOTALL), encoding="utf-8")
    except OSError as error:
        raise PlannerError(f"--svg: {options.svg} cannot be written: {error.strerror}") from error


def _runtime(config: Config, name: str | None) -> Runtime:
    named = {runtime.name: runtime for runtime in config.models_runtime}
    if name is None:
        return config.models_runtime[0]
    if name not in named:
        raise PlannerError(f"--runtime: {name!r} is not in the config; there are {', '.join(named)}")
    return named[name]


def _load(options: argparse.Namespace, config: Config, runtime: Runtime, base: Setting) -> Load:
    run = options.run_seconds or float(base.values["runSeconds"])
    seed = options.seed
    if options.rate:
        return loads.steady(options.rate, run, length=options.days * DAY, seed=seed)
    if options.daily:
        if options.low > options.daily:
            raise PlannerError(f"--low: must not be above --daily, {options.daily:g}, got {options.low:g}")
        return loads.daily(options.daily, run, low=options.low, days=options.days, seed=seed)
    if options.burst:
        return loads.burst(options.burst, run, seed=seed)
    if options.csv:
        return loads.from_csv(options.csv, run, seed=seed)
    past = history(
        stack=f"{config.stack_name}Stack",
        queue=queue_name(config.stack_name, runtime.name),
        runtime=runtime.name,
        days=options.cloudwatch,
        region=options.region,
    )
    run = options.run_seconds or past.run_seconds or run
    return loads.varying(past.rates, PERIOD, run, length=options.cloudwatch * DAY, seed=seed)


def _cloud(options: argparse.Namespace) -> Cloud:
    cloud = Cloud(interruptions=options.interruptions)
    if options.cold_start is None:
        return cloud
    pod = options.cold_start - cloud.lag - cloud.node_ready
    if pod <= 0:
        return replace(cloud, lag=0.0, node_ready=options.cold_start, pod_ready=0.0, warm_pod=0.0)
    return replace(cloud, pod_ready=pod, warm_pod=min(cloud.warm_pod, pod))


@contextmanager
def _progress() -> Iterator[Watch]:
    """A bar for each simulation, on a terminal."""
    console = Console(stderr=True)
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:

        def watch(name: str) -> Progress:
            number = bar.add_task(name, total=1.0)
            return lambda share: bar.update(number, completed=share)

        yield watch


if __name__ == "__main__":
    sys.exit(main())
