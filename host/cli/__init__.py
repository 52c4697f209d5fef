"""The command line, `fractrain`."""

import sys

from fractrain import complain, intruder

# `python -m host.cli.main`, and Python is still looking for that module: it looks in the current
# folder first, which may hide the packages that the module imports.
if sys.argv[:1] == ["-m"] and (complaint := intruder()):
    sys.exit(complain(complaint))
