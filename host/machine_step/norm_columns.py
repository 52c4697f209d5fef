"""Norm records of all batch norms of a step, side by side: they are many and small."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fractrain.host.graph.machine_records import Integers, NormKey
from fractrain.sim.golden.step import backward, forward
from fractrain.sim.golden.step.scales import Reals


@dataclass
class Norm:
    """A batch norm that is carried out: its parameters and running statistics, the real values of
    steps of y and z, and of γ in G, and what scales its way back."""

    key: NormKey
    gamma: Reals
    beta: Reals
    running: tuple[Reals, Reals]
    y_step: float
    z_step: float
    factor_step: float
    gain_factor: float = 0.0


def norm_records(
    norms: Sequence[Norm], share: int
) -> tuple[dict[NormKey, Mapping[str, Integers]], dict[NormKey, int]]:
    """Fields of the norm records, and the shift of γC, of each. ``share``: of the running
    statistics in 256ths; without any their fields are 0."""
    if not norms:
        return {}, {}
    columns = Columns([each.gamma.size for each in norms])
    gamma, beta = (
        columns.join([getattr(each, name) for each in norms]) for name in ("gamma", "beta")
    )
    steps, units = (
        columns.spread([getattr(each, name) for each in norms])
        for name in ("factor_step", "z_step")
    )
    term = forward.terms(gamma, beta, steps, units)
    real = gamma * columns.spread([each.gain_factor for each in norms])
    shifts = [backward.gain_shift(each) for each in columns.greatest(np.abs(real))]
    gains = backward.gain_integers(real, columns.spread(shifts))
    fields = {"factor": term.factor, "offset": term.offset, "gain": gains}
    if share:
        y_steps = columns.spread([each.y_step for each in norms])
        mean, variance = (
            columns.join([each.running[place] for each in norms]) for place in range(2)
        )
        mixed = forward.mix(mean, variance, y_steps, share)
        fields |= {"running_mean": mixed.mean, "running_variance": mixed.variance}
    found: dict[NormKey, Mapping[str, Integers]] = {}
    for norm, part in zip(norms, columns.parts, strict=True):
        found[norm.key] = {name: values[part] for name, values in fields.items()}
    return found, {norm.key: shift for norm, shift in zip(norms, shifts, strict=True)}


class Columns:
    """Vectors of ``sizes`` side by side."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sizes = np.array(sizes)
        ends = self._sizes.cumsum().tolist()
        self._starts = [0, *ends[:-1]]
        self.parts = [slice(first, last) for first, last in zip(self._starts, ends, strict=True)]
        """Where each is."""

    def join(self, arrays: Sequence[Any]) -> Any:
        """Arrays as one vector."""
        return np.concatenate(arrays, axis=None)

    def spread(self, numbers: Sequence[Any]) -> Any:
        """A number of each, for every one of its elements."""
        return np.repeat(np.array(numbers), self._sizes)

    def greatest(self, values: Any) -> list[Any]:
        """Of each."""
        found: list[Any] = np.maximum.reduceat(values, self._starts).tolist()
        return found
