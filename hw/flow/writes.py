"""What the fetch stage hands to the on-chip memories."""

from amaranth.lib import data

from fractrain.hw.contract.parameters import Parameters

__all__ = ["column_write", "plane_write"]


def plane_write(parameters: Parameters) -> data.StructLayout:
    """A word (``spatial_bits`` planes of a block, the most significant first) for the plane
    memory."""
    return data.StructLayout({"valid": 1, "address": 16, "data": 8 * parameters.word_bytes})


def column_write(parameters: Parameters) -> data.StructLayout:
    """A half-block of ``spatial_bits`` planes for one lane group of a word of the column memory.

    ``data`` has bit ``(plane*C + column)*C + lane``, C = ``block.channels``.
    """
    channels = parameters.block.channels
    width = parameters.array.spatial_bits * channels * channels
    return data.StructLayout({"valid": 1, "address": 16, "group": 4, "data": width})
