"""What any command of the fetch stage reads in memory, as one nest of loops."""

from amaranth.hdl import Mux, Shape, Value
from amaranth.lib import data

from fractrain.hw.contract.commands import FIELDS, Opcode, Recalled
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.fetch.kinds import Kind
from fractrain.hw.fetch.requests import sum_bits, word_shift
from fractrain.hw.flow.layouts import ADDRESS_BITS, WORDS_BITS
from fractrain.hw.flow.tasks import INDEX_BITS, command_view

__all__ = ["PARTS", "PIECE", "line_words", "read_nest", "read_nest_of", "recalled_planes"]

PIECE = 32
"""Words of a SET, or lines of a FILL, that one request brings."""

COUNT_BITS = FIELDS[Opcode.RECALL]["blocks"].width
"""Of the middle loop: the longest is that over blocks."""

PARTS = 3
"""In which the offset of the mask's plane is added up."""


def line_words(parameters: Parameters) -> int:
    """Words of a line of the staging memory."""
    return parameters.line_bytes // parameters.word_bytes


def recalled_planes(parameters: Parameters) -> int:
    """Most planes of a RECALL, without the mask."""
    assert parameters.vector is not None
    return parameters.vector.side_bits


def read_nest(parameters: Parameters) -> data.StructLayout:
    """The reads of a command.

        for o < outer, i < pieces, p < planes:
            ``rest`` words, if it is the last piece, else ``words``, at word
                address + o * outer_stride + i * step + p * plane_stride

    but for the last plane if ``masked``: it is that at the sum of the parts of ``mask_offset``
    instead of p * plane_stride.

    byte : of the address within its word
    address : in words; wide enough for sums beyond the address space
    index : of the command
    skip : no reads
    """
    shift = word_shift(parameters)
    stride = FIELDS[Opcode.RECALL]["plane_stride"].width
    return data.StructLayout(
        {
            "skip": 1,
            "index": INDEX_BITS,
            "byte": shift,
            "address": sum_bits(parameters, ADDRESS_BITS - shift, "digit_stride", "run_stride"),
            "outer": FIELDS[Opcode.RECALL]["channel_groups"].width,
            "outer_stride": stride + line_words(parameters).bit_length() - 1,
            "pieces": COUNT_BITS,
            "step": stride,
            "words": WORDS_BITS,
            "rest": WORDS_BITS,
            "planes": (recalled_planes(parameters) + 1).bit_length(),
            "plane_stride": stride,
            "masked": 1,
            "mask_offset": data.ArrayLayout(
                stride + FIELDS[Opcode.RECALL]["mask_plane"].width, PARTS
            ),
        }
    )


def read_nest_of(entry: data.View, parameters: Parameters) -> dict[str, Value | list[Value]]:
    """The `read_nest` of a `kind_task`; one that is skipped, and a MOVE, go through all loops
    once."""
    task, kinds = entry.task, entry.kinds
    skip = task.skip | kinds[Kind.MOVE.value]
    loops = {
        Kind.LOAD: _load(task),
        Kind.SET: _set(task),
        Kind.FILL: _fill(task, parameters),
        Kind.RECALL: _recall(task, parameters),
    }
    nest = read_nest(parameters)
    chosen = {}
    for name, once in _ONCE.items():
        width = ADDRESS_BITS if name == "address" else Shape.cast(nest[name].shape).width
        total: Value = Mux(skip, once, 0)
        for kind, values in loops.items():
            value = Value.cast(values.get(name, once))[:width]
            total = total | Mux(kinds[kind.value] & ~skip, value, 0)
        chosen[name] = total
    address, shift = chosen.pop("address"), word_shift(parameters)
    recall = command_view(Opcode.RECALL, task.command)
    terms = [
        Mux(recall.mask_plane[bit], recall.plane_stride << bit, 0)
        for bit in range(len(recall.mask_plane))
    ]
    return {
        **chosen,
        "skip": skip,
        "index": task.index,
        "byte": address[:shift],
        "address": address[shift:],
        "mask_offset": [sum(terms[part::PARTS], start=0) for part in range(PARTS)],
    }


_ONCE = {
    "address": 0,
    "outer": 1,
    "outer_stride": 0,
    "pieces": 1,
    "step": 0,
    "words": 0,
    "rest": 0,
    "planes": 1,
    "plane_stride": 0,
    "masked": 0,
}


def _load(task: data.View) -> dict[str, Value | int]:
    """Digits and runs, each a request."""
    load = command_view(Opcode.LOAD, task.command)
    return {
        "address": load.address,
        "outer": task.digits,
        "outer_stride": load.digit_stride,
        "pieces": load.runs,
        "step": load.run_stride,
        "words": load.words,
        "rest": load.words,
    }


def _pieces(count: Value) -> tuple[Value, Value]:
    """How many pieces ``count`` things are, and things of the last one."""
    bits = PIECE.bit_length() - 1
    rest = count[:bits]
    return (count + (PIECE - 1)) >> bits, Mux(rest == 0, PIECE, rest)


def _set(task: data.View) -> dict[str, Value | int]:
    command = command_view(Opcode.SET, task.command)
    pieces, rest = _pieces(command.words)
    return {
        "address": command.address,
        "pieces": pieces,
        "step": PIECE,
        "words": PIECE,
        "rest": rest,
    }


def _fill(task: data.View, parameters: Parameters) -> dict[str, Value | int]:
    command, each = command_view(Opcode.FILL, task.command), line_words(parameters)
    pieces, rest = _pieces(command.lines)
    return {
        "address": command.address,
        "outer": command.runs,
        "outer_stride": command.run_stride * each,
        "pieces": pieces,
        "step": PIECE * each,
        "words": PIECE * each,
        "rest": rest * each,
    }


def _recall(task: data.View, parameters: Parameters) -> dict[str, Value | int]:
    """A word at a time, so that a block is complete before the next."""
    command = command_view(Opcode.RECALL, task.command)
    bits = Mux(command.kind == Recalled.RESIDUAL, command.bits, task.kept_bits)
    return {
        "address": command.address,
        "outer": command.channel_groups,
        "outer_stride": command.group_stride,
        "pieces": command.blocks,
        "step": 1,
        "words": 1,
        "rest": 1,
        "planes": bits + command.masked,
        "plane_stride": command.plane_stride,
        "masked": command.masked,
    }
