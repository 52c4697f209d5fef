"""Cases: programs with operands, and what they are run with; as Python text for a replay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fractrain.host.compiler import Planes, Port, Raw, Step
from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.precision import Operand, Pass, Precision, value_range
from fractrain.sim.cosim.stalls import BusStalls, Stall
from fractrain.sim.memory_model import MemoryModel

Values = NDArray[np.int64]


@dataclass(frozen=True)
class Run:
    """One run of a program: its precision table, and how memory and port behave.

    ``bus`` names the behaviour. ``fresh``: the memory image is packed anew before, else the run
    finds in memory what the one before has left there.
    """

    table: Mapping[int, Precision]
    bus: str = "ideal"
    model: MemoryModel = MemoryModel()
    stalls: BusStalls = BusStalls()
    seed: int = 0
    fresh: bool = True


@dataclass(frozen=True)
class Case:
    """``steps`` as one program at ``base``, on operands drawn from ``seed``, run after run."""

    steps: tuple[Step, ...]
    runs: tuple[Run, ...]
    seed: int = 0
    base: int = 0

    @property
    def made(self) -> set[str]:
        """Tensors that a step makes."""
        return {step.result for step in self.steps}

    def operands(self) -> dict[str, Values]:
        """The tensors that no step makes: of some, all values are extremes, or most are zero."""
        found: dict[str, Values] = {}
        for step in self.steps:
            sides = (
                (step.row, step.pass_.row, step.row_shape, step.stored_bits[0]),
                (step.column, step.pass_.column, step.column_shape, step.stored_bits[1]),
            )
            for name, operand, shape, bits in sides:
                if name not in self.made and name not in found:
                    random = np.random.default_rng([self.seed, *name.encode()])
                    found[name] = _values(random, operand, shape, bits)
        return found

    def text(self) -> str:
        """Python that makes this case, with `parse_case`."""
        steps = "".join(f"\n    {_step_text(step)}," for step in self.steps)
        runs = "".join(f"\n    {run!r}," for run in self.runs)
        return f"Case(({steps}\n), ({runs}\n), {self.seed}, {self.base})"


def parse_case(text: str) -> Case:
    """Inverse of `Case.text`."""
    names = {
        each.__name__: each
        for each in (
            *(Case, Run, Step, Geometry, Planes, Port, Raw),
            *(Pass, Precision, BusStalls, Stall, MemoryModel),
        )
    }
    case = eval(text, names)
    if not isinstance(case, Case):
        raise TypeError(f"no case, but {type(case).__name__}")
    return case


def _step_text(step: Step) -> str:
    return (
        f"Step(Pass.{step.pass_.name}, {step.geometry!r}, {step.slot}, {step.row!r}, "
        f"{step.column!r}, {step.result!r}, {step.stored_bits!r}, {step.destination!r})"
    )


def _values(
    random: np.random.Generator, operand: Operand, shape: tuple[int, ...], bits: int
) -> Values:
    low, high = value_range(bits, operand.signed)
    values = random.integers(low, high, shape, endpoint=True)
    kind = random.integers(8)
    if kind == 0:
        return np.full(shape, low if operand.signed else high)
    if kind == 1:
        return np.where(values % 2, low, high)
    if kind == 2:
        return np.where(random.random(shape) < 0.9, 0, values)
    return values
