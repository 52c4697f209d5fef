"""A training step, or an evaluation, of one network on one shape of images, as a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

from fractrain.host.graph import integer_backward  # noqa: F401  registers its rules
from fractrain.host.graph import operations as ops
from fractrain.host.graph.backward import derive
from fractrain.host.graph.blocks import Block
from fractrain.host.graph.builder import Builder
from fractrain.host.graph.choice import SKIP, UNQUANTIZED, Choice
from fractrain.host.graph.integer_builder import IntegerBuilder
from fractrain.host.graph.names import Named
from fractrain.host.graph.operations import Convolve, Operation
from fractrain.host.graph.options import StepOptions
from fractrain.host.graph.pieces import Piece, cut
from fractrain.host.graph.skipping import carried_out
from fractrain.host.graph.slots import Slot, make_table
from fractrain.host.graph.tensor import Bits, BySlot, Fixed, Tensor
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Precision

ImageShape = tuple[int, int, int, int]


class Emitter(Protocol):
    """The part of a network that a graph needs.

    ``parameters`` are updated in their order.
    """

    def parameters(self) -> Sequence[Any]: ...

    def emit(self, builder: Builder) -> Tensor:
        """Emit all operations from ``builder.images`` to the logits, which are returned."""
        ...


@dataclass(frozen=True, eq=False)
class StepGraph:
    """The operations of a step, in the order in which they are carried out.

    ``forward`` ends with the ``loss`` in training, with ``logits`` in an evaluation, in which
    ``loss`` is None, and ``backward`` and ``updates`` are empty. ``slots``: the precision table.
    ``blocks``: the parts at a chosen precision; ``members``: the number of the block that an
    operation of the forward half is in.
    """

    options: StepOptions
    training: bool
    images: Tensor
    logits: Tensor
    loss: Tensor | None
    forward: tuple[Operation, ...]
    backward: tuple[Operation, ...]
    updates: tuple[ops.Update, ...]
    slots: tuple[Slot, ...]
    blocks: tuple[Block, ...]
    members: Mapping[Operation, int]

    @property
    def results(self) -> tuple[Tensor, ...]:
        """The tensors that are read after the step."""
        return (self.logits,) if self.loss is None else (self.logits, self.loss)

    @property
    def batch(self) -> int:
        """Images."""
        return self.images.shape[0]

    @property
    def operations(self) -> Iterator[Operation]:
        """All."""
        yield from self.forward
        yield from self.backward
        yield from self.updates

    @property
    def convolutions(self) -> Iterator[Convolve]:
        """All convolutions in their order; those with ``ones`` are of odd weights."""
        return (each for each in self.operations if isinstance(each, Convolve))

    @cached_property
    def forward_pieces(self) -> tuple[Operation | Piece, ...]:
        """``forward``, cut into pieces."""
        return tuple(cut(self.forward))

    @cached_property
    def backward_pieces(self) -> tuple[Operation | Piece, ...]:
        """``backward``, cut into pieces."""
        return tuple(cut(self.backward))

    @property
    def pieces(self) -> Iterator[Piece]:
        """All pieces, in order."""
        for each in (*self.forward_pieces, *self.backward_pieces):
            if isinstance(each, Piece):
                yield each

    def table(self, choices: Sequence[Choice] | Mapping[int, Choice]) -> list[Precision]:
        """The precision of every slot after the ``choices`` of all blocks.

        Raises `ParameterError` unless there is one for each block.
        """
        if len(choices) != len(self.blocks):
            allowed = f"{len(self.blocks)}, one for each block"
            raise ParameterError("choices", len(choices), allowed)
        given = choices if isinstance(choices, Mapping) else dict(enumerate(choices))
        return make_table(self.slots, given)

    def widest(self, bits: Bits) -> int:
        """The most that ``bits`` can be in this graph."""
        if isinstance(bits, Fixed):
            return bits.bits
        assert isinstance(bits, BySlot)
        return self.slots[bits.slot].widest.bits(bits.operand)

    def block_macs(self, number: int) -> int:
        """Multiply-accumulates of block ``number`` in one pass over one image; of its layers at a
        chosen precision."""
        slot = self.blocks[number].slots[0].chosen
        return sum(
            each.geometry.macs // self.batch
            for each in self.forward
            if isinstance(each, Convolve) and each.slot == slot
        )


RUNS = Precision(1, 1, 1)
"""Any precision that does not skip."""


def build_step(
    network: Emitter, images: ImageShape, options: StepOptions, *, training: bool = True
) -> StepGraph:
    """The step of ``network`` on ``images`` [N,C,H,W]; without ``training``, an evaluation.

    Raises `ParameterError` for a network that does not fit the images, that uses a name twice, or
    without a way around a block that may be skipped.
    """
    kind = Builder if options.integers is None else IntegerBuilder
    builder = kind(options, images, training=training)
    logits = network.emit(builder)
    if not training:
        return finish(builder, logits)
    loss, error = builder.loss(logits)
    return finish(builder, logits, error, network.parameters(), loss)


def build_outline(network: Emitter, image: tuple[int, int, int]) -> StepGraph:
    """``network`` on one ``image`` [C,H,W], independent of a method: its blocks and
    convolutions."""
    return build_step(network, (1, *image), StepOptions((UNQUANTIZED,)), training=False)


def finish(
    builder: Builder,
    output: Tensor,
    error: Tensor | None = None,
    parameters: Sequence[Named] = (),
    loss: Tensor | None = None,
) -> StepGraph:
    """The graph of ``builder``'s operations; with the way back from ``error`` at ``output``, if
    given, and the updates of ``parameters``."""
    builder.complete()
    _only_where_read(builder)
    forward = tuple(builder.operations)
    _check_skips(builder, output)
    if error is not None:
        derive(builder, output, error)
    updates = (builder.parameter(each) for each in parameters)
    return StepGraph(
        builder.options,
        builder.training,
        builder.images,
        output,
        loss,
        forward,
        tuple(builder.operations[len(forward) :]),
        tuple(ops.Update(f"{each.name}.update", None, each) for each in updates),
        tuple(builder.slots),
        tuple(builder.blocks),
        dict(builder.members),
    )


def _only_where_read(builder: Builder) -> None:
    """Make quantizations for skipped layers only skip with these layers."""
    readers: dict[str, set[int | None]] = {}
    for each in builder.operations:
        for tensor in each.inputs:
            readers.setdefault(tensor.name, set()).add(each.slot)
    for place, each in enumerate(builder.operations):
        if isinstance(each, ops.QuantizeActivations) and each.slot is None:
            slots = readers.get(each.q.name, set())
            if len(slots) == 1:
                moved = replace(each, slot=next(iter(slots)))
                builder.operations[place] = moved
                if each in builder.members:
                    builder.members[moved] = builder.members.pop(each)


def _check_skips(builder: Builder, output: Tensor) -> None:
    """Raise `ParameterError` for a block that may be skipped but has no way around it."""
    for block in builder.blocks:
        for slots in block.slots:
            if not builder.slots[slots.chosen].can_skip:
                continue
            table = [SKIP if each.number == slots.chosen else RUNS for each in builder.slots]
            missing: set[str] = set()
            for _ in carried_out(builder.operations, table, missing):
                pass
            if output.name in missing:
                raise ParameterError(
                    f"precisions of {block.name}",
                    str(SKIP),
                    "precisions of at least 1 bit: nothing in the network leads around this block",
                )
