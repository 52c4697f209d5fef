"""Progressive fractional quantization (PFQ): the next precision when the training loss has settled.

Source: Fu et al., FracTrain, NeurIPS 2020, section 3.1. Where paper and
code differ, defaults follow the authors' code for CIFAR.
"""

from __future__ import annotations

from dataclasses import dataclass

from fractrain.host.methods.method import Method, MethodKind, Task
from fractrain.host.methods.progression import ProgressionOptions, check_never_falls
from fractrain.host.methods.rules import BITS, check_pairs
from fractrain.host.methods.scheduled import ScheduledMethod
from fractrain.host.plugins.option import option
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Precision


@dataclass(frozen=True)
class Options(ProgressionOptions):
    """The stages: bits of activations and weights, and of errors; 0 in both skips the blocks."""

    schedule_forward: tuple[int, ...] = option(
        BITS,
        (3, 4, 6, 8),
        "bits of activations and weights in each stage, 0 to skip the blocks",
        metavar="B,B,…",
    )
    schedule_backward: tuple[int, ...] = option(
        BITS, (6, 6, 8, 8), "bits of errors in each stage", metavar="B,B,…"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        both = self.schedule_forward, self.schedule_backward
        if len(both[0]) != len(both[1]):
            name = "schedule_forward and schedule_backward"
            raise ParameterError(name, both, "two of the same length")
        check_pairs(zip(*both, strict=True))
        for name in ("schedule_forward", "schedule_backward"):
            check_never_falls(name, getattr(self, name))


def build(options: Options, task: Task) -> Method:
    """The method."""
    pairs = zip(options.schedule_forward, options.schedule_backward, strict=True)
    values = [Precision(forward, forward, backward) for forward, backward in pairs]
    return ScheduledMethod("pfq", options.progression(values, task))


METHOD = MethodKind(
    "pfq", "progressive, a stage up each time the training loss has settled", Options, build
)
