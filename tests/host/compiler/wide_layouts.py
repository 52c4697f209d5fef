"""What it costs in cycles that programs are laid out for the widest bits a method can choose.

    python -m tests.host.compiler.wide_layouts
    python -m tests.host.compiler.wide_layouts --networks resnet20 --batch 16 --whole

compares, on the cycle model with the memory of the machine's target, training steps in programs
laid out for wider bits with those in programs for the bits that they have: piece by piece, as they
run, or ``--whole`` as one command stream whose results of forward and error are narrowed to 16
bits. Prints the table of ``docs/step_model.md``, minutes for each line; ends with 1 if a line is
beyond 3 %.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fractrain.host.compiler import Planes, Step, compile_program
from fractrain.host.compiler.pieces import numbered, steps_of
from fractrain.host.compiler.results import PLANE_BITS
from fractrain.host.graph.choice import fixed_choices
from fractrain.host.graph.options import StepOptions
from fractrain.host.graph.step import StepGraph, build_step
from fractrain.host.modelling.predictions import predict_program
from fractrain.host.networks.registry import build_network
from fractrain.hw.contract.parameters import Parameters, load_parameters
from fractrain.hw.contract.precision import Operand, Pass, Precision
from fractrain.hw.contract.tables import markdown_table

COARSE, MIDDLE, FINE = Precision(3, 3, 6), Precision(4, 4, 6), Precision(8, 8, 8)
MIXED = Precision(6, 4, 12)
CASES = ((COARSE, FINE), (COARSE, MIXED), (MIDDLE, FINE), (MIDDLE, MIXED), (FINE, MIXED))
"""Bits of the blocks, and others that they can have."""

HEADS = (
    *("network", "bits", "laid out for", "cycles, own layout", "wide layout"),
    *("cycles", "busy", "bytes"),
)

LIMIT = 0.03
Figures = tuple[int, int, int]
"""Cycles, busy cycles, bytes."""


@dataclass
class Steps:
    """Training steps on ``batch`` images of 32 x 32 pixels; ``whole``: as one command stream."""

    parameters: Parameters
    batch: int
    whole: bool

    def __post_init__(self) -> None:
        self._known: dict[tuple[object, ...], Figures] = {}

    def figures(self, network: str, bits: Precision, *others: Precision) -> Figures:
        """Of blocks at ``bits`` in programs for ``bits`` and ``others``."""
        graph = self._graph(network, (bits, *others))
        table = graph.table(fixed_choices([bits] * len(graph.blocks)))
        found = np.zeros(3, np.int64)
        for steps in self._programs(graph):
            work = numbered(steps)
            precisions = {number: table[slot] for slot, number in work.slots.items()}
            key = work.steps, *sorted(precisions.items(), key=str)
            if key not in self._known:
                program = compile_program(self.parameters, work.steps)
                self._known[key] = predict_program(program, precisions, "ddr")
            found += self._known[key]
        cycles, busy, moved = map(int, found)
        return cycles, busy, moved

    def _graph(self, name: str, precisions: tuple[Precision, ...]) -> StepGraph:
        network = build_network(name, channels=3, classes=10, rng=np.random.default_rng(0))
        return build_step(network, (self.batch, 3, 32, 32), StepOptions(precisions))

    def _programs(self, graph: StepGraph) -> Iterator[Sequence[Step]]:
        if not self.whole:
            for piece in graph.pieces:
                yield steps_of(piece.convolutions, graph.widest)
            return
        narrow = Planes(PLANE_BITS, signed=True)
        steps = steps_of(graph.convolutions, graph.widest)
        yield [
            step if step.pass_ is Pass.GRADIENT else replace(step, destination=narrow)
            for step in steps
        ]


def lines(steps: Steps, networks: Sequence[str]) -> Iterator[tuple[list[str], bool]]:
    """Rows of the table, and whether each is within the limit."""
    for network in networks:
        for bits, other in CASES:
            own = steps.figures(network, bits)
            wide = steps.figures(network, bits, other)
            cycles, busy, moved = (
                after / before - 1 for before, after in zip(own, wide, strict=True)
            )
            row = [
                network,
                str(bits),
                str(widest(bits, other)),
                f"{own[0]:,}",
                f"{wide[0]:,}",
                *(f"{100 * each:+.2f} %" for each in (cycles, busy, moved)),
            ]
            yield row, abs(cycles) <= LIMIT


def widest(*precisions: Precision) -> Precision:
    """Each operand at the most bits."""
    return Precision(*(max(each.bits(operand) for each in precisions) for operand in Operand))


def main() -> int:
    """Print the table; 1 if a line is beyond the limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="zc706")
    parser.add_argument("--networks", nargs="+", default=["resnet20", "resnet38"])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--whole", action="store_true")
    args = parser.parse_args()
    steps = Steps(load_parameters(args.config), args.batch, args.whole)
    rows, right = [], True
    for row, within in lines(steps, args.networks):
        print(*row, file=sys.stderr)  # how far it is
        rows.append(row)
        right &= within
    print(markdown_table(HEADS, rows))
    return 0 if right else 1


if __name__ == "__main__":
    raise SystemExit(main())
