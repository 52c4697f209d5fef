"""Fields of the commands of a machine with a vector unit (docs/whole_step.md)."""

from __future__ import annotations

from collections.abc import Mapping

from fractrain.hw.contract.commands.enums import Opcode
from fractrain.hw.contract.commands.field import GROUP_BITS, HALF_BLOCKS, NO_GROUP, Field
from fractrain.hw.contract.numerics import MAX_CHUNK_PIXELS, MAX_UNIT_PIXELS, MIX_BITS
from fractrain.hw.contract.random_bits import IMAGE_BITS, TENSOR_BITS

SHAPES = 16
"""Entries of the shape table."""

PIXELS_BITS = MAX_CHUNK_PIXELS.bit_length()
_CHIP = 16
"""Bits of an address in a memory of words, lines or beats."""
_RECORD = 12
"""Bits of an address of records, moments and peaks."""
_PLANE = 5
"""Bits of a plane's number in the stash."""


def _chip(meaning: str) -> Field:
    return Field(_CHIP, meaning)


def _record(meaning: str) -> Field:
    return Field(_RECORD, meaning)


def _memory(meaning: str) -> Field:
    return Field(32, meaning)


def _flag(meaning: str) -> Field:
    return Field(1, meaning)


def _slot(meaning: str) -> Field:
    return Field(8, meaning)


_SHAPE_ENTRY = Field((SHAPES - 1).bit_length(), "entry of the shape table")

_TILES = {
    "row_pixels": Field(2, "pixels of a row of the tile"),
    "tiles_x": Field(6, "tiles of a row", count=True),
    "tiles_y": Field(8, "rows of tiles of an image", count=True),
    "images": Field(12, "images", count=True),
    "valid_x": Field(8, "pixels inside the image in the last tile of a row"),
    "valid_y": Field(8, "rows inside the image in the last row of tiles"),
}

