"""Counts the host's work in a training step: elements of each kind (`host_kinds`).

It adds up the work of the step's operations (`operation_work`, `integer_work`). Tensors that go to
the machine and back are counted from the layouts of its programs, one for each piece of the step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from fractrain.host.backends.programs import PieceProgram, Programs
from fractrain.host.graph.choice import Choice
from fractrain.host.graph.operations import Convolve
from fractrain.host.graph.skipping import carried_out
from fractrain.host.graph.step import StepGraph
from fractrain.host.modelling import host_kinds as kinds
from fractrain.host.modelling import integer_kinds, integer_work, operation_work
from fractrain.host.modelling.counting import Counting
from fractrain.host.modelling.host_kinds import HostWork, Kind
from fractrain.host.networks.gate_layers import EXACT, FLOAT32
from fractrain.host.networks.gates import GateRules, Gates
from fractrain.host.numerics.random_streams import Stream, generator
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision

STORED_BITS = 8
"""Bits of activations for later decisions of gates."""

NARROW_BITS = 8
"""Wider values are packed as 16-bit numbers."""


def count_host_work(
    step: StepGraph,
    choices: Sequence[Choice],
    parameters: Parameters,
    gates: Gates | None = None,
) -> HostWork:
    """``step`` after these choices of its blocks, on the machine ``parameters``; ``gates``: the
    gates that chose, if they learn.

    Raises `ParameterError` unless there is a choice for each block, for an operation without
    declared work, and for a step that the machine cannot do.
    """
    counting = count_operations(step, choices, gates)
    programs = Programs(parameters, lambda: 0)
    programs.prepare(step)
    for piece in step.pieces:
        running = [each for each in piece.convolutions if each in counting.convolved]
        if running:
            count_program(counting, programs.of_piece(piece), running, parameters)
    return counting.work


def count_operations(
    step: StepGraph, choices: Sequence[Choice], gates: Gates | None = None
) -> Counting:
    """The work around the programs of ``step``, and which convolutions there are for them."""
    counting = Counting(step, step.table(choices), gates)
    work = integer_work.WORK if counting.integers else operation_work.WORK
    for operation in carried_out(step.operations, counting.table, counting.missing):
        work.of(operation)(counting, operation)
    counting.add(kinds.DATA, math.prod(step.images.shape))
    if gates is not None:
        learned = [each.value.size for each in gates.parameters()]
        kind = integer_kinds.DESCEND if counting.integers else kinds.OPTIMIZER
        counting.add(kind, sum(learned), len(learned))
    return counting


def count_program(
    counting: Counting, piece: PieceProgram, running: Sequence[Convolve], parameters: Parameters
) -> None:
    """Add what packing the operands of the convolutions ``running``, and reading their results,
    takes in the program of their ``piece``."""
    program, widths = piece.program, piece.widths(counting.table)
    operands = {each.stored for convolve in running for each in (convolve.row, convolve.column)}
    for each in operands:
        kind, _ = _operand_kinds(counting, widths[piece.names[each.name]])
        counting.add(kind, math.prod(each.shape))
    given = {piece.names[each.name] for each in operands}
    for name, layout in program.packed:
        if name in given:
            elements, bits = layout.words // layout.digits * parameters.block_bits, widths[name]
            narrow = bits <= NARROW_BITS
            _, to_blocks = _operand_kinds(counting, bits)
            counting.add(to_blocks, elements)
            to_planes = kinds.TO_PLANES if narrow else kinds.TO_WIDE_PLANES
            counting.add(to_planes, elements * bits, bits)
    counting.add(kinds.COMMANDS, program.commands.size / 8)
    made = {piece.names[each.result.name] for each in running}
    tile = parameters.array.rows * parameters.array.columns
    for name, region in program.unpacked:
        if name in made:
            counting.add(kinds.FROM_TILES, region.count * tile)


def _operand_kinds(counting: Counting, bits: int) -> tuple[Kind, Kind]:
    """Checking an operand, and turning it to blocks: integers are in as few bytes as hold them."""
    narrow = bits <= NARROW_BITS
    if not counting.integers:
        return kinds.CHECK, kinds.TO_BLOCKS if narrow else kinds.TO_WIDE_BLOCKS
    if narrow:
        return integer_kinds.CHECK_BYTES, integer_kinds.BYTES_TO_BLOCKS
    return integer_kinds.CHECK_WORDS, integer_kinds.WORDS_TO_BLOCKS


def gates_of(step: StepGraph, precisions: Sequence[Precision]) -> Gates:
    """Gates for the blocks of ``step`` that choose from ``precisions``, as new."""
    rules = GateRules(tuple(precisions), beta=1e-3, stored_bits=step.options.stored_bits)
    widths = [block.channels for block in step.blocks]
    macs = [step.block_macs(block.number) for block in step.blocks]
    arithmetic = FLOAT32 if step.options.integers is None else EXACT
    numbers = generator(0, Stream.GATES)
    return Gates(rules, widths, macs, numbers, target=3.0, arithmetic=arithmetic)
