"""NARROW and JOIN inside the vector unit: a command, and a step of it."""

from amaranth.hdl import Module, Mux, Value
from amaranth.lib import data

from fractrain.hw.contract.commands import FIELDS, Earlier, Opcode, RowPixels
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.layouts import CHIP_ADDRESS_BITS
from fractrain.hw.flow.tasks import INDEX_BITS, command_view, field_bits

__all__ = [
    "MOST_PARTS",
    "PLACE_BITS",
    "fill_result_task",
    "result_step",
    "result_task",
    "walk_step",
]

MOST_PARTS = 4
"""Lines of a tensor among which a line of an interleaved tile is spread: one for each of its rows,
of the whole line two."""

PLACE_BITS = CHIP_ADDRESS_BITS + 3
"""Of a line's place, counted from an address. A step grows it by less than 2^17 lines, and the walk
ends with the first that is beyond the memory."""

_TILES = ("row_pixels", "tiles_x", "tiles_y", "images", "valid_x", "valid_y")
_OF_JOIN = (
    *("part", "earlier", "earlier_address", "side_address", "interleaved", "odd_row"),
    *("odd_column", "image_blocks"),
)
_OF_BOTH = ("address", "scale", "moments", "start", "peak")


def result_task() -> data.StructLayout:
    """A NARROW or JOIN that is carried out: fields as in the command; those that a NARROW does not
    have are 0.

    joins : it is a JOIN
    masked : the mask counts: of a JOIN with ``masked`` if ``mask_slot`` has activation bits
    totals : moments are added up; of every NARROW

    Of a ``part`` there is nothing but the part: the other flags are 0.
    """
    return data.StructLayout(
        {
            "index": INDEX_BITS,
            "joins": 1,
            "masked": 1,
            "totals": 1,
            **field_bits(Opcode.NARROW, *_TILES, *_OF_BOTH),
            **field_bits(Opcode.JOIN, *_OF_JOIN),
            "row_pixels": RowPixels,
            "earlier": Earlier,
        }
    )


def fill_result_task(
    m: Module, task: data.View, command: Value, *, index: Value, joins: Value, masked: Value
) -> None:
    """``task`` is the word ``command``, which is a JOIN if it ``joins``, else a NARROW."""
    narrow, join = (command_view(each, command) for each in (Opcode.NARROW, Opcode.JOIN))
    whole = joins & ~join.part
    m.d.comb += [
        task.index.eq(index),
        task.joins.eq(joins),
        task.masked.eq(masked & join.masked & whole),
        task.totals.eq(~joins | (join.totals & whole)),
    ]
    for name in (*_TILES, *_OF_BOTH):
        same = FIELDS[Opcode.NARROW][name].offset == FIELDS[Opcode.JOIN][name].offset
        value = narrow[name] if same else Mux(joins, join[name], narrow[name])
        m.d.comb += task[name].eq(value)
    for name in _OF_JOIN:
        there = whole if name in ("earlier", "interleaved") else joins
        m.d.comb += task[name].eq(Mux(there, join[name], 0))


def walk_step(parameters: Parameters) -> data.StructLayout:
    """A line of a tile on its way to a line of a tensor, or what is added to it.

    tile : its number; half : interleaved, the place of its first pixel in the tensor, in P/2
    channel : of the line; cluster : where in the beat its sums are
    part : interleaved, which of the lines that the tile's line is spread among
    earlier : the step adds what was earlier, else it has the sums of a beat
    complete : nothing more is added
    outside : pixels that are not in the image
    first, last : of the steps that are ``complete``, of this channel and this command
    beat_ends : the last step that needs this beat; ends : the last of the command
    """
    return data.StructLayout(
        {
            "tile": PLACE_BITS,
            "half": PLACE_BITS,
            "channel": range(parameters.block.channels),
            "cluster": range(max(2, parameters.column_clusters)),
            "part": range(MOST_PARTS),
            "earlier": 1,
            "complete": 1,
            "outside": parameters.array.rows,
            "first": 1,
            "last": 1,
            "beat_ends": 1,
            "ends": 1,
        }
    )


def result_step(parameters: Parameters) -> data.StructLayout:
    """A `walk_step` with its places.

    reads : a line of the staging memory is needed, at ``source``: of what was earlier, or of the
        tensor that keeps some of its pixels
    reads_side : a line of the side memory is needed, at ``side``
    writes : the line at ``target`` is written; a part is two lines from there on
    active : pixels of the tile's line that this step is about
    upper : the first pixel of the tile's line goes to the upper half of a line
    beyond : it names a line beyond its memory, or a part that does not begin with an even line
    """
    walk = dict(walk_step(parameters).members)
    for name in ("tile", "half", "outside"):
        del walk[name]
    return data.StructLayout(
        {
            **walk,
            "reads": 1,
            "reads_side": 1,
            "writes": 1,
            "source": PLACE_BITS,
            "side": PLACE_BITS,
            "target": PLACE_BITS,
            "active": parameters.array.rows,
            "upper": 1,
            "beyond": 1,
        }
    )
