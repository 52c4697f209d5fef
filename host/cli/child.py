"""`python -m fractrain.host.cli.child PARENT SPARE ARGUMENT…`: a run, while PARENT lives.

It is `fractrain ARGUMENT…` in a process of its own.

The descriptor SPARE gets what cannot be printed, so that PARENT learns why a run on a full disk
ended.

Whatever ends the process that started it, SIGKILL included, this one gets SIGTERM, and a run saves
its state then. Only Linux has that; elsewhere it goes on until it has finished.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def end_with(parent: int) -> None:
    """Have the kernel send SIGTERM when ``parent`` has ended; exit if it has already."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    end_with(int(sys.argv[1]))
    from fractrain.host.cli.main import main

    sys.exit(main(sys.argv[3:], spare=int(sys.argv[2])))
