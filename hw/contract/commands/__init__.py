"""Commands: what the host asks of the convolution engine, in words of 256 bits.

A program is a stream of commands in memory, decoded in order and handed to three stages that run
ahead of each other and meet through tokens.

A *word* of memory is one digit (``spatial_bits`` planes) of a block; addresses and sizes that are
read in memory are multiples of it, addresses that are written multiples of a block. Commands name
a precision *slot*, the ``operand`` they read and the ``partner`` it is multiplied with, never a
width. If either has 0 bits, LOAD, CONVOLVE and STORE retire without traffic and without array
cycles; their tokens still move.

Tokens: ``wait`` names the stages from which a token is taken before the command begins, ``signal``
those to which one is given when it has ended. A LOAD has ended when its last word is in the
on-chip memory, a CONVOLVE when its last operand has been read, a STORE when memory has
acknowledged its last write. A stage that would have more than 255 tokens waiting at another waits
itself. A program begins without tokens.
"""

from __future__ import annotations

from fractrain.hw.contract.commands.commands import Command, Convolve, End, Load, Pattern, Store
from fractrain.hw.contract.commands.encoding import (
    KINDS,
    decode,
    encode,
    encode_all,
    field_types,
    opcode_of,
)
from fractrain.hw.contract.commands.enums import (
    SIGNAL,
    TOKEN_LIMIT,
    WAIT,
    Fault,
    Format,
    Memory,
    Opcode,
    RowPixels,
    Stage,
    Tag,
    Variant,
    Zero,
)
from fractrain.hw.contract.commands.fields import (
    COMMAND_BITS,
    COMMAND_BYTES,
    FIELDS,
    GROUP_BITS,
    HALF_BLOCKS,
    HEADER,
    NO_GROUP,
    ROTATION_BITS,
    VARIANT_BITS,
    Field,
)

__all__ = [
    "COMMAND_BITS",
    "COMMAND_BYTES",
    "FIELDS",
    "GROUP_BITS",
    "HALF_BLOCKS",
    "HEADER",
    "KINDS",
    "NO_GROUP",
    "ROTATION_BITS",
    "SIGNAL",
    "TOKEN_LIMIT",
    "VARIANT_BITS",
    "WAIT",
    "Command",
    "Convolve",
    "End",
    "Fault",
    "Field",
    "Format",
    "Load",
    "Memory",
    "Opcode",
    "Pattern",
    "RowPixels",
    "Stage",
    "Store",
    "Tag",
    "Variant",
    "Zero",
    "decode",
    "encode",
    "encode_all",
    "field_types",
    "opcode_of",
]
