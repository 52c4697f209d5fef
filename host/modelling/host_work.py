"""Counts the host's work in a training step: elements of each kind (`host_kinds`).

It adds up the work of the step's operations (`operation_work`). Tensors that go to the machine and
back are counted from the layouts of its programs, one for each convolution and pass.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from fractrain.host.compiler import Step, compile_program
from fractrain.host.graph.choice import Choice
from fractrain.host.graph.convolution import Convolution
from fractrain.host.graph.skipping import carried_out
from fractrain.host.graph.step import StepGraph
from fractrain.host.modelling import host_kinds as kinds
from fractrain.host.modelling.host_kinds import HostWork
from fractrain.host.modelling.operation_work import WORK, Counting
from fractrain.host.networks.gates import GateRules, Gates
from fractrain.host.numerics.random_streams import Stream, generator
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision

STORED_BITS = 8
"""Bits of activations for later decisions of gates."""


def count_host_work(
    step: StepGraph,
    choices: Sequence[Choice],
    parameters: Parameters,
    gates: Gates | None = None,
) -> HostWork:
    """``step`` after these choices of its blocks, on the machine ``parameters``; ``gates``: the
    gates that chose, if they learn.

    Raises `ParameterError` unless there is a choice for each block, and for an operation without
    declared work.
    """
    work, programs = count_operations(step, choices, gates)
    count_programs(work, programs, parameters)
    return work


def count_operations(
    step: StepGraph, choices: Sequence[Choice], gates: Gates | None = None
) -> tuple[HostWork, Counter[Convolution]]:
    """The work around the programs of ``step``, and what its programs convolve."""
    counting = Counting(step, step.table(choices), gates)
    for operation in carried_out(step.operations, counting.table, counting.missing):
        WORK.of(operation)(counting, operation)
    counting.add(kinds.DATA, math.prod(step.images.shape))
    if gates is not None:
        learned = [each.value.size for each in gates.parameters()]
        counting.add(kinds.OPTIMIZER, sum(learned), len(learned))
    return counting.work, counting.programs


def count_programs(
    work: HostWork, programs: Mapping[Convolution, int], parameters: Parameters
) -> None:
    """Add what packing operands for ``programs`` and reading their results takes."""
    for each, count in programs.items():
        step = Step(each.pass_, each.geometry, 0, "row", "column", "result", each.stored)
        program = compile_program(parameters, [step])
        given = math.prod(each.row_shape) + math.prod(each.column_shape)
        work.add(kinds.CHECK, count * given, 2 * count)
        for layout in program.packed:
            elements = layout.words // layout.digits * parameters.block_bits
            work.add(kinds.TO_BLOCKS, count * elements, count)
            work.add(kinds.TO_PLANES, count * elements * layout.bits, count * layout.bits)
        work.add(kinds.TO_BUFFER, count * program.memory_bytes / 8, count)
        for region in program.unpacked:
            tile = parameters.array.rows * parameters.array.columns
            work.add(kinds.FROM_TILES, count * region.count * tile, count)


def gates_of(step: StepGraph, precisions: Sequence[Precision]) -> Gates:
    """Gates for the blocks of ``step`` that choose from ``precisions``, as new."""
    rules = GateRules(tuple(precisions), beta=1e-3, stored_bits=STORED_BITS)
    widths = [block.channels for block in step.blocks]
    macs = [step.block_macs(block.number) for block in step.blocks]
    return Gates(rules, widths, macs, generator(0, Stream.GATES), target=3.0)
