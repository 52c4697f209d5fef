"""Machines asked about traces, each combination once."""

from __future__ import annotations

from collections.abc import Callable

from fractrain.host.machines import mixes
from fractrain.host.machines.comparison import Contender, Result, result_of
from fractrain.host.machines.mixes import PUBLISHED_CANDIDATES, cost_in_percent, mix_trace
from fractrain.host.machines.trace import EIGHT, Trace
from fractrain.host.rebuttal.published import BATCH, Setting
from fractrain.hw.contract.precision import Precision

BACKWARD_8_CANDIDATES = tuple(each for each in PUBLISHED_CANDIDATES if each.error <= 8)


class Models:
    """Results by machine and trace; ``say`` is told what is being modelled."""

    def __init__(self, say: Callable[[str], None] = lambda text: None) -> None:
        self._say = say
        self._known: dict[tuple[Contender, Trace], Result] = {}

    def of(self, contender: Contender, trace: Trace) -> Result:
        """What ``trace`` costs on a machine, and the same steps at FW8/BW8."""
        key = contender, trace
        if key not in self._known:
            self._known[key] = result_of(contender, trace, self._say)
        return self._known[key]


def published_trace(
    setting: Setting, method: str, *, wide: bool = False, batch: int = BATCH
) -> Trace:
    """One step of a published run, as a mix of its candidates with its mean cost: the two
    neighbours of the mean, or the extremes if ``wide``."""
    make = mixes.wide_mix if wide else mixes.narrow_mix
    return mix_trace(setting.model, make(PUBLISHED_CANDIDATES, setting.cp(method)), batch)


def fixed_trace(model: str, precision: Precision = EIGHT, batch: int = BATCH) -> Trace:
    """One step with all blocks at ``precision``."""
    return mix_trace(model, [(precision, 1.0)], batch)


def relative_cost(precision: Precision) -> float:
    """r: effective MACs of the blocks over those at FW8/BW8."""
    return cost_in_percent(precision) / cost_in_percent(EIGHT)


def command(*traces: Trace) -> str:
    """That compares these on all machines."""
    prefix = "fractrain compare --machines "
    return prefix + " ".join(each.command.removeprefix(prefix) for each in traces)
