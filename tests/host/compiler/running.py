"""Programs on the emulator, and what they must give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fractrain.host.compiler import Planes, Port, Program, Step, compile_program
from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Pass, Precision, value_range
from fractrain.sim import golden
from fractrain.sim.functional import FunctionalMachine, Order, RunResult


def random_operands(
    program: Program, rng: np.random.Generator, widths: Mapping[str, int] | None = None
) -> dict[str, NDArray[np.int64]]:
    """Any values that fit; ``widths`` of tensors that have fewer bits than there is room for."""
    made = {step.result for step in program.steps}
    operands = {}
    for step in program.steps:
        for name, shape, signed, bits in (
            (step.row, step.row_shape, step.signed[0], step.stored_bits[0]),
            (step.column, step.column_shape, step.signed[1], step.stored_bits[1]),
        ):
            if name not in made and name not in operands:
                low, high = value_range((widths or {}).get(name, bits), signed)
                operands[name] = rng.integers(low, high, shape, endpoint=True)
    return operands


def expected(
    program: Program,
    operands: Mapping[str, NDArray[np.int64]],
    precisions: Mapping[int, Precision],
    stored: Mapping[str, int] | None = None,
) -> dict[str, NDArray[np.int64] | None]:
    """The golden model's results of all steps; ``stored`` as ``widths`` of `random_operands`."""
    known: dict[str, NDArray[np.int64] | None] = dict(operands)
    for step in program.steps:
        g, widths = step.geometry, precisions[step.slot]
        bits = widths.bits(step.pass_.row), widths.bits(step.pass_.column)
        if 0 in bits:
            known[step.result] = None
            continue
        row, column = (
            np.asarray(known[name]) >> ((stored or {}).get(name, room) - width)
            for name, room, width in zip(
                (step.row, step.column), step.stored_bits, bits, strict=True
            )
        )
        if step.pass_ is Pass.FORWARD:
            sums = golden.forward(row, column, bits=bits, stride=g.stride, padding=g.padding)
        elif step.pass_ is Pass.ERROR:
            sums = golden.error(
                row, column, bits=bits, stride=g.stride, padding=g.padding, input_size=g.size
            )
        else:
            sums = golden.gradient(
                row, column, bits=bits, stride=g.stride, padding=g.padding, kernel_size=g.kernel
            )
        if isinstance(step.destination, Planes):
            sums = step.destination.narrow(sums)
        known[step.result] = sums
    return {step.result: known[step.result] for step in program.steps}


def run(
    program: Program,
    operands: Mapping[str, NDArray[np.int64]],
    precisions: Mapping[int, Precision],
    order: Order = Order.FETCH_FIRST,
    stored: Mapping[str, int] | None = None,
) -> tuple[dict[str, NDArray[np.int64] | None], RunResult]:
    """The emulator's results of all steps, and what it counted.

    Memory holds anything before, as that of a machine that has run other programs.
    """
    memory = np.random.default_rng(1).integers(0, 256, program.memory_bytes, np.uint8)
    program.check_operands(operands, stored)
    program.fill(memory, operands, stored)
    machine = FunctionalMachine(program.parameters, memory, base=program.base_address)
    for slot, precision in precisions.items():
        machine.table[slot] = precision
    counted = machine.run(program.program_address, len(program.commands), order)
    results = program.unpack(memory, precisions)
    results |= program.unpack_port(counted.beats, precisions)
    return results, counted


def check(
    parameters: Parameters,
    steps: Sequence[Step],
    precisions: Mapping[int, Precision],
    seed: int = 0,
    orders: Sequence[Order] = (Order.FETCH_FIRST,),
    base: int = 0,
    stored: Mapping[str, int] | None = None,
) -> RunResult:
    """Compile and run ``steps`` on random operands; compare every result."""
    program = compile_program(parameters, steps, base)
    operands = random_operands(program, np.random.default_rng(seed), stored)
    wanted = expected(program, operands, precisions, stored)
    for order in orders:
        results, counted = run(program, operands, precisions, order, stored)
        assert set(results) == set(wanted)
        for name, value in wanted.items():
            if value is None:
                assert results[name] is None
            else:
                assert np.array_equal(np.asarray(results[name]), value), name
    return counted


def three_passes(geometry: Geometry, bits: tuple[int, int, int], slot: int = 0) -> list[Step]:
    """Forward, error and gradient of one convolution, stored at ``bits`` (a, w, e)."""
    a, w, e = bits
    return [
        Step(Pass.FORWARD, geometry, slot, "a", "w", "y", (a, w)),
        Step(Pass.ERROR, geometry, slot, "e", "w", "dx", (e, w)),
        Step(Pass.GRADIENT, geometry, slot, "a", "e", "dw", (a, e)),
    ]


__all__ = ["Port", "check", "expected", "random_operands", "run", "three_passes"]
