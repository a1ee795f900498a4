"""What holds for every test."""

import signal

from hypothesis import HealthCheck, settings

# Examples are not timed: the machine may be busy with other tests.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# A shell's background job ignores SIGINT, and what it starts inherits that; tests of Ctrl-C need it to arrive.
signal.signal(signal.SIGINT, signal.default_int_handler)
