"""Pieces of a step graph as programs: compiled once, right at every precision."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fractrain.host.backends.functional import FunctionalAccelerator
from fractrain.host.backends.programs import Programs
from fractrain.host.compiler.pieces import numbered, steps_of
from fractrain.host.graph.choice import SKIP, Choice, Path
from fractrain.host.graph.convolution import Convolution
from fractrain.host.graph.geometry import Geometry
from fractrain.host.graph.operations import Convolve
from fractrain.host.graph.operations.products import width
from fractrain.host.graph.pieces import Piece
from fractrain.host.graph.skipping import carried_out
from fractrain.host.graph.step import StepGraph
from fractrain.host.graph.tensor import Kind, Tensor
from fractrain.hw.contract.errors import MachineError, ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Pass, Precision, value_range
from fractrain.sim import golden
from tests.host.graph.steps import make_step
from tests.hw.machines import machine

CANDIDATES = Precision(3, 3, 6), Precision(4, 4, 6), Precision(6, 4, 12), SKIP, Precision(8, 8, 8)


def table_of(step: StepGraph, *precisions: Precision) -> list[Precision]:
    """With these of the blocks, in turn."""
    return step.table(
        [
            Choice((Path(precisions[number % len(precisions)]),))
            for number in range(len(step.blocks))
        ]
    )


def operands_of(
    piece: Piece, table: Sequence[Precision], run: set[str], rng: np.random.Generator
) -> dict[str, NDArray[np.int64]]:
    """What the executor would have in memory."""
    operands = {}
    for each in piece.convolutions:
        for tensor in (each.row.stored, each.column.stored):
            if each.name in run and tensor.name not in operands and tensor.bits is not None:
                low, high = value_range(width(tensor.bits, table), tensor.signed)
                operands[tensor.name] = rng.integers(low, high, tensor.shape, endpoint=True)
    return operands


def expected(
    each: Convolution, row: NDArray[np.int64], column: NDArray[np.int64]
) -> NDArray[np.int64]:
    """By the golden model, of the bits that are read."""
    g, bits = each.geometry, each.bits
    row, column = row >> (each.stored[0] - bits[0]), column >> (each.stored[1] - bits[1])
    if each.pass_ is Pass.FORWARD:
        return golden.forward(row, column, bits=bits, stride=g.stride, padding=g.padding)
    if each.pass_ is Pass.ERROR:
        return golden.error(
            row, column, bits=bits, stride=g.stride, padding=g.padding, input_size=g.size
        )
    return golden.gradient(
        row, column, bits=bits, stride=g.stride, padding=g.padding, kernel_size=g.kernel
    )


def carry_out(
    engine: FunctionalAccelerator, step: StepGraph, table: list[Precision], seed: int = 0
) -> Iterator[tuple[Piece, set[str]]]:
    """All pieces with random operands; every result is compared with golden's. Yields each piece
    and which of its convolutions had results."""
    rng = np.random.default_rng(seed)
    run = {each.name for each in carried_out(step.operations, table)}
    for piece in step.pieces:
        operands = operands_of(piece, table, run, rng)
        found = engine.run_piece(piece, operands, table)
        assert found.keys() == {each.result.name for each in piece.convolutions if each.name in run}
        for each in piece.convolutions:
            if each.name in run:
                row, column = operands[each.row.stored.name], operands[each.column.stored.name]
                wanted = expected(each.convolution(table), row, column)
                np.testing.assert_array_equal(found[each.result.name], wanted, each.name)
        yield piece, set(found)


@pytest.fixture
def engine() -> Iterator[FunctionalAccelerator]:
    with FunctionalAccelerator(machine()) as opened:
        yield opened


@given(
    choices=st.lists(st.sampled_from(CANDIDATES), min_size=3, max_size=3),
    stored=st.sampled_from([None, 8]),
    odd=st.booleans(),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=8, deadline=None)
def test_every_piece_at_every_precision(
    choices: list[Precision], stored: int | None, odd: bool, seed: int
) -> None:
    """Narrow tensors in wide layouts, top planes of stored ones, kernels of ones, skips."""
    levels = (3, 4) if odd else ()
    step = make_step(*CANDIDATES, images=(2, 2, 8, 8), stored_bits=stored, odd_weights=levels)
    with FunctionalAccelerator(machine()) as engine:
        engine.prepare(step)
        for _ in carry_out(engine, step, table_of(step, *choices), seed):
            pass


def test_nothing_is_compiled_after_the_first_step(engine: FunctionalAccelerator) -> None:
    """Whatever is chosen later: blocks that were skipped at first, other bits; but an evaluation
    and another batch are other graphs."""
    step = make_step(*CANDIDATES, images=(2, 2, 8, 8))
    engine.prepare(step)
    compiled = engine.programs.compilations
    for precision in (SKIP, *CANDIDATES):
        for _ in carry_out(engine, step, table_of(step, precision)):
            pass
    engine.prepare(step)
    assert engine.programs.compilations == compiled
    engine.prepare(make_step(*CANDIDATES, images=(3, 2, 8, 8)))
    assert engine.programs.compilations > compiled


def test_pieces_of_one_shape_share_a_program(engine: FunctionalAccelerator) -> None:
    """Blocks of a stage have the same work, in slots of their own."""
    step = make_step(*CANDIDATES)
    engine.prepare(step)
    pieces = list(step.pieces)
    programs = [engine.programs.of_piece(piece) for piece in pieces]
    shapes = {id(each.program.template) for each in programs}
    assert engine.programs.compilations == len(shapes) < len(pieces)
    first, second = (
        engine.programs.of_piece(piece)
        for piece in pieces
        if piece.name in ("stage0.block0.first.forward", "stage0.block0.second.forward")
    )
    assert first.program.template is second.program.template
    assert first.program.slots == {0: 1} == second.program.slots
    engine.prepare(make_step(*CANDIDATES))  # of another network
    assert engine.programs.compilations == len(shapes)


def test_a_gradient_and_its_error_are_one_program(engine: FunctionalAccelerator) -> None:
    """Which has the errors once."""
    step = make_step(*CANDIDATES)
    engine.prepare(step)
    piece = next(
        piece
        for piece in step.pieces
        if {each.pass_ for each in piece.convolutions} == {*Pass} - {Pass.FORWARD}
    )
    program = engine.programs.of_piece(piece).program
    assert len(program.steps) == 2 and len(program.operands) == 3
    assert len(program.packed) == 3


def test_programs_go_with_their_graphs() -> None:
    programs = Programs(machine(), lambda: 0)
    step = make_step(*CANDIDATES)
    programs.prepare(step)
    compiled = programs.compilations
    del step
    gc.collect()
    programs.prepare(make_step(*CANDIDATES))
    assert programs.compilations == 2 * compiled


# -- what is refused -------------------------------------------------------------------------------


def test_more_blocks_than_slots() -> None:
    parameters: Parameters = machine(precision__slots=3)
    with FunctionalAccelerator(parameters) as engine, pytest.raises(ParameterError) as caught:
        engine.prepare(make_step())
    message = str(caught.value)
    assert message.startswith(
        "precision slots of the network: got '4, one for each of its 3 blocks"
    )
    assert "at most 3, those of the machine (precision.slots)" in message and "\n" not in message


def test_an_operation_that_the_compiler_does_not_know() -> None:
    class Attend(Convolve):
        """Another product."""

    step = make_step()
    known = next(step.convolutions)
    unknown = Attend(**{each.name: getattr(known, each.name) for each in fields(known)})
    with pytest.raises(
        ParameterError, match=r"operation first\.forward: got 'Attend', .*the compiler knows"
    ):
        steps_of([unknown], step.widest)


def test_groups_and_real_numbers(engine: FunctionalAccelerator) -> None:
    known = next(make_step().convolutions)
    grouped = replace(known, geometry=Geometry(6, 4, 4, (8, 8), (3, 3), 1, 1, groups=2))
    real = replace(known, row=Tensor("x", known.row.shape, Kind.REAL))
    programs = Programs(machine(), lambda: 0)
    for operation, message in (
        (grouped, r"groups of first\.forward\S*: got 2, allowed: 1"),
        (real, r"operand x of first\.forward: got 'real numbers', allowed: integers"),
    ):
        with pytest.raises(ParameterError, match=message):
            programs.prepare(_one(operation))  # type: ignore[arg-type]


@dataclass(frozen=True)
class _one:
    """A graph of one convolution."""

    operation: Convolve

    slots = blocks = ()

    @property
    def pieces(self) -> list[Piece]:
        return [Piece((self.operation,))]

    def widest(self, bits: object) -> int:
        return 8


def test_pieces_of_no_graph_and_closed_machines(engine: FunctionalAccelerator) -> None:
    step = make_step()
    piece = next(step.pieces)
    with pytest.raises(ParameterError, match=r"piece first\.forward: got 'one of another graph'"):
        engine.run_piece(piece, {}, table_of(step, CANDIDATES[0]))
    engine.prepare(step)
    with pytest.raises(ParameterError, match="operands"):
        engine.run_piece(piece, {}, table_of(step, CANDIDATES[0]))
    engine.close()
    with pytest.raises(MachineError, match="run_piece: the accelerator is closed"):
        engine.run_piece(piece, {}, [])


def test_work_is_numbered_as_it_comes_up() -> None:
    step = make_step()
    several = [numbered(steps_of(piece.convolutions, step.widest)) for piece in step.pieces]
    for work in several:
        names = [name for each in work.steps for name in (each.row, each.column, each.result)]
        assert list(dict.fromkeys(names)) == [f"tensor {n}" for n in range(len(work.names))]
        assert {each.slot for each in work.steps} == set(range(len(work.slots)))