_MOVE = {
    "transposed": _flag("the pixels of a half-block become lanes"),
    "address": _chip("plane memory: first word"),
    "digit_stride": Field(16, "words from a digit to the next"),
    "run_stride": Field(16, "words from a run to the next"),
    "runs": Field(12, "runs of a digit", count=True),
    "words": Field(12, f"words of a run; at most {HALF_BLOCKS // 2}", count=True),
    "destination": _chip("column memory: first word"),
    "destination_digit_stride": Field(16, "words from a digit to the next"),
    "destination_run_stride": Field(16, "words from a run to the next"),
    "groups": Field(
        HALF_BLOCKS * GROUP_BITS,
        f"lane group of each half-block, {GROUP_BITS} bits each; {NO_GROUP}: nowhere",
    ),
}
_RECALL = {
    "kind": Field(2, "what it is"),
    "kept_slot": _slot("x̂: the slot that has its bits"),
    "bits": Field(5, "RESIDUAL: 8 to 16"),
    "masked": _flag("its mask, too; else the mask becomes 0"),
    "mask_plane": Field(_PLANE, "the mask's plane"),
    "address": _memory("first byte in memory"),
    "plane_stride": Field(24, "words from a plane to the next"),
    "group_stride": Field(24, "words from a group of channels to the next"),
    "channel_groups": Field(8, "groups of channels", count=True),
    "blocks": Field(16, "blocks of a group", count=True),
    "destination": _chip("side memory: first line"),
}
_RUNS = {
    "runs": Field(8, "runs", count=True),
    "lines": Field(16, "lines of a run", count=True),
    "address": _memory("first byte in memory"),
    "run_stride": Field(24, "lines in memory from a run to the next"),
}
_FILL = {
    **_RUNS,
    "destination": _chip("staging memory: first line"),
    "destination_run_stride": Field(16, "lines from a run to the next"),
}
_SET = {
    "address": _memory("first byte in memory"),
    "words": Field(12, "words", count=True),
    "destination": _record("first record"),
}
_NARROW = {
    **_TILES,
    "address": _chip("staging memory: first line"),
    "scale": _record("scale record: s"),
    "moments": _record("moments of the first channel"),
    "start": _flag("clear them before"),
    "peak": _record("peak of |sums|"),
}
_JOIN = {
    **_TILES,
    "skipped": _flag("carried out only if the slot has 0 bits"),
    "address": _chip("staging memory: first line"),
    "scale": _record("scale record: k₀, multiplier, shift of the stream"),
    "part": _flag("leave the part, in two lines each"),
    "earlier": Field(2, "what is added to the part"),
    "earlier_address": _chip("staging memory: its first line"),
    "masked": _flag("multiply with the mask, if `mask_slot` has activation bits"),
    "mask_slot": _slot("the slot on which the mask depends"),
    "side_address": _chip("side memory: first line of mask and x̂"),
    "totals": _flag("add up ΣE and ΣE·x̂"),
    "start": _flag("clear them before"),
    "moments": _record("moments of the first channel"),
    "peak": _record("peak of |mask · Σ parts|"),
    "interleaved": _flag("the tiles are every second pixel of every second row"),
    "odd_row": _flag("interleaved: of the odd rows"),
    "odd_column": _flag("interleaved: of the odd columns"),
    "image_blocks": Field(12, "interleaved: blocks of an image of the tensor"),
}
_SHAPE = {
    "entry": _SHAPE_ENTRY,
    "channel_groups": Field(8, "groups of channels", count=True),
    **_TILES,
    "plane_stride": Field(16, "plane memory: words from a plane to the next"),
    "plane_group_stride": Field(16, "plane memory: words from a group to the next"),
    "stash_stride": Field(24, "stash: words from a plane to the next"),
    "stash_group_stride": Field(24, "stash: words from a group to the next"),
    "mask_plane": Field(_PLANE, "stash: plane of the mask"),
    "activation_plane": Field(_PLANE, "stash: first plane of activations"),
    "residual_plane": Field(_PLANE, "stash: first plane of r"),
}
_CHANNEL = {
    "backward": _flag("of the way back"),
    "end": _flag("backward: x̂ is that of a block's end"),
    "kept_slot": _slot("backward: the slot that has the bits of x̂"),
    "channel_groups": Field(8, "groups of channels", count=True),
    "pixels": Field(PIXELS_BITS, f"n, at most {MAX_UNIT_PIXELS:,}", count=True),
    "share": Field(MIX_BITS, "0: running statistics do not count"),
    "scale": _record("backward: scale record, shift of γC"),
    "norm": _record("norm record of the first channel"),
    "chunk": _record("chunk record of the first channel"),
    "moments": _record("moments of the first channel"),
    "address": _memory("first byte of what goes to memory"),
}
_NORMALIZE = {
    "shape": _SHAPE_ENTRY,
    "kept_slot": _slot("the slot that has the bits of x̂ in the stash"),
    "source": _chip("staging memory: first line of y"),
    "destination": _chip("staging memory: first line of x̂"),
    "chunk": _record("chunk record of the first channel"),
    "stashed": _flag("x̂ goes to the stash"),
    "stash": _memory("first byte of the stash"),
}
_FORM = {
    "skipped": _flag("carried out only if the slot has 0 bits"),
    "shape": _SHAPE_ENTRY,
    "normalized": _flag("there is a batch norm"),
    "end": _flag("it is at a block's end"),
    "second": Field(2, "what is added"),
    "planed": _flag("activations go to the plane memory"),
    "kept": _flag("r goes to the side memory, with the mask"),
    "stash_normalized": _flag("x̂ goes to the stash"),
    "stash_mask": _flag("the mask goes to the stash"),
    "stash_activations": _flag("activations go to the stash"),
    "stash_residual": _flag("the top 8 planes of r go to the stash"),
    "pooled": _flag("Σr of each image and channel goes to memory"),
    "kept_slot": _slot("the slot that has the bits of x̂"),
    "form_slot": _slot("the slot that has the bits of the activations"),
    "residual_bits": Field(5, "bits of r, 8 to 16"),
    "source": _chip("staging memory: first line of y"),
    "second_address": _chip("side memory (RESIDUAL) or staging memory: its first line"),
    "norm": _record("norm record of the first channel"),
    "chunk": _record("chunk record of the first channel"),
    "second_record": _record("RESIDUAL: scale record; SHORTCUT: first norm record"),
    "planes": _chip("plane memory: first word"),
    "side": _chip("side memory: first line of r"),
    "stash": _memory("first byte of the stash"),
    "pool": _memory("first byte of the sums"),
    "peak": _record("peak of z"),
}
_RECOMPUTE = {
    "shape": _SHAPE_ENTRY,
    "kept_slot": _slot("the slot that has the bits of x̂"),
    "form_slot": _slot("the slot that has the bits of the activations"),
    "side": _chip("side memory: first line of x̂"),
    "norm": _record("norm record of the first channel"),
    "planes": _chip("plane memory: first word"),
}
_CARRY = {
    "skipped": _flag("carried out only if the slot has 0 bits"),
    "shape": _SHAPE_ENTRY,
    "spread": _flag("the source is a value of each image and channel"),
    "source": _chip("staging memory: first line"),
    "destination": _chip("staging memory: first line"),
    "scale": _record("scale record: shift of the stream"),
    "masked": _flag("multiply with the mask, if `mask_slot` has activation bits"),
    "mask_slot": _slot("the slot on which the mask depends"),
    "side_address": _chip("side memory: first line of mask and x̂"),
    "totals": _flag("add up ΣE and ΣE·x̂"),
    "start": _flag("clear them before"),
    "moments": _record("moments of the first channel"),
    "peak": _record("peak of |mask · part|"),
}
_APPLY = {
    "shape": _SHAPE_ENTRY,
    "end": _flag("x̂ is that of a block's end"),
    "kept_slot": _slot("the slot that has the bits of x̂"),
    "source": _chip("staging memory: first line of E"),
    "side": _chip("side memory: first line of x̂"),
    "chunk": _record("chunk record of the first channel"),
    "planes": _chip("plane memory: first word"),
    "tensor": Field(TENSOR_BITS, "number of the tensor, for its random bits"),
    "first_image": Field(IMAGE_BITS, "place of the first image in the mini-batch"),
    "peak": _record("peak of |W|"),
}
_SPILL = {
    **_RUNS,
    "source": _chip("staging memory: first line"),
    "source_run_stride": Field(16, "lines from a run to the next"),
}
_REPORT = {
    "first": _record("first peak"),
    "blocks": Field(12, "blocks of memory that are written", count=True),
    "address": _memory("first byte in memory"),
}
_QUANTIZE = {
    "scale": _record("scale record: multiplier"),
    "source": _memory("first byte of the weights"),
    "destination": _memory("first byte of the planes"),
    "blocks": Field(16, "blocks", count=True),
    "plane_stride": Field(24, "words from a plane to the next"),
}


