"""The hyper-parameters of a method: published defaults, checks, YAML files.

Defaults are those of the authors' code for CIFAR, where it and the paper differ.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from host.networks.gates import GateRules, Gates
from host.networks.selection import is_skip
from host.training.indicator import TurningPointIndicator
from host.training.methods import GatedMethod, Method, Progression, ScheduledMethod
from hw.contract.errors import DataError, ParameterError
from hw.contract.precision import MAX_BITS, Precision

METHODS = ("static", "pfq", "dfq", "fractrain")

DECIDE = ("late", "early")
"""When a gate decides: after its block's activations are stored, or before they are quantized."""

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
        if self.method not in METHODS:
            raise ParameterError("method", self.method, ", ".join(METHODS))
        if is_skip(self.precision):
            raise ParameterError(
                "precision",
                str(self.precision),
                "at least 1 bit of each operand in static training",
            )
        if len(self.schedule_forward) != len(self.schedule_backward) or not self.schedule_forward:
            raise ParameterError(
                "schedule_forward and schedule_backward",
                (self.schedule_forward, self.schedule_backward),
                "two of the same length",
            )
        if len(self.candidates) < 2 or len(set(self.candidates)) < len(self.candidates):
            raise ParameterError("candidates", self.candidates, "at least two, all different")
        pairs = (*zip(self.schedule_forward, self.schedule_backward, strict=True), *self.candidates)
        for pair in pairs:
            if not (pair == (0, 0) or all(1 <= bits <= MAX_BITS for bits in pair)):
                raise ParameterError(
                    "forward/backward bits", pair, f"1..{MAX_BITS} each, or 0/0 to skip"
                )
        for name, fits, allowed in (
            ("epsilon", self.epsilon > 0, "greater than 0"),
            ("alpha", 0 < self.alpha <= 1, "greater than 0, at most 1"),
            ("interval", self.interval is None or self.interval >= 1, "at least 1 step"),
            ("weight_bits", 1 <= self.weight_bits <= MAX_BITS, f"1..{MAX_BITS}"),
            ("target", self.target > 0, "greater than 0 percent"),
            ("targets", bool(self.targets) and min(self.targets) > 0, "greater than 0 percent"),
            ("beta", self.beta >= 0, "at least 0"),
            ("dead_band", self.dead_band >= 0, "at least 0 percent"),
            ("decide", self.decide in (None, *DECIDE), " or ".join(DECIDE)),
        ):
            if not fits:
                raise ParameterError(name, getattr(self, name), allowed)

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
        for entry in resources.files("configs").joinpath("recipes").iterdir()
        if entry.name.endswith(".yaml")
    )


def read_recipe(name: str) -> dict[str, Any]:
    """The fields of a `Recipe` that one of ours (`recipe_names`) or a YAML file gives.

    ``precision`` is [a, w, e], ``candidates`` a list of [forward, backward]. Raises `DataError`
    for a file that cannot be read, `ParameterError` for what is no field or has the wrong form.
    """
    path: Traversable = Path(name)
    if name in recipe_names():
        path = resources.files("configs").joinpath("recipes").joinpath(f"{name}.yaml")
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(
            f"recipe {name!r}: {error.strerror}; give the path of a YAML file or one of "
            f"{', '.join(recipe_names())}"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(document, Mapping):
        raise DataError(f"{path} holds no fields; for example: epsilon: 0.05")
    return parse_fields(document, str(path))


def parse_fields(document: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The fields of a `Recipe` that ``document``, read from ``source``, gives in `plain` form.

    Raises `ParameterError` for what is no field or has the wrong form.
    """
    names = [each.name for each in dataclasses.fields(Recipe)]
    for name in document:
        if name not in names:
            raise ParameterError(f"field in {source}", name, ", ".join(names))
    return {name: _parsed(name, value, source) for name, value in document.items()}


def _parsed(name: str, value: Any, path: str) -> Any:
    """``value`` of a YAML file in the type of field ``name``."""
    example = getattr(Recipe, name)
    try:
        if name == "precision":
            return Precision(*map(_whole, value))
        if name == "candidates":
            return tuple((_whole(forward), _whole(backward)) for forward, backward in value)
        if name == "targets":
            return tuple(map(_number, value))
        if isinstance(example, tuple):
            return tuple(map(_whole, value))
        if name == "interval":
            return None if value is None else _whole(value)
        if name == "decide":
            return None if value is None else str(value)
        if isinstance(example, int):
            return _whole(value)
        if isinstance(example, float):
            return _number(value)
        return str(value)
    except ParameterError:
        raise
    except (TypeError, ValueError):
        raise ParameterError(
            f"{name} in {path}", value, f"something like {plain(example) or 100}"
        ) from None


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError
    return float(value)


def plain(value: Any) -> Any:
    """The value of a field as JSON and YAML have it."""
    if isinstance(value, Precision):
        return [value.activation, value.weight, value.error]
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return value
