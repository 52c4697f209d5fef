"""What the parts of the line path hand to each other."""

from amaranth.hdl import Shape, signed
from amaranth.lib import data

from fractrain.hw.contract import numerics
from fractrain.hw.contract.commands import FIELDS, Opcode
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.vector_parameters import VectorParameters
from fractrain.hw.flow.layouts import ADDRESS_BITS, CHIP_ADDRESS_BITS
from fractrain.hw.vector.digit_sets import digit_sets
from fractrain.hw.vector.noise import ERROR_WIDTHS
from fractrain.hw.vector.normalize import FORMED_WIDTHS, KEPT_WIDTHS
from fractrain.hw.vector.words import bits_of

__all__ = [
    "carried_line",
    "STASH_PLANE_BITS",
    "block_offset_bits",
    "line_step",
    "line_task",
    "peak_report",
    "tensor_shape",
    "vector_of",
]

STASH_PLANE_BITS = FIELDS[Opcode.SHAPE]["mask_plane"].width + 1
"""Of a plane of the stash: its place behind the first one of its kind, too."""


def vector_of(parameters: Parameters) -> VectorParameters:
    """Those of a machine that has a vector unit."""
    if parameters.vector is None:
        raise ValueError("parameters have no vector section")
    return parameters.vector


def tensor_shape() -> data.StructLayout:
    """An entry of the shape table: a SHAPE."""
    skipped = ("opcode", "wait", "signal", "slot", "operand", "partner", "tag", "entry")
    fields = FIELDS[Opcode.SHAPE]
    return data.StructLayout(
        {name: each.width for name, each in fields.items() if name not in skipped}
    )


def _form(name: str) -> int:
    return FIELDS[Opcode.FORM][name].width


def line_task() -> data.StructLayout:
    """A command for lines, with all that tables say.

    entry : of the shape table
    normalizes : y at ``source`` becomes x̂, of ``normalized_bits``
    recomputes : x̂ is that at ``side_source``
    applies : E at ``source`` becomes an error of ``error_bits``; x̂ is that at ``side_source``
    carries : E at ``source`` goes to who joins errors, and from there to ``destination``
    spreads : ... of which there is one value for each image and channel, as CARRY has them
    reads_side, masked : carried E have x̂ and masks at ``side_source``; the masks count
    residual, shortcut : what is added, at ``side_source`` or ``second_source`` of the staging
        memory
    copies : r and x̂ are what comes from ``side_source``
    outer : the x̂ that is stashed or read is that of a block's end, of ``kept_bits``
    wide : x̂ is formed of 12 bits
    writes_staging, writes_side : x̂ goes to ``destination``; r, or x̂, and the mask to
        ``side_destination``
    pooled : Σr of each image and channel goes to memory at ``pool``
    planed : activations or errors go to the plane memory, at ``planes``
    stash_… : goes to the stash at ``stash``
    raises : z or W raises the peak ``peak``
    bits, residual_bits : of a and r; 0 bits: there is no a
    norm, chunk, second_record : first records; scale record for a residual, or of what is carried
    tensor, first_image : of the random bits
    """
    flags = (
        "normalizes recomputes applies carries spreads reads_side masked residual shortcut copies "
        "outer wide writes_staging writes_side pooled planed stash_normalized stash_mask "
        "stash_activations stash_residual raises"
    ).split()
    lines = "source second_source side_source destination side_destination planes".split()
    apply = FIELDS[Opcode.APPLY]
    return data.StructLayout(
        {
            "entry": tensor_shape(),
            **dict.fromkeys(flags, 1),
            **dict.fromkeys(lines, CHIP_ADDRESS_BITS),
            "normalized_bits": range(max(FORMED_WIDTHS) + 1),
            "kept_bits": range(numerics.MAX_INNER_BITS + 1),
            "bits": range(numerics.MAX_ACTIVATION_BITS + 1),
            "residual_bits": range(numerics.MAX_RESIDUAL_BITS + 1),
            "error_bits": range(max(ERROR_WIDTHS) + 1),
            **{name: _form(name) for name in ("norm", "chunk", "second_record", "peak")},
            "stash": ADDRESS_BITS,
            "pool": ADDRESS_BITS,
            **{name: apply[name].width for name in ("tensor", "first_image")},
        }
    )


assert max(KEPT_WIDTHS) <= numerics.MAX_INNER_BITS


def block_offset_bits(parameters: Parameters) -> int:
    """Of a count of words of memory: addresses wrap at the end of all addresses."""
    return ADDRESS_BITS - (parameters.word_bytes - 1).bit_length()


def line_step(parameters: Parameters) -> data.StructLayout:
    """Lines 2k and 2k + 1 of a block, in one of its passes through the turn.

    pair : k
    block : of all groups; ``image_block``: of its image
    group : of channels; ``image`` : from the tensor's first on
    set : of `digit_sets`
    last_x, last_y : the last tile of a row, the last row of tiles
    last_pass : the block passes for the last time
    ends_group, ends : the last step of a group, of the tensor
    stash_offset, plane_offset : of the block, in words
    """
    channels = parameters.block.channels
    shape = tensor_shape().members
    return data.StructLayout(
        {
            "pair": range(channels // 2),
            "block": CHIP_ADDRESS_BITS,
            "image_block": _width(shape["tiles_x"]) + _width(shape["tiles_y"]),
            "group": shape["channel_groups"],
            "image": shape["images"],
            "set": range(len(digit_sets(channels))),
            "last_x": 1,
            "last_y": 1,
            "last_pass": 1,
            "ends_group": 1,
            "ends": 1,
            "stash_offset": block_offset_bits(parameters),
            "plane_offset": CHIP_ADDRESS_BITS + 1,
        }
    )


def _width(shape: object) -> int:
    return Shape.cast(shape).width


def carried_line(parameters: Parameters) -> data.StructLayout:
    """A line of a CARRY on its way to E.

    numbers : E'
    normalized : x̂, as the side memory has it
    count : pixels inside the image, and with a mask of 1 if masks count: E is 0 elsewhere
    target : line of the staging memory that becomes E
    channel : of all groups. Lines come group by group, in each block by block, channels in order
    last : of the command
    """
    pixels = parameters.array.rows
    channel_bits = (parameters.block.channels - 1).bit_length()
    side_bits = vector_of(parameters).side_bits
    return data.StructLayout(
        {
            "numbers": data.ArrayLayout(signed(numerics.NARROW_BITS), pixels),
            "normalized": data.ArrayLayout(signed(side_bits), pixels),
            "count": pixels,
            "target": CHIP_ADDRESS_BITS,
            "channel": _width(tensor_shape().members["channel_groups"]) + channel_bits,
            "last": 1,
        }
    )


def peak_report() -> data.StructLayout:
    """Peak ``address`` becomes ``magnitude`` if that is more."""
    return data.StructLayout({"address": _form("peak"), "magnitude": bits_of("W")})
