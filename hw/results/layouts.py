"""Layouts inside the result stage: tasks, facts of a beat, items on their way to memory."""

from amaranth.hdl import signed
from amaranth.lib import data

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.hw.flow.tasks import INDEX_BITS

__all__ = [
    "ADDRESS_BITS",
    "NARROW_BITS",
    "array_beat",
    "beat_facts",
    "excess_bits",
    "item_layout",
    "port_beat",
    "store_task",
]

NARROW_BITS = 16
ADDRESS_BITS = 32


def excess_bits(parameters: Parameters) -> int:
    """Width of ``excess``, 0..2 * (spatial_bits - 1); one bit at least, for a regular layout."""
    return max(1, (2 * (parameters.array.spatial_bits - 1)).bit_length())


def array_beat(parameters: Parameters) -> data.StructLayout:
    """A beat as it leaves the array: ``data[row * column_clusters + cluster]`` of beat ``b`` is row
    ``row``, column ``cluster * cluster_columns + b``; ``last`` marks the tile's last beat."""
    value = data.ArrayLayout(signed(SUM_BITS), parameters.results_per_beat)
    return data.StructLayout({"valid": 1, "last": 1, "data": value})


def port_beat(parameters: Parameters) -> data.StructLayout:
    """A beat as it leaves at the result port."""
    value = data.ArrayLayout(signed(SUM_BITS), parameters.results_per_beat)
    return data.StructLayout({"data": value, "last": 1})


# Constant over a STORE. Every beat carries them, so that tasks run back to back.
_COMMON = {
    "index": INDEX_BITS,
    "skip": 1,
    "port": 1,
    "raw": 1,
    "raw48": 1,
    "planes": 1,
    "add": 1,
    "keep": 1,
    "digit_stride": 24,
    "shift": 6,
    "signed": 1,
    "beyond": NARROW_BITS,
    "top_plane": range(NARROW_BITS),
    "blocks": range(NARROW_BITS + 1),
    "signal": 2,
    "tag": 2,
}


def store_task(parameters: Parameters) -> data.StructLayout:
    """A STORE with everything derived from its fields alone.

    skip : tokens only
    port, raw, raw48, planes : its format (``raw`` for both), none of them for NONE or ``skip``
    odd : its gradient addresses are not aligned (`TileWalker` says to what)
    one_x, one_y, one_image : the count is 1
    outside_x, outside_y : pixels that are outside the image in the last tile of a row of tiles,
        and in the last row of tiles
    beyond : bits of a narrowed result that must equal its sign (or be 0, if unsigned)
    top_plane : the most significant plane's bit; blocks : of a tile, with those that fill it up
    """
    pixels = parameters.array.rows
    return data.StructLayout(
        _COMMON
        | {
            "odd": 1,
            "gradient_address": 16,
            "address": ADDRESS_BITS,
            "tile_stride": 16,
            "tiles_x": 6,
            "tiles_y": 8,
            "images": 12,
            "one_x": 1,
            "one_y": 1,
            "one_image": 1,
            "outside_x": pixels,
            "outside_y": pixels,
        }
    )


def beat_facts(parameters: Parameters) -> data.StructLayout:
    """A beat's task, and its place in it.

    gradient_address : of this beat, a bit wider than in the command
    address : first byte of the tile
    outside : pixels that are stored as zeros
    beat : it is a beat, not the mark of a skipped task
    first, last : of the tile; end : of the task
    """
    return data.StructLayout(
        _COMMON
        | {
            "gradient_address": 17,
            "address": ADDRESS_BITS,
            "outside": parameters.array.rows,
            "beat": 1,
            "first": 1,
            "last": 1,
            "end": 1,
        }
    )


def item_layout() -> data.StructLayout:
    """Goes to the sender, in the order of the tasks: a block, or a task's end, or both."""
    return data.StructLayout(
        {
            "block": 1,
            "end": 1,
            "signal": 2,
            "tag": 2,
            "index": INDEX_BITS,
            "address": ADDRESS_BITS,
        }
    )
