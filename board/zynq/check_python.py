"""Whether this machine's Python can run fractrain: install.sh asks it on the board, first of all.

Exit code 4, one line for each thing that is missing and one that mends it; nothing if all is there.
"""

import sys

PYTHON = (3, 11)
NUMPY = (1, 24)


def missing() -> list[str]:
    """What this interpreter lacks, in words."""
    found = []
    if sys.version_info < PYTHON:
        found.append(f"Python is {sys.version.split()[0]}, not 3.11 or newer")
    try:
        import numpy
    except ImportError:
        found.append("NumPy is not installed")
    else:
        if tuple(map(int, numpy.__version__.split(".")[:2])) < NUMPY:
            found.append(f"NumPy is {numpy.__version__}, not 1.24 or newer")
    try:
        import yaml  # noqa: F401
    except ImportError:
        found.append("PyYAML is not installed")
    return found


if __name__ == "__main__":
    if wrong := missing():
        for each in wrong:
            print(f"install.sh: error: {each}", file=sys.stderr)
        print("mend it with: apt-get install python3-numpy python3-yaml", file=sys.stderr)
        sys.exit(4)
