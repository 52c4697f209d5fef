"""Dynamic fractional quantization (DFQ): gates aim at one cost.

Source: Fu et al., FracTrain, NeurIPS 2020, section 3.2. Where paper and
code differ, defaults follow the authors' code for CIFAR.
"""

from __future__ import annotations

from dataclasses import dataclass

from fractrain.host.methods.gated import GatedMethod, GateOptions
from fractrain.host.methods.method import Method, MethodKind, Task
from fractrain.host.methods.mode_defaults import shown_default
from fractrain.host.methods.progression import Progression
from fractrain.host.methods.rules import COST
from fractrain.host.plugins.option import option
from fractrain.hw.contract.values import Optional


@dataclass(frozen=True)
class Options(GateOptions):
    """The cost aimed at, cp in percent; None: as the mode has it."""

    target: float | None = option(
        Optional(COST),
        None,
        "cost of the blocks to aim at, in percent of 32-bit arithmetic; FW8/BW8 is 6.25",
        metavar="CP",
        shown=shown_default("target"),
    )


def build(options: Options, task: Task) -> Method:
    """The method, with new gates."""
    assert options.target is not None, "Recipe.for_mode has seen to it"
    gates = options.gates(options.target, task)
    return GatedMethod("dfq", gates, Progression([options.target]))


METHOD = MethodKind("dfq", "gates choose for each block and mini-batch", Options, build)
