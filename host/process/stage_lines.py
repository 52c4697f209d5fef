"""Display of long work in stages."""

from __future__ import annotations

import sys
import time


class StageLines:
    """One line a stage on standard error, with the time since the beginning."""

    def __init__(self) -> None:
        self.started = time.monotonic()

    def __call__(self, stage: str) -> None:
        seconds = int(time.monotonic() - self.started)
        minutes, seconds = divmod(seconds, 60)
        print(f"{minutes:4d}:{seconds:02d}  {stage} ...", file=sys.stderr, flush=True)
