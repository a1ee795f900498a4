"""Run a module for as long as its parent lives: ``python -m utils.local.tied MODULE ARGUMENT…``.

Standard input is a pipe whose other end only the parent holds. The kernel closes it however the parent ends, SIGKILL
included, and this process then ends at once. That holds on every POSIX system; PR_SET_PDEATHSIG would be Linux only,
and it fires when the parent's thread ends.
"""

import os
import runpy
import signal
import sys
import threading

STDIN = 0


def main() -> None:
    """Take this module's own name off the command line and become the module that follows it."""
    threading.Thread(target=_end_with_parent, name="tied", daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _end_with_parent() -> None:
    while os.read(STDIN, 1):
        pass
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
