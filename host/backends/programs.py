"""A machine's programs for pieces of step graphs and for single convolutions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from weakref import WeakKeyDictionary, WeakValueDictionary

from fractrain.host.compiler import Program, Step, compile_program
from fractrain.host.compiler.pieces import Widest, numbered, steps_of
from fractrain.host.graph.choice import SKIP, is_skip
from fractrain.host.graph.convolution import Convolution
from fractrain.host.graph.operations.products import width
from fractrain.host.graph.pieces import Piece
from fractrain.host.graph.step import StepGraph
from fractrain.host.graph.tensor import Bits
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision

KEPT_PROGRAMS = 256
"""Programs of single convolutions that are kept, as they are often asked for again."""

ROW, COLUMN, RESULT = "row", "column", "result"
"""Tensors of a single convolution."""


@dataclass(frozen=True)
class PieceProgram:
    """A piece on the machine: ``program``, in the slots of its graph.

    ``names``: tensors of the graph → tensors of the program. ``bits``: the bits of its operands,
    fixed or by slot.
    """

    program: Program
    names: Mapping[str, str]
    bits: Mapping[str, Bits]

    def precisions(self, table: Sequence[Precision]) -> dict[int, Precision]:
        """Precisions of the slots that it uses; skipped ones have 0 bits of everything."""
        slots = {step.slot: table[step.slot] for step in self.program.steps}
        return {slot: SKIP if is_skip(each) else each for slot, each in slots.items()}

    def widths(self, table: Sequence[Precision]) -> dict[str, int]:
        """Bits of the program's operands in memory, without those of 0 bits."""
        widths = {self.names[name]: width(bits, table) for name, bits in self.bits.items()}
        return {name: bits for name, bits in widths.items() if bits}


class Programs:
    """Compiles each program once.

    A piece's program is kept for the life of the piece, and shared with those of the same shape.

    compilations : how often a program was compiled
    """

    def __init__(self, parameters: Parameters, base_address: Callable[[], int]) -> None:
        self._parameters, self._base_address = parameters, base_address
        self._pieces: WeakKeyDictionary[Piece, PieceProgram] = WeakKeyDictionary()
        self._shapes: WeakValueDictionary[tuple[Step, ...], Program] = WeakValueDictionary()
        self._single = lru_cache(KEPT_PROGRAMS)(self._compile)
        self.compilations = 0

    def prepare(self, graph: StepGraph) -> None:
        """Compile all pieces of ``graph``, also those that the first steps skip.

        Raises `ParameterError` if it has more slots than the machine, or something unknown to the
        compiler.
        """
        slots = self._parameters.precision.slots
        if len(graph.slots) > slots:
            raise ParameterError(
                "precision slots of the network",
                f"{len(graph.slots)}, one for each of its {len(graph.blocks)} blocks and more",
                f"at most {slots}, those of the machine (precision.slots)",
                hint="a network of fewer blocks, or a configuration with more slots",
            )
        for piece in graph.pieces:
            if piece not in self._pieces:
                self._pieces[piece] = self._bind(piece, graph.widest)

    def of_piece(self, piece: Piece) -> PieceProgram:
        """The program of ``piece`` of a prepared graph."""
        found = self._pieces.get(piece)
        if found is None:
            raise ParameterError(
                f"piece {piece.name}",
                "one of another graph",
                "one of a graph that prepare was called with",
            )
        return found

    def _bind(self, piece: Piece, widest: Widest) -> PieceProgram:
        steps = steps_of(piece.convolutions, widest)
        work = numbered(steps)
        shape = self._shapes.get(work.steps)
        if shape is None:
            try:
                shape = self._shapes[work.steps] = self._compile(work.steps)
            except ParameterError:
                self._compile(steps)  # the same error, with the names of the graph
                raise
        program = shape.in_slots({number: slot for slot, number in work.slots.items()})
        operands = [
            tensor.stored for each in piece.convolutions for tensor in (each.row, each.column)
        ]
        bits = {tensor.name: tensor.bits for tensor in operands if tensor.bits is not None}
        return PieceProgram(program, work.names, bits)

    def of_convolution(self, convolution: Convolution) -> tuple[Program, Precision]:
        """A program and the precision of its slot 0; the same program for all bits that are read of
        the stored ones."""
        step = Step(
            convolution.pass_,
            convolution.geometry,
            0,
            ROW,
            COLUMN,
            RESULT,
            convolution.stored,
            signs=convolution.signed,
        )
        return self._single((step,)), convolution.precision

    def _compile(self, steps: Sequence[Step]) -> Program:
        self.compilations += 1
        return compile_program(self._parameters, steps, self._base_address())
