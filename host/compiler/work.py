"""What the two kinds of convolution share when they are written as commands."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from fractrain.host.compiler.planning import LOAD_WORDS, MOST_RUN, Chunk
from fractrain.host.compiler.residency import NEVER
from fractrain.host.compiler.schedule import CommandBuilder
from fractrain.host.compiler.tensors import KernelLayout, PixelLayout
from fractrain.host.compiler.windows import Grid, Piece
from fractrain.hw.contract.commands import Load, Memory, Tag, Zero
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand


@dataclass
class PlacedTensor:
    """A tensor in memory. ``written``: (first image, images, batch) of the stores that make it."""

    key: Hashable
    layout: PixelLayout | KernelLayout
    address: int = 0
    written: list[tuple[int, int, int]] = field(default_factory=list)

    def written_by(self, image: int, images: int) -> int:
        """The last batch that stores one of these images."""
        return max(
            (
                batch
                for first, count, batch in self.written
                if first < image + images and image < first + count
            ),
            default=NEVER,
        )


@dataclass(frozen=True)
class Precisions:
    """How a step's commands name their precision: the entry of the table, and the operands of its
    bits.

    ``operands`` and ``signed``: of the tensor on the rows and of the one on the columns.
    """

    slot: int
    operands: tuple[Operand, Operand]
    signed: tuple[bool, bool]
    tag: Tag

    @property
    def header(self) -> dict[str, Any]:
        """Fields of commands that read the operand on the rows."""
        return {
            "slot": self.slot,
            "operand": self.operands[0],
            "partner": self.operands[1],
            "tag": self.tag,
        }

    @property
    def column_header(self) -> dict[str, Any]:
        """Fields of commands that read the operand on the columns."""
        return self.header | {"operand": self.operands[1], "partner": self.operands[0]}

    @property
    def key(self) -> tuple[int, tuple[Operand, Operand]]:
        """What decides how many planes a load brings, and which commands it is skipped with."""
        return self.slot, self.operands


@dataclass(frozen=True)
class Rows:
    """The part of a tensor of pixels that a chunk needs in the plane memory.

    Groups ``group .. group + groups - 1``, with room for ``room``; rows of blocks ``first`` up to
    ``end`` of each image of ``chunk``. Stored ``[digit][group][image][block]``, a group every
    ``stride`` words.
    """

    chunk: Chunk
    first: int
    end: int
    group: int
    groups: int
    room: int
    stride: int

    def words(self, digits: int) -> int:
        return digits * self.room * self.stride


def bring_rows(
    builder: CommandBuilder, precisions: Precisions, tensor: PlacedTensor, rows: Rows
) -> int:
    """Address of ``rows`` of ``tensor`` in the plane memory."""
    layout = tensor.layout
    assert isinstance(layout, PixelLayout)
    chunk = rows.chunk
    words = rows.words(layout.digits)
    block_words = (rows.end - rows.first) * layout.width_blocks

    def loads(address: int) -> list[Load]:
        step = max(1, LOAD_WORDS // (layout.digits * rows.groups * block_words))
        step = min(step, max(1, MOST_RUN // block_words))
        return [
            Load(
                **precisions.header,
                memory=Memory.PLANES,
                address=tensor.address
                + builder.parameters.word_bytes
                * layout.word(rows.group, chunk.image + image, rows.first * layout.width_blocks),
                digit_stride=layout.digit_stride,
                run_stride=layout.group_stride,
                runs=rows.groups,
                words=min(step, chunk.images - image) * block_words,
                destination=address + image * block_words,
                destination_digit_stride=rows.room * rows.stride,
                destination_run_stride=rows.stride,
            )
            for image in range(0, chunk.images, step)
        ]

    key = (tensor.key, precisions.key, rows)
    written = tensor.written_by(chunk.image, chunk.images)
    return builder.planes(key, words, loads, layout.digits, written)


@dataclass(frozen=True)
class Edges:
    """Where the places of a command are in an image, in input blocks.

    ``last_row``, ``last_column``: of the last place; ``at_left``: the first is in column 0.
    """

    grid: Grid
    block_rows: int
    last_row: int
    last_column: int
    at_left: bool = True

    def zero(self, piece: Piece) -> int:
        """The conditions under which ``piece`` is outside the image."""
        return (
            Zero.TOP * (piece.row < 0)
            | Zero.BOTTOM * (self.last_row + piece.row >= self.block_rows)
            | Zero.LEFT * (piece.column < 0 and self.at_left)
            | Zero.RIGHT * (self.last_column + piece.column >= self.grid.input_columns)
        )


def limit_plane_words(parameters: Parameters, *, shared: bool) -> int:
    """Words of the plane memory for one chunk; ``shared``: another is loaded beside it."""
    return parameters.buffers.plane_words // (2 if shared else 1)


def limit_column_words(parameters: Parameters, *, shared: bool) -> int:
    """Words of the column memory for one batch."""
    return parameters.buffers.column_words // (2 if shared else 1)
