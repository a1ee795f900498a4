"""What the agent's probes are answered from, around a runtime of the test's choice."""

from queue_agent.lifecycle.breaker import Breaker
from queue_agent.lifecycle.health import Health
from queue_agent.lifecycle.readiness import Readiness
from queue_agent.lifecycle.runtime_state import RuntimeState
from queue_agent.lifecycle.shutdown import Shutdown
from queue_agent.outcome.delivery_health import DeliveryHealth
from queue_agent.runtimes.base import Runtime
from queue_agent.settings import Timings
from queue_agent.telemetry.metrics import Metrics

QUICK = Timings(away_poll=0.05, ready_poll=0.05, trial_pauses=(0.2, 3600.0))


def a_health(runtime: Runtime, *, away_limit: float = 60, metrics: Metrics | None = None) -> Health:
    """Nothing is watched: the test asks."""
    state, metrics = RuntimeState(), metrics or Metrics("r")
    readiness = Readiness(runtime, state, Breaker(QUICK.trial_pauses), away_limit, QUICK)
    return Health(state, readiness, DeliveryHealth(metrics), Shutdown(), metrics)
