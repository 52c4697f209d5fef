"""Verilator's own library, compiled once instead of with every model: half of a small one's time.

Verilator's makefile puts OBJCACHE in front of each call of the compiler, which is then

    python shared_objects.py FOLDER g++ ARGUMENT...

An object of the library, ``verilated*.cpp``, is kept in FOLDER by the arguments it was made with,
and copied; everything else is compiled as ever. FOLDER is one for each version of compiler and
Verilator. ccache does more, and would be one more package that each user installs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence


def main(folder: str, command: Sequence[str]) -> int:
    """Carry out ``command``; its exit status."""
    source, place = command[-1], 1 + command.index("-o") if "-o" in command else 0
    include = os.path.dirname(source)
    library = os.path.basename(source).startswith("verilated") and os.path.isabs(source)
    if not (library and place):
        return subprocess.call(command)
    # the folder of the library may be a link that lasts as long as a process
    given = "\0".join([*command[:place], *command[place + 1 :]]).replace(include, "")
    kept = os.path.join(folder, f"{hashlib.sha256(given.encode()).hexdigest()[:24]}.o")
    if not os.path.exists(kept):
        partial = f"{kept}.{os.getpid()}"
        without = [*command[:place], partial, *command[place + 1 :], "-MF", os.devnull]
        try:
            if status := subprocess.call(without):
                return status
            os.replace(partial, kept)
        finally:
            if os.path.exists(partial):
                os.unlink(partial)
    shutil.copyfile(kept, command[place])
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1], sys.argv[2:]))
    except KeyboardInterrupt:  # the compiler was told, too
        sys.exit(130)
