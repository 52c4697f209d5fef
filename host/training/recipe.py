"""The hyper-parameters of a method: published defaults, how they must fit, YAML files.

Defaults are those of the authors' code for CIFAR, where it and the paper differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from fractrain.host.graph.choice import is_skip
from fractrain.host.networks.gates import GateRules, Gates
from fractrain.host.training.indicator import TurningPointIndicator
from fractrain.host.training.methods import GatedMethod, Method, Progression, ScheduledMethod
from fractrain.host.training.recipe_rules import RULES
from fractrain.hw.contract.errors import ParameterError, did_you_mean
from fractrain.hw.contract.precision import MAX_BITS, Precision
from fractrain.hw.contract.yaml_files import read_yaml

Pairs = tuple[tuple[int, int], ...]

OF_METHODS = {
    "static": ("precision",),
    "pfq": ("schedule_forward", "schedule_backward", "epsilon", "alpha", "interval"),
    "dfq": ("candidates", "weight_bits", "target", "beta", "dead_band", "decide"),
    "fractrain": (
        "candidates",
        "weight_bits",
        "targets",
        "epsilon",
        "alpha",
        "interval",
        "beta",
        "dead_band",
        "decide",
    ),
}
"""Method → the fields of `Recipe` that it reads."""


@dataclass(frozen=True)
class Recipe:
    """What a method is given. Bits are 1..16; 0 everywhere in a pair or triple means *skip*.

    - ``precision``: of static training, activations/weights/errors.
    - ``schedule_forward``, ``schedule_backward``: PFQ's stages, bits of activations and weights,
      and of errors.
    - ``epsilon``, ``alpha``, ``interval``: of the indicator of turning points
      (`TurningPointIndicator`); ``interval`` is in steps, None for an epoch.
    - ``candidates``: what DFQ's gates choose from, pairs of forward and backward bits;
      ``weight_bits`` hold for all of them.
    - ``target`` (DFQ), ``targets`` (FracTrain, one for each stage): the cost aimed at, cp in
      percent; ``beta``, ``dead_band``: see `host.networks.gates`. ``decide`` (of `DECIDE`):
      "late", the top planes of stored activations are read; "early", they are quantized as the
      gate chose; None is late in hardware mode and early in reference mode, which knows no other.

    Raises `ParameterError` for a value that is not allowed.
    """

    method: str = "fractrain"
    precision: Precision = Precision(8, 8, 8)
    schedule_forward: tuple[int, ...] = (3, 4, 6, 8)
    schedule_backward: tuple[int, ...] = (6, 6, 8, 8)
    epsilon: float = 0.15
    alpha: float = 0.4
    interval: int | None = None
    candidates: Pairs = ((3, 6), (4, 6), (4, 8), (6, 8), (6, 12))
    weight_bits: int = 4
    target: float = 3.0
    targets: tuple[float, ...] = (1.5, 2.0, 2.5, 3.0)
    beta: float = 1e-3
    dead_band: float = 0.0
    decide: str | None = None

    def __post_init__(self) -> None:
        for name, rule in RULES.items():
            value = getattr(self, name)
            if not isinstance(value, Precision):  # which has checked itself
                rule.read(name, value)
        if is_skip(self.precision):
            raise ParameterError(
                "precision",
                str(self.precision),
                "at least 1 bit of each operand in static training",
            )
        if len(self.schedule_forward) != len(self.schedule_backward):
            raise ParameterError(
                "schedule_forward and schedule_backward",
                (self.schedule_forward, self.schedule_backward),
                "two of the same length",
            )
        if len(set(self.candidates)) < len(self.candidates):
            raise ParameterError("candidates", self.candidates, "at least two, all different")
        pairs = (*zip(self.schedule_forward, self.schedule_backward, strict=True), *self.candidates)
        for pair in pairs:
            if not (pair == (0, 0) or all(1 <= bits <= MAX_BITS for bits in pair)):
                raise ParameterError(
                    "forward/backward bits", pair, f"1..{MAX_BITS} each, or 0/0 to skip"
                )
        for name in ("schedule_forward", "schedule_backward", "targets"):
            values = getattr(self, name)
            if list(values) != sorted(values):
                allowed = "values that never fall: each stage costs at least what the last one did"
                raise ParameterError(name, values, allowed)

    # -- what the method is made of --------------------------------------------------------

    @property
    def gated(self) -> bool:
        """Whether gates choose the precision of each block."""
        return self.method in ("dfq", "fractrain")

    @property
    def options(self) -> dict[str, Any]:
        """The fields that the method reads, for the record."""
        return {name: plain(getattr(self, name)) for name in OF_METHODS[self.method]}

    def candidate_precisions(self) -> tuple[Precision, ...]:
        """What the gates choose from."""
        return tuple(
            Precision(forward, self.weight_bits if forward else 0, backward)
            for forward, backward in self.candidates
        )

    def build(
        self,
        *,
        steps_per_epoch: int,
        widths: Sequence[int],
        macs: Sequence[int],
        per_sample: bool,
        rng: np.random.Generator,
    ) -> Method:
        """The method, for blocks of inputs with ``widths`` channels and ``macs`` a pass.

        ``per_sample``: a gate decides for each image by itself, after that quantizing it;
        `ParameterError` if the recipe says it shall decide late.
        """
        interval = self.interval or steps_per_epoch
        if not self.gated:
            values = [self.precision]
            if self.method == "pfq":
                values = [
                    Precision(forward, forward, backward)
                    for forward, backward in zip(
                        self.schedule_forward, self.schedule_backward, strict=True
                    )
                ]
            return ScheduledMethod(self.method, self._progression(values, interval))
        targets = self.targets if self.method == "fractrain" else (self.target,)
        candidates = self.candidate_precisions()
        if per_sample and self.decide == "late":
            raise ParameterError("decide", self.decide, "early, or nothing, with --mode reference")
        early = per_sample or self.decide == "early"
        stored = None if early else max(8, *(each.activation for each in candidates))
        rules = GateRules(candidates, self.beta, self.dead_band, per_sample, stored)
        gates = Gates(rules, widths, macs, rng, target=targets[0])
        return GatedMethod(self.method, gates, self._progression(targets, interval))

    def _progression(self, values: Sequence[Any], interval: int) -> Progression:
        if len(values) == 1:
            return Progression(values)
        indicator = TurningPointIndicator(
            epsilon=self.epsilon, alpha=self.alpha, limit=len(values) - 1
        )
        return Progression(values, indicator, interval)


def recipe_names() -> list[str]:
    """Names of the recipes that come with the project, sorted."""
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in resources.files("fractrain.configs").joinpath("recipes").iterdir()
        if entry.name.endswith(".yaml")
    )


def read_recipe(name: str) -> dict[str, Any]:
    """The fields of a `Recipe` that one of ours (`recipe_names`) or a YAML file gives.

    ``precision`` is [a, w, e], ``candidates`` a list of [forward, backward]. Raises `DataError`
    for a file that cannot be read, `ParameterError` for what is no field or has the wrong form.
    """
    ours = name in recipe_names()
    recipes = resources.files("fractrain.configs").joinpath("recipes")
    document = read_yaml(
        recipes.joinpath(f"{name}.yaml") if ours else Path(name),
        source=f"configs/recipes/{name}.yaml" if ours else name,
        takes="fields such as epsilon: 0.05",
        advice=f"; give the path of a recipe or one of {', '.join(recipe_names())}",
    )
    return parse_fields(document, name)


def parse_fields(document: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The fields of a `Recipe` that ``document``, read from ``source``, gives in `plain` form.

    Raises `ParameterError` for what is no field or is not allowed in one.
    """
    for name in document:
        if name not in RULES:
            raise ParameterError(
                f"field in {source}", name, ", ".join(RULES), hint=did_you_mean(name, RULES)
            )
    return {name: RULES[name].read(f"{name} in {source}", document[name]) for name in document}


def plain(value: Any) -> Any:
    """The value of a field as JSON and YAML have it."""
    if isinstance(value, Precision):
        return [value.activation, value.weight, value.error]
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return value
