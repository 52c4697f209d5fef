"""Random programs on the simulated engine, for as long as is asked.

    python -m tests.coverage.fuzz --config zc706 --minutes 5
    python -m tests.coverage.fuzz --config zc706 --replay build/mismatch.txt

Writes ``build/coverage-<config>.md``. A mismatch ends it: the program that shows it is made
smaller, printed, and written to ``build/mismatch.txt``.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from fractrain.sim.cosim.cache import build_root
from tests.coverage.campaign import Campaign
from tests.coverage.cases import parse_case
from tests.coverage.machine import Mismatch
from tests.hw.machines import machine

NEWS_SECONDS = 30


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    parameters = machine(options.config, array__spatial_bits=options.spatial_bits)
    with Campaign(parameters, options.seed) as campaign:
        try:
            if options.replay:
                campaign.machine.check(parse_case(options.replay.read_text(encoding="utf-8")))
            else:
                campaign.run(_Clock(60 * options.minutes))
        except Mismatch as found:
            path = build_root() / "mismatch.txt"
            path.write_text(found.case.text(), encoding="utf-8")
            print(f"{found}\nwritten to {path}")
            return 1
        path = build_root() / f"coverage-{options.config}.md"
        campaign.write(path, f"the fuzzer, {options.config}, seed {options.seed}")
        print(f"{campaign.summary()}\nwritten to {path}")
    return 0


class _Clock:
    """Goes on for so many seconds; says now and then how far it is."""

    def __init__(self, seconds: float) -> None:
        self._start = self._said = time.monotonic()
        self._seconds = seconds

    def __call__(self, campaign: Campaign) -> bool:
        now = time.monotonic()
        if now - self._said > NEWS_SECONDS:
            self._said = now
            print(
                f"{now - self._start:5.0f} s: {campaign.cases} programs, "
                f"{campaign.machine.steps} steps, {len(campaign.coverage.holes)} empty bins",
                flush=True,
            )
        return now - self._start < self._seconds


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.coverage.fuzz", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--config", default="tiny", help="a preset or a YAML file")
    parser.add_argument("--spatial-bits", type=int, default=1, choices=(1, 2, 4, 8))
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="default: the time")
    parser.add_argument("--replay", type=Path, help="run the program in this file instead")
    return parser


if __name__ == "__main__":
    sys.exit(main())
