"""Names of runs: names of folders that every command accepts."""

from __future__ import annotations

from dataclasses import dataclass

from fractrain.hw.contract.values import Rule

LATEST = "latest"
"""The link to the run that began or ended last."""

LONGEST = 120
"""Characters; a folder's name has 255 bytes on all usual file systems, an é two of them."""


@dataclass(frozen=True)
class RunName(Rule):
    """The name of one folder."""

    allowed: str = (
        f"the name of one folder other than {LATEST}: 1..{LONGEST} printable characters without /, "
        "no - or . at its beginning, no space at an end"
    )

    def convert(self, given: object) -> str:
        if not isinstance(given, str):
            raise TypeError
        fits = 1 <= len(given) <= LONGEST and len(given.encode()) <= 255 and given.isprintable()
        if not fits or "/" in given or given[0] in "-." or given == LATEST:
            raise ValueError
        if given != given.strip():
            raise ValueError
        return given