def _half(side: str) -> dict[str, Field]:
    """Fields of one of the two half-blocks of an UPDATE."""
    half = {
        "enable": _flag("the half-block is there"),
        "address": _memory("first byte of its weights"),
        "group": Field(8, "its group of channels"),
        "tap": Field(4, "its tap"),
    }
    return {f"{side}_{name}": field for name, field in half.items()}


_UPDATE = {
    "gradient_address": _chip("gradient memory: first beat of the tile"),
    **_half("a"),
    **_half("b"),
    "velocity": _memory("bytes from a weight to its momentum"),
    "filter_group": Field(8, "group of filters"),
    "taps": Field(4, "taps of a kernel", count=True),
    "rule": _record("update record"),
    "tensor": Field(TENSOR_BITS, "number of the tensor, for its random bits"),
    "peak": _record("peak of |w|; Σs² behind it"),
}

VECTOR_FIELDS: Mapping[Opcode, Mapping[str, Field]] = {
    Opcode.MOVE: _MOVE,
    Opcode.RECALL: _RECALL,
    Opcode.FILL: _FILL,
    Opcode.SET: _SET,
    Opcode.NARROW: _NARROW,
    Opcode.JOIN: _JOIN,
    Opcode.SHAPE: _SHAPE,
    Opcode.CHANNEL: _CHANNEL,
    Opcode.NORMALIZE: _NORMALIZE,
    Opcode.FORM: _FORM,
    Opcode.RECOMPUTE: _RECOMPUTE,
    Opcode.CARRY: _CARRY,
    Opcode.APPLY: _APPLY,
    Opcode.SPILL: _SPILL,
    Opcode.REPORT: _REPORT,
    Opcode.QUANTIZE: _QUANTIZE,
    Opcode.UPDATE: _UPDATE,
}
"""Without header and places."""
