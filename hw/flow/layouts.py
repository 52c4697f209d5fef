"""What goes from one stage to another, each layout once.

A command on its way to a stage is in `hw.flow.tasks`; what stays inside a stage is beside it.
"""

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from fractrain.hw.contract.commands import FIELDS, GROUP_BITS, Opcode, Stage, Tag
from fractrain.hw.contract.parameters import ArrayParameters, Parameters
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.hw.flow.parties import parties
from fractrain.hw.flow.tasks import INDEX_BITS

__all__ = [
    "ADDRESS_BITS",
    "CHIP_ADDRESS_BITS",
    "CLIENTS",
    "WORDS_BITS",
    "array_beat",
    "array_pass",
    "client_bits",
    "client_request",
    "column_operand",
    "column_write",
    "excess_bits",
    "pass_control",
    "plane_answer",
    "plane_write",
    "port_beat",
    "read_clients",
    "read_request",
    "row_operand",
    "write_block",
]

ADDRESS_BITS = FIELDS[Opcode.LOAD]["address"].width
"""Of a byte in memory."""

WORDS_BITS = FIELDS[Opcode.LOAD]["words"].width
"""Of a count of words to be read."""

CHIP_ADDRESS_BITS = FIELDS[Opcode.LOAD]["destination"].width
"""Of a word in an on-chip memory, as commands name it."""


# -- between memory and the stages --------------------------------------------------------------


def read_request() -> data.StructLayout:
    """``words`` words of memory from byte ``address`` on, none if that is 0; ``index``: of the
    command that needs them, or that is in them."""
    return data.StructLayout({"address": ADDRESS_BITS, "words": WORDS_BITS, "index": INDEX_BITS})


CLIENTS = 2
"""Who reads memory: commands are fetched, and tensors."""


def read_clients(parameters: Parameters) -> int:
    """Clients of the reader: the vector unit is another."""
    return CLIENTS + (parameters.vector is not None)


def client_bits(clients: int = CLIENTS) -> int:
    """Of a client's number."""
    return (clients - 1).bit_length()


def client_request(clients: int = CLIENTS) -> data.StructLayout:
    """A `read_request` of one of the reader's clients."""
    return data.StructLayout({**read_request().members, "client": client_bits(clients)})


def write_block(bits: int) -> data.StructLayout:
    """A block of ``bits`` and the address of its first byte."""
    return data.StructLayout({"address": ADDRESS_BITS, "data": bits})


# -- from the fetch stage to the on-chip memories -----------------------------------------------


def plane_write(parameters: Parameters) -> data.StructLayout:
    """A word (``spatial_bits`` planes of a block, the most significant first) for the plane
    memory."""
    return data.StructLayout(
        {"valid": 1, "address": CHIP_ADDRESS_BITS, "data": 8 * parameters.word_bytes}
    )


def plane_answer(parameters: Parameters) -> data.StructLayout:
    """A word of the plane memory that a MOVE has asked for."""
    return data.StructLayout({"valid": 1, "data": 8 * parameters.word_bytes})


def column_write(parameters: Parameters) -> data.StructLayout:
    """A half-block of ``spatial_bits`` planes for one lane group of a word of the column memory.

    ``data`` has bit ``(plane*C + column)*C + lane``, C = ``block.channels``.
    """
    channels = parameters.block.channels
    width = parameters.array.spatial_bits * channels * channels
    return data.StructLayout(
        {"valid": 1, "address": CHIP_ADDRESS_BITS, "group": GROUP_BITS, "data": width}
    )


# -- from sequencer and memories to the array ---------------------------------------------------


def row_operand(array: ArrayParameters) -> data.ArrayLayout:
    """One digit for every row of units, bit ``plane * lanes + lane``."""
    return data.ArrayLayout(array.spatial_bits * array.lanes, array.rows)


def column_operand(array: ArrayParameters) -> data.ArrayLayout:
    """One digit for every column of units, bit ``plane * lanes + lane``."""
    return data.ArrayLayout(array.spatial_bits * array.lanes, array.columns)


def excess_bits(parameters: Parameters) -> int:
    """Width of ``excess``, 0..2 * (spatial_bits - 1); one bit at least, for a regular layout."""
    return max(1, (2 * (parameters.array.spatial_bits - 1)).bit_length())


def pass_control(array: ArrayParameters) -> data.StructLayout:
    """What a pass does with its operands.

    valid : a pass is issued in this cycle
    first, last : accumulators start from zero; results are captured after this pass
    shift : the dot product is shifted left by this before it is added
    row_enable, column_enable : bit ``s``: plane ``s`` of the digit exists
    row_negative, column_negative : bit ``s``: plane ``s`` has negative weight; only plane 0, the
        most significant, can have it in two's complement, so bits other than 0 must be zero
    """
    planes = unsigned(array.spatial_bits)
    return data.StructLayout(
        {
            "valid": 1,
            "first": 1,
            "last": 1,
            "shift": max(1, array.max_shift.bit_length()),
            "row_enable": planes,
            "row_negative": planes,
            "column_enable": planes,
            "column_negative": planes,
        }
    )


def array_pass(parameters: Parameters) -> data.StructLayout:
    """One pass of the array: the digit in the window against a digit of the columns.

    empty : stands for a command without passes: ``new_window`` and ``last`` are 0, and only
        ``ends``, ``signal``, ``index`` and ``tag`` have a meaning
    ends : the last of its command; ``signal``: the tokens that the command then gives
    index : number of the command in its program; ``tag``: its cycles are counted under
    new_window : the first pass of the next window
    column_address : word of the column memory; ``groups``: lane groups that are not zeroed
    excess : absent planes in the last digits of both operands: the tile's sums are shifted left
        by so many bits

    and all of `pass_control` but ``valid``, which is that it is issued.
    """
    control = dict(pass_control(parameters.array).members)
    del control["valid"]
    return data.StructLayout(
        {
            "empty": 1,
            "ends": 1,
            "signal": len(parties(parameters).signal[Stage.EXECUTE]),
            "index": INDEX_BITS,
            "tag": Tag,
            "new_window": 1,
            "column_address": FIELDS[Opcode.CONVOLVE]["column_address"].width,
            "groups": FIELDS[Opcode.CONVOLVE]["groups"].width,
            **control,
            "excess": excess_bits(parameters),
        }
    )


# -- from the array on --------------------------------------------------------------------------


def array_beat(array: ArrayParameters) -> data.StructLayout:
    """One beat of results as it leaves the array; ``last`` marks the last beat of a tile.

    Beat ``b`` carries at ``data[m * clusters + c]`` the sum of row ``m`` and column
    ``c * cluster_columns + b``, with ``clusters = columns / cluster_columns``.
    """
    return data.StructLayout({"valid": 1, "last": 1, "data": _sums(array)})


def port_beat(array: ArrayParameters) -> data.StructLayout:
    """A beat as it leaves at the result port."""
    return data.StructLayout({"data": _sums(array), "last": 1})


def _sums(array: ArrayParameters) -> data.ArrayLayout:
    return data.ArrayLayout(signed(SUM_BITS), array.results_per_beat)
