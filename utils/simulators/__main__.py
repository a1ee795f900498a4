"""Run one simulated runtime: ``python -m utils.simulators sdwebui --port 8080``."""

import argparse
import asyncio
import logging
import signal
from importlib import import_module

from aiohttp import web

from contract.runtimes import RuntimeType
from utils.simulators.base import MakeApp, Options

CLOSING_SECONDS = 1.0
"""How long running requests may go on after SIGTERM; they are simulated, so nothing is lost."""


def main() -> None:
    """Serve on loopback until SIGTERM. Port 0 takes a free one; the line on stdout says which."""
    defaults = Options()
    parser = argparse.ArgumentParser(prog="python -m utils.simulators", description=__doc__)
    parser.add_argument("type", choices=[kind.value for kind in RuntimeType])
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one")
    parser.add_argument("--name", default=defaults.name)
    parser.add_argument("--model", action="append", help=f"file name of a model; default {defaults.models[0]}")
    parser.add_argument("--seconds-per-step", type=float, default=defaults.seconds_per_step)
    parser.add_argument("--startup-seconds", type=float, default=defaults.startup_seconds)
    parser.add_argument("--flavour", help="a fork whose ways to follow, such as forge for sdwebui")
    parser.add_argument("--cache-lru", type=int, default=defaults.cache_lru, help="comfyui: results that are kept")
    arguments = parser.parse_args()
    options = Options(
        name=arguments.name,
        models=tuple(arguments.model or defaults.models),
        seconds_per_step=arguments.seconds_per_step,
        startup_seconds=arguments.startup_seconds,
        flavour=arguments.flavour,
        cache_lru=arguments.cache_lru,
    )
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    kind = RuntimeType(arguments.type)
    asyncio.run(_serve(make_app(kind)(options), f"Simulated {kind} {options.name!r}", arguments.port))


def make_app(kind: RuntimeType) -> MakeApp:
    """The simulator of a runtime type: ``make_app`` of the module of its name, imported only when it is asked for."""
    made: MakeApp = import_module(f"utils.simulators.{kind.value}").make_app
    return made


async def _serve(app: web.Application, title: str, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSING_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        print(f"{title} on http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
        await stop.wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    main()
