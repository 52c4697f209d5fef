"""FracTrain: gates as in DFQ, with a target cost that rises like PFQ's precision.

Source: Fu et al., FracTrain, NeurIPS 2020, section 3.3. Where paper and
code differ, defaults follow the authors' code for CIFAR.
"""

from __future__ import annotations

from dataclasses import dataclass

from fractrain.host.methods.gated import GatedMethod, GateOptions
from fractrain.host.methods.method import Method, MethodKind, Task
from fractrain.host.methods.mode_defaults import shown_default
from fractrain.host.methods.progression import ProgressionOptions, check_never_falls
from fractrain.host.methods.rules import COSTS
from fractrain.host.plugins.option import option
from fractrain.hw.contract.values import Optional


@dataclass(frozen=True)
class Options(ProgressionOptions, GateOptions):
    """The cost aimed at in each stage, cp in percent; None: as the mode has it."""

    targets: tuple[float, ...] | None = option(
        Optional(COSTS),
        None,
        "as --target, for each stage",
        metavar="CP,CP,…",
        shown=shown_default("targets"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.targets is not None:
            check_never_falls("targets", self.targets)


def build(options: Options, task: Task) -> Method:
    """The method, with new gates."""
    assert options.targets is not None, "Recipe.for_mode has seen to it"
    gates = options.gates(options.targets[0], task)
    progression = options.progression(options.targets, task)
    return GatedMethod("fractrain", gates, progression)


METHOD = MethodKind("fractrain", "gates whose target cost is raised progressively", Options, build)
