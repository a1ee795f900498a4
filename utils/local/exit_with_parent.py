"""Run a module for as long as its parent lives: ``python -m utils.local.exit_with_parent MODULE ARGUMENT…``.

Standard input is a pipe whose other end only the parent holds. The kernel closes it when the parent ends, by SIGKILL
too, and this process then ends at once. This works on every POSIX system; PR_SET_PDEATHSIG works on Linux only, and
fires when the thread that started the process ends.
"""

import os
import runpy
import signal
import sys
import threading

STDIN = 0


def main() -> None:
    """Remove this module's own name from the command line and run the module that follows."""
    threading.Thread(target=_end_with_parent, name="exit-with-parent", daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _end_with_parent() -> None:
    while os.read(STDIN, 1):
        pass
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
