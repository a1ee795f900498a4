"""What a person at the terminal sees: steps, questions, progress, and errors with the way to fix them."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from botocore.exceptions import BotoCoreError, ClientError

EXIT_INTERRUPTED = 130
"""128 and SIGINT's number, as shells have it."""

TENTHS = 10


class DeployError(Exception):
    """What stops a script. ``fixes`` are commands or sentences, each of which resolves it."""

    def __init__(self, problem: str, *fixes: str) -> None:
        self.problem = problem
        self.fixes = fixes
        super().__init__("\n  ".join((problem, *fixes)))


def say(text: str = "") -> None:
    print(text, flush=True)


def warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr, flush=True)


def step(what: str, duration: str) -> None:
    """Announce a step; ``duration`` is text such as "about 10 minutes"."""
    say(f"==> {what} ({duration})")


def ask(question: str, *, yes: bool) -> bool:
    """True when the person agrees; ``yes`` agrees in advance. Raises DeployError without a terminal."""
    if yes:
        say(f"{question} yes (-y)")
        return True
    if not sys.stdin.isatty():
        raise DeployError(
            f"this needs an answer, and there is no terminal: {question}", "Run it again with -y to agree."
        )
    return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}


class Progress:
    """Bytes of a long copy: a line for each tenth, so that logs stay short too."""

    def __init__(self, total: int, *, show: Callable[[str], None] = say) -> None:
        self._total = total
        self._show = show
        self._tenths = 0

    def __call__(self, done: int) -> None:
        tenths = TENTHS * done // self._total if self._total else TENTHS
        if tenths > self._tenths:
            self._tenths = tenths
            self._show(f"    {tenths * 100 // TENTHS:3d} %  {done / 1e9:.2f} of {self._total / 1e9:.2f} GB")


def run(main: Callable[[], None], *, again: str) -> int:
    """Run a script's main; returns its exit code. ``again`` says what a second run does after a failure."""
    with stopping_on_sigterm():
        try:
            main()
        except DeployError as error:
            show_error(error)
        except (ClientError, BotoCoreError) as error:
            show_error(DeployError(f"AWS refused: {error}", again))
        except KeyboardInterrupt:
            print(f"\nstopped. {again}", file=sys.stderr, flush=True)
            return EXIT_INTERRUPTED
        else:
            return 0
    return 1


def show_error(error: DeployError) -> None:
    print(f"error: {error}", file=sys.stderr, flush=True)


@contextmanager
def stopping_on_sigterm() -> Iterator[None]:
    """SIGTERM stops the script as Ctrl-C does, so that it cleans up."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Holds back Ctrl-C and SIGTERM while something is cleaned up; signals that arrive meanwhile are dropped."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
