"""All wrong inputs with what the command line answers, to read: python -m tests.wrong_inputs.run"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.wrong_inputs.drawing import KINDS, draw, judge


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=KINDS, action="append", help="these only (default: all)")
    parser.add_argument("--name", default="", help="those whose name contains this")
    parser.add_argument("--failed", action="store_true", help="print what goes wrong only")
    args = parser.parse_args()
    failures = total = 0
    for kind in args.kind or KINDS:
        for case in draw(kind):
            if args.name not in case.name:
                continue
            with tempfile.TemporaryDirectory() as folder:
                start = time.monotonic()
                said, found = judge(case, Path(folder))
                seconds = time.monotonic() - start
            total += 1
            failures += bool(found)
            if found or not args.failed:
                print(f"{kind}/{case.name} ({seconds:.1f} s)\n    {said}", flush=True)
            for complaint in found:
                print(f"    WRONG: {complaint}", flush=True)
    print(f"{total} wrong inputs, {failures} answered wrongly")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
