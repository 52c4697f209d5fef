"""Methods with gates: the common part of DFQ and FracTrain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fractrain.host.methods.method import Task
from fractrain.host.methods.progression import Progression, ProgressiveMethod
from fractrain.host.methods.rules import HIGHEST_COST, PAIRS, check_pairs
from fractrain.host.networks.gates import PUBLISHED_BETA, GateRules, Gates
from fractrain.host.plugins.option import Checked, option
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import MAX_BITS, Precision
from fractrain.hw.contract.values import Choice, Optional, Real, Whole

__all__ = ["DECIDE", "GateOptions", "GatedMethod"]

DECIDE = ("late", "early")
"""When a gate decides: after its block's activations are stored, or before they are quantized."""

Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class GateOptions(Checked):
    """The gates' candidates, and the weight of their cost (`host.networks.gates`).

    ``decide``: "late", the top planes of stored activations are read; "early", they are quantized
    as the gate chose; None is late in hardware mode and early in reference mode, which has no
    other.
    """

    candidates: Pairs = option(
        PAIRS,
        ((3, 6), (4, 6), (4, 8), (6, 8), (6, 12)),
        "forward and backward bits that the gates choose from, 0/0 to skip the block",
        metavar="F/B,F/B,…",
    )
    weight_bits: int = option(Whole(1, MAX_BITS), 4, "bits of weights", metavar="B")
    beta: float = option(
        Real(0, 1000),
        1e-3,
        "weight in the loss of the blocks' cost, each in percent as --target, averaged over images",
        metavar="B",
        shown=f"0.001; with --mode reference the published {PUBLISHED_BETA:g}",
    )
    dead_band: float = option(
        Real(0, HIGHEST_COST),
        0.0,
        "leave the cost alone when it is so close to its target",
        metavar="CP",
    )
    decide: str | None = option(
        Optional(Choice(DECIDE)),
        None,
        "late, after the activations are stored, of which the top planes are read; early, before "
        "they are quantized",
        shown="late in hardware mode, else early",
        in_name=lambda decide: "early" if decide == "early" else "",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(set(self.candidates)) < len(self.candidates):
            raise ParameterError("candidates", self.candidates, "at least two, all different")
        check_pairs(self.candidates)

    def precisions(self) -> tuple[Precision, ...]:
        """Of the candidates."""
        return tuple(
            Precision(forward, self.weight_bits if forward else 0, backward)
            for forward, backward in self.candidates
        )

    def gates(self, target: float, task: Task) -> Gates:
        """New gates for ``task`` that aim at the cost ``target``.

        Raises `ParameterError` for late decisions for each image.
        """
        precisions = self.precisions()
        if task.per_sample and self.decide == "late":
            raise ParameterError("decide", self.decide, "early, or nothing, with --mode reference")
        early = task.per_sample or self.decide == "early"
        stored = None if early else max(8, *(each.activation for each in precisions))
        rules = GateRules(
            precisions,
            self.beta,
            self.dead_band,
            per_sample=task.per_sample,
            stored_bits=stored,
            published=task.published,
        )
        return Gates(rules, task.widths, task.macs, task.rng, target=target)


class GatedMethod(ProgressiveMethod):
    """The target of the gates' cost follows ``progression``."""

    selector: Gates

    def __init__(self, name: str, gates: Gates, progression: Progression) -> None:
        super().__init__(name, gates, progression)

    def before_step(self, step: int) -> None:
        self.selector.target = self.progression.current

    @property
    def target_cp(self) -> float:
        return float(self.progression.current)

    def describe(self, value: float) -> dict[str, Any]:
        return {"target_cp": value}
