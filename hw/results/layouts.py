"""Layouts inside the result stage: tasks, facts of a beat, items on their way to memory."""

from amaranth.lib import data

from fractrain.hw.contract.commands import Opcode, Stage, Tag
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import MAX_BITS
from fractrain.hw.flow.layouts import ADDRESS_BITS
from fractrain.hw.flow.parties import parties
from fractrain.hw.flow.tasks import INDEX_BITS, field_bits

__all__ = ["beat_facts", "item_layout", "signal_bits", "store_task"]


def signal_bits(parameters: Parameters) -> int:
    """Stages to which a command of the result stage can give a token."""
    return len(parties(parameters).signal[Stage.RESULT])


_GRADIENT_BITS = field_bits(Opcode.STORE, "gradient_address")["gradient_address"]


def _unit_flag(parameters: Parameters) -> dict[str, int]:
    """On a machine with a vector unit: it is a NARROW or JOIN, or of one."""
    return {} if parameters.vector is None else {"unit": 1}


def _common(parameters: Parameters) -> dict[str, object]:
    """Constant over a STORE. Every beat carries them, so that tasks run back to back."""
    return {
        "index": INDEX_BITS,
        "skip": 1,
        "port": 1,
        "raw": 1,
        "raw48": 1,
        "planes": 1,
        **_unit_flag(parameters),
        **field_bits(Opcode.STORE, "add", "keep", "digit_stride", "shift", "signed"),
        "beyond": MAX_BITS,
        "top_plane": range(MAX_BITS),
        "blocks": range(MAX_BITS + 1),
        "signal": signal_bits(parameters),
        "tag": Tag,
    }


def store_task(parameters: Parameters) -> data.StructLayout:
    """A STORE with everything derived from its fields alone.

    skip : tokens only
    port, raw, raw48, planes : its format (``raw`` for both), none of them for NONE or ``skip``
    unit : with a vector unit: it is a NARROW or JOIN, of which only the counts matter
    odd : its gradient addresses are not aligned (`TileWalker` says to what)
    one_x, one_y, one_image : the count is 1
    outside_x, outside_y : pixels that are outside the image in the last tile of a row of tiles,
        and in the last row of tiles
    beyond : bits of a narrowed result that must equal its sign (or be 0, if unsigned)
    top_plane : the most significant plane's bit; blocks : of a tile, with those that fill it up
    """
    pixels = parameters.array.rows
    return data.StructLayout(
        _common(parameters)
        | {
            "odd": 1,
            **field_bits(Opcode.STORE, "gradient_address", "address", "tile_stride"),
            **field_bits(Opcode.STORE, "tiles_x", "tiles_y", "images"),
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
        _common(parameters)
        | {
            "gradient_address": _GRADIENT_BITS + 1,
            "address": ADDRESS_BITS,
            "outside": parameters.array.rows,
            "beat": 1,
            "first": 1,
            "last": 1,
            "end": 1,
        }
    )


def item_layout(parameters: Parameters) -> data.StructLayout:
    """Goes to the sender, in the order of the tasks: a block, or a task's end, or both. ``unit``:
    with a vector unit, the task has ended when the unit says so."""
    return data.StructLayout(
        {
            "block": 1,
            "end": 1,
            **_unit_flag(parameters),
            "signal": signal_bits(parameters),
            "tag": Tag,
            "index": INDEX_BITS,
            "address": ADDRESS_BITS,
        }
    )
