"""`python -m fractrain`, and the command `fractrain`: runs `fractrain.host.cli.main`.

PYTHONPATH may lead to packages of another Python. What ends in a traceback from their middle
elsewhere ends in one line here.
"""

from __future__ import annotations

import os
import sys

EXIT_CODE = 2  # as of any setting that is not allowed


def main() -> int:
    """Run the command line; the exit code."""
    try:
        from fractrain.host.cli.main import main as run

        return run()
    except ImportError as error:
        listed = os.environ.get("PYTHONPATH")
        if not listed or str(error.name).partition(".")[0] == __package__:
            raise
        text = " ".join(str(error).split())[:200]
        name = error.name or "a package"
        if sys.stderr is not None:
            line = f"cannot import {name}: {text}; unset PYTHONPATH, which is {listed!r}"
            print(f"fractrain: error: {line}", file=sys.stderr)
        return EXIT_CODE


if __name__ == "__main__":
    sys.exit(main())
