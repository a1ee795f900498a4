"""The agent's entry point: ``python -m queue_agent``, settings from the environment."""

import asyncio
import logging
import os
import sys

from contract.errors import ContractError
from queue_agent.app import serve
from queue_agent.errors import AgentError
from queue_agent.settings import read_settings
from queue_agent.telemetry.logs import start_logging

log = logging.getLogger("queue_agent")

EXIT_FAILED = 1
EXIT_USAGE = 2


def main() -> int:
    """Exit 0 after a shutdown, 1 when the runtime stayed away or the agent broke, 2 when the settings are wrong."""
    try:
        settings = read_settings(os.environ)
    except ContractError as error:
        for problem in error.problems:
            print(f"{problem.field}: {problem.problem}", file=sys.stderr)  # noqa: T201 - there is no log yet
        return EXIT_USAGE
    start_logging(settings.log_level, settings.runtime_name)
    try:
        asyncio.run(serve(settings))
    except AgentError as error:
        log.critical(error.message, extra={"action": "exit", "cause_type": error.type})
        return EXIT_FAILED
    except Exception as error:
        log.critical(
            "the agent failed and exits",
            extra={"action": "exit", "cause_type": type(error).__name__, "cause": str(error)},
            exc_info=error,
        )
        return EXIT_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
