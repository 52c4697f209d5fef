"""Static training: one precision from beginning to end. 8,8,8 is the baseline FW8/BW8."""

from __future__ import annotations

from dataclasses import dataclass

from fractrain.host.graph.choice import is_skip
from fractrain.host.methods.method import Method, MethodKind, Task
from fractrain.host.methods.progression import Progression
from fractrain.host.methods.scheduled import ScheduledMethod
from fractrain.host.plugins.option import Checked, option
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import MAX_BITS, PRECISION, Precision

BASELINE = Precision(8, 8, 8)


def _in_name(precision: Precision) -> str:
    return "" if precision == BASELINE else str(precision).replace("/", "-")


@dataclass(frozen=True)
class Options(Checked):
    """The precision: at least 1 bit of each operand."""

    precision: Precision = option(
        PRECISION,
        BASELINE,
        f"bits of activations, weights and errors, 1..{MAX_BITS} each",
        metavar="A,W,E",
        in_name=_in_name,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if is_skip(self.precision):
            allowed = "at least 1 bit of each operand in static training"
            raise ParameterError("precision", str(self.precision), allowed)


def build(options: Options, task: Task) -> Method:
    """The method."""
    return ScheduledMethod("static", Progression([options.precision]))


METHOD = MethodKind("static", "one precision throughout", Options, build)
