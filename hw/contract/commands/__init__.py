"""Commands: what the host asks of the convolution engine, in words of 256 bits.

A program is a stream of commands in memory, decoded in order and handed to three stages that run
ahead of each other and meet through tokens.

A *word* of memory is one digit (``spatial_bits`` planes) of a block; addresses and sizes that are
read in memory are multiples of it, addresses that are written multiples of a block. Commands name
a precision *slot*, the ``operand`` they read and the ``partner`` it is multiplied with, never a
width. If either has 0 bits, LOAD, CONVOLVE and STORE retire without traffic and without array
cycles; their tokens still move. Of the commands for a vector unit the same is true of all that do
not say "whatever the slot"; SHAPE and UPDATE are carried out, too.

Tokens: ``wait`` names the stages from which a token is taken before the command begins, ``signal``
those to which one is given when it has ended. A LOAD has ended when its last word is in the
on-chip memory, a CONVOLVE when its last operand has been read, a STORE when memory has
acknowledged its last write. A stage that would have more than 255 tokens waiting at another waits
itself. A program begins without tokens.

A command of the vector stage has ended when its last line is on chip. What it writes may still be
on its way to memory, unless it gives a token to FETCH or HOST, or is an UPDATE: then memory has
acknowledged everything that the stage has written until then. Until such a token, or END, two
commands of the stage that write to the same place may do so in either order.

A machine without a vector unit knows LOAD, PATTERN, CONVOLVE, STORE and END, and has tokens between
its three stages only. On one with a vector unit a word is one plane, and a *line* P pixels of one
channel of a block; docs/whole_step.md has its memories, and what a program with it looks like.
``sat``, ``clip`` and ``round`` are those of docs/numerics.md.
"""

from __future__ import annotations

from fractrain.hw.contract.commands.commands import (
    Command,
    Convolve,
    End,
    Load,
    Pattern,
    Store,
)
from fractrain.hw.contract.commands.encoding import (
    KINDS,
    awaits_memory,
    decode,
    encode,
    encode_all,
    field_types,
    opcode_of,
)
from fractrain.hw.contract.commands.enums import (
    ACKNOWLEDGED,
    ENGINE_OPCODES,
    ENGINE_SIGNAL,
    ENGINE_STAGES,
    ENGINE_WAIT,
    SIGNAL,
    STAGES,
    TOKEN_LIMIT,
    WAIT,
    Earlier,
    Fault,
    Format,
    Memory,
    Opcode,
    Recalled,
    RowPixels,
    Second,
    Stage,
    Tag,
    Variant,
    Zero,
)
from fractrain.hw.contract.commands.field import (
    GROUP_BITS,
    HALF_BLOCKS,
    NO_GROUP,
    Field,
)
from fractrain.hw.contract.commands.fields import (
    COMMAND_BITS,
    COMMAND_BYTES,
    FIELDS,
    HEADER,
    ROTATION_BITS,
    VARIANT_BITS,
)
from fractrain.hw.contract.commands.vector_commands import (
    Apply,
    Carry,
    Channel,
    Form,
    Normalize,
    Quantize,
    Recompute,
    Report,
    Shape,
    Spill,
    Update,
)
from fractrain.hw.contract.commands.vector_fields import (
    SHAPES,
)
from fractrain.hw.contract.commands.vector_loads import (
    Fill,
    Headed,
    Move,
    Recall,
    Set,
)
from fractrain.hw.contract.commands.vector_results import (
    Join,
    Narrow,
)

__all__ = [
    "COMMAND_BITS",
    "COMMAND_BYTES",
    "ACKNOWLEDGED",
    "ENGINE_OPCODES",
    "ENGINE_SIGNAL",
    "ENGINE_STAGES",
    "ENGINE_WAIT",
    "FIELDS",
    "GROUP_BITS",
    "HALF_BLOCKS",
    "HEADER",
    "KINDS",
    "NO_GROUP",
    "ROTATION_BITS",
    "SHAPES",
    "SIGNAL",
    "STAGES",
    "TOKEN_LIMIT",
    "VARIANT_BITS",
    "WAIT",
    "Apply",
    "Carry",
    "Channel",
    "Command",
    "Convolve",
    "Earlier",
    "End",
    "Fault",
    "Field",
    "Fill",
    "Form",
    "Format",
    "Headed",
    "Join",
    "Load",
    "Memory",
    "Move",
    "Narrow",
    "Normalize",
    "Opcode",
    "Pattern",
    "Quantize",
    "Recall",
    "Recalled",
    "Recompute",
    "Report",
    "RowPixels",
    "Second",
    "Set",
    "Shape",
    "Spill",
    "Stage",
    "Store",
    "Tag",
    "Update",
    "Variant",
    "Zero",
    "awaits_memory",
    "decode",
    "encode",
    "encode_all",
    "field_types",
    "opcode_of",
]
