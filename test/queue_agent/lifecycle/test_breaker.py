"""How long a runtime is left alone after its failures."""

from queue_agent.errors import RuntimeFault, RuntimeHung
from queue_agent.lifecycle.breaker import Breaker

PAUSES = (5.0, 10.0, 60.0)
BROKEN = RuntimeFault("runtime-broken", "CUDA error", broken=True)


def test_pauses_grow_with_each_trial_in_vain() -> None:
    breaker = Breaker(PAUSES)
    pauses = [breaker.pause]
    for number in range(4):
        breaker.failed(str(number), BROKEN)
        pauses.append(breaker.pause)
    assert pauses == [0.0, 5.0, 10.0, 60.0, 60.0]


def test_a_runtime_that_hangs_is_left_alone_for_the_longest_pause() -> None:
    breaker = Breaker(PAUSES)
    breaker.failed("one", RuntimeHung(5))
    assert (breaker.pause, breaker.needs_restart) == (60.0, True)
    # When it was restarted, then it is as any other suspect one
    breaker.restarted()
    assert (breaker.pause, breaker.needs_restart) == (5.0, False)
