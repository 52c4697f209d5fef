"""Methods with gates: the common part of DFQ and FracTrain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fractrain.host.graph.choice import SKIP
from fractrain.host.methods.method import Task
from fractrain.host.methods.mode_defaults import shown_default
from fractrain.host.methods.progression import Progression, ProgressiveMethod
from fractrain.host.methods.rules import CANDIDATES, HIGHEST_COST, check_candidates
from fractrain.host.networks.gate_layers import EXACT, FLOAT32
from fractrain.host.networks.gates import GateRules, Gates
from fractrain.host.plugins.option import Checked, Form, option
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import MAX_BITS, Precision
from fractrain.hw.contract.values import OneWord, Optional, Real, TrueOrFalse, Whole

__all__ = ["DECIDE", "GateOptions", "GatedMethod"]

DECIDE = ("late", "early")
"""When a gate decides: after its block's activations are stored, or before they are quantized."""

PUBLISHED_WEIGHT_BITS = 4
"""Of all candidates on CIFAR."""

Candidates = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class GateOptions(Checked):
    """The gates' candidates, and the weight of their cost (`host.networks.gates`).

    ``candidates``: bits of activations, weights and errors; None: as the mode has it. A pair is the
    published form, bits forward and backward, with weights of ``weight_bits``: it is made a triple,
    and so is what a run records. ``weight_bits`` that no candidate has are refused. ``skip`` adds
    0/0/0. ``decide``: "late", the top planes of stored activations are read; "early", they are
    quantized as the gate chose; None is late with float surroundings and early in other modes,
    which have no other.
    """

    candidates: Candidates | None = option(
        Optional(CANDIDATES),
        None,
        "bits of activations, weights and errors that the gates choose from, 0/0/0 to skip the "
        "block; or F/B, bits forward and backward, with weights of --weight-bits",
        metavar="A/W/E,…",
        shown=shown_default("candidates"),
    )
    weight_bits: int | None = option(
        Optional(Whole(1, MAX_BITS)),
        None,
        "bits of weights of candidates F/B",
        metavar="B",
        shown=str(PUBLISHED_WEIGHT_BITS),
    )
    skip: bool = option(
        TrueOrFalse(),
        False,
        "skipping the block is a candidate, too",
        form=Form.EITHER,
        shown="",
        in_name=lambda skip: "skip" if skip else "",
    )
    beta: float | None = option(
        Optional(Real(0, 1000)),
        None,
        "weight in the loss of the blocks' cost, each in percent as --target, averaged over images",
        metavar="B",
        shown=shown_default("beta"),
    )
    dead_band: float = option(
        Real(0, HIGHEST_COST),
        0.0,
        "leave the cost alone when it is so close to its target",
        metavar="CP",
    )
    decide: str | None = option(
        Optional(OneWord(DECIDE)),
        None,
        "late, after the activations are stored, of which the top planes are read; early, before "
        "they are quantized",
        shown="late in float mode, else early",
        in_name=lambda decide: "early" if decide == "early" else "",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.candidates is None:
            return
        check_candidates(self.candidates)
        candidates = tuple(map(self._triple, self.candidates))
        if len(set(candidates)) < len(candidates):
            raise ParameterError("candidates", self.candidates, "at least two, all different")
        filled = any(len(each) == 2 and any(each) for each in self.candidates)
        object.__setattr__(self, "candidates", candidates)
        if filled and self.weight_bits is None:
            object.__setattr__(self, "weight_bits", PUBLISHED_WEIGHT_BITS)
        if self.weight_bits not in (None, *(weight for _, weight, _ in candidates)):
            allowed = "with candidates F/B only: others have their own"
            raise ParameterError("weight_bits", self.weight_bits, allowed)

    def _triple(self, bits: tuple[int, ...]) -> tuple[int, ...]:
        if len(bits) == 3:
            return tuple(bits)
        forward, backward = bits
        weight = self.weight_bits or PUBLISHED_WEIGHT_BITS
        return forward, weight if forward else 0, backward

    def precisions(self) -> tuple[Precision, ...]:
        """Of the candidates, that of ``skip`` first."""
        assert self.candidates is not None, "Recipe.for_mode has seen to it"
        precisions = tuple(Precision(*bits) for bits in self.candidates)
        return (SKIP, *precisions) if self.skip and SKIP not in precisions else precisions

    def gates(self, target: float, task: Task) -> Gates:
        """New gates for ``task`` that aim at the cost ``target``.

        Raises `ParameterError` for late decisions in a mode that has none.
        """
        precisions = self.precisions()
        has_late = task.mode == "float"
        if self.decide == "late" and not has_late:
            allowed = f"early, or nothing, with --mode {task.mode}"
            raise ParameterError("decide", self.decide, allowed)
        early = self.decide == "early" or not has_late
        stored = None if early else max(8, *(each.activation for each in precisions))
        assert self.beta is not None, "Recipe.for_mode has seen to it"
        rules = GateRules(
            precisions,
            self.beta,
            self.dead_band,
            per_sample=task.per_sample,
            stored_bits=stored,
            published=task.published,
        )
        arithmetic = EXACT if task.mode == "hardware" else FLOAT32
        sizes = task.widths, task.macs
        return Gates(rules, *sizes, task.rng, target=target, arithmetic=arithmetic)


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
