"""What the fields of a command can say, and what the machine says when one is wrong."""

from __future__ import annotations

import enum
from collections.abc import Mapping


class Described(enum.IntEnum):
    """Members with a ``description`` each, for the reference pages."""

    description: str

    def __new__(cls, value: int, description: str = "") -> Described:
        member = int.__new__(cls, value)
        member._value_ = value
        member.description = description
        return member


class Stage(enum.IntEnum):
    """The stages, in the order of the data, and the host, which takes and gives tokens only.

    Without a vector unit a machine has the first three (`ENGINE_STAGES`).
    """

    FETCH = 0
    EXECUTE = 1
    RESULT = 2
    VECTOR = 3
    HOST = 4


ENGINE_STAGES = (Stage.FETCH, Stage.EXECUTE, Stage.RESULT)
"""Stages of a machine without a vector unit."""

STAGES = (*ENGINE_STAGES, Stage.VECTOR)
"""Stages that carry out commands, of a machine with one."""

ENGINE_WAIT: Mapping[Stage, tuple[Stage, ...]] = {
    Stage.FETCH: (Stage.EXECUTE, Stage.RESULT),
    Stage.EXECUTE: (Stage.FETCH, Stage.RESULT),
    Stage.RESULT: (),
}
"""Stages from which a command of a stage can take a token, without a vector unit: bit 0 of
``wait``, bit 1."""

ENGINE_SIGNAL: Mapping[Stage, tuple[Stage, ...]] = {
    Stage.FETCH: (Stage.EXECUTE,),
    Stage.EXECUTE: (Stage.FETCH,),
    Stage.RESULT: (Stage.FETCH, Stage.EXECUTE),
}
"""Stages to which it can give one, without a vector unit: bit 0 of ``signal``, bit 1."""

WAIT: Mapping[Stage, tuple[Stage, ...]] = {
    Stage.FETCH: (*ENGINE_WAIT[Stage.FETCH], Stage.VECTOR, Stage.HOST),
    Stage.EXECUTE: (*ENGINE_WAIT[Stage.EXECUTE], Stage.VECTOR),
    Stage.RESULT: (Stage.FETCH, Stage.VECTOR),
    Stage.VECTOR: (Stage.FETCH, Stage.EXECUTE, Stage.RESULT),
    Stage.HOST: (Stage.VECTOR,),
}
"""The same with a vector unit, from bit 0 on."""

SIGNAL: Mapping[Stage, tuple[Stage, ...]] = {
    Stage.FETCH: (*ENGINE_SIGNAL[Stage.FETCH], Stage.RESULT, Stage.VECTOR),
    Stage.EXECUTE: (*ENGINE_SIGNAL[Stage.EXECUTE], Stage.VECTOR),
    Stage.RESULT: (*ENGINE_SIGNAL[Stage.RESULT], Stage.VECTOR),
    Stage.VECTOR: (Stage.FETCH, Stage.EXECUTE, Stage.RESULT, Stage.HOST),
    Stage.HOST: (Stage.FETCH,),
}
"""The same with a vector unit."""

ACKNOWLEDGED = frozenset({Stage.FETCH, Stage.HOST})
"""Those who read in memory what the vector stage writes: a token to them says that memory has
acknowledged it."""

TOKEN_LIMIT = 255
"""Most tokens that may wait in one direction; a stage that would give one more waits."""


class Opcode(enum.IntEnum):
    """First byte of a command. 0 is none, so that cleared memory is refused."""

    LOAD = 1
    CONVOLVE = 2
    STORE = 3
    PATTERN = 4
    END = 5
    MOVE = 6
    RECALL = 7
    FILL = 8
    SET = 9
    NARROW = 10
    JOIN = 11
    SHAPE = 12
    CHANNEL = 13
    NORMALIZE = 14
    FORM = 15
    RECOMPUTE = 16
    CARRY = 17
    APPLY = 18
    SPILL = 19
    REPORT = 20
    QUANTIZE = 21
    UPDATE = 22

    @property
    def stage(self) -> Stage | None:
        """The stage that carries the command out; END belongs to none."""
        return _STAGES.get(self)

    @property
    def skips(self) -> bool:
        """Whether the command depends on its operands' bits: with 0 of them only its tokens
        move."""
        return self not in _UNCONDITIONAL


ENGINE_OPCODES = (Opcode.LOAD, Opcode.CONVOLVE, Opcode.STORE, Opcode.PATTERN, Opcode.END)
"""What a machine without a vector unit knows."""

_STAGES = {
    Opcode.LOAD: Stage.FETCH,
    Opcode.PATTERN: Stage.EXECUTE,
    Opcode.CONVOLVE: Stage.EXECUTE,
    Opcode.STORE: Stage.RESULT,
    **dict.fromkeys((Opcode.MOVE, Opcode.RECALL, Opcode.FILL, Opcode.SET), Stage.FETCH),
    **dict.fromkeys((Opcode.NARROW, Opcode.JOIN), Stage.RESULT),
    **{each: Stage.VECTOR for each in Opcode if each >= Opcode.SHAPE},
}

_UNCONDITIONAL = {
    Opcode.PATTERN,
    Opcode.END,
    Opcode.FILL,
    Opcode.SET,
    Opcode.SHAPE,
    Opcode.SPILL,
    Opcode.REPORT,
    Opcode.UPDATE,
}


class Tag(Described):
    """The pass to which the cycles and bytes of a command are counted."""

    FORWARD = 0, "forward"
    ERROR = 1, "error, backward to the input"
    GRADIENT = 2, "gradient of the weights"
    OTHER = 3, "everything else, and the command stream itself"


class Memory(Described):
    """The on-chip memory that a LOAD fills."""

    PLANES = 0, "plane memory, a word at a time"
    COLUMNS = 1, "column memory, a half-block into a lane group at a time"


class Format(Described):
    """How results leave."""

    NONE = 0, "not at all"
    PORT = 1, "the sums, at the result port"
    RAW32 = 2, "the low 32 bits of each sum, in the order of the beats"
    RAW48 = 3, "all 48 bits of each, likewise"
    PLANES = 4, "narrowed to `bits`, as planes that the next LOAD can read"


class Earlier(Described):
    """What JOIN adds to the part of its convolution."""

    NONE = 0, "nothing"
    STREAM = 1, "E of another tensor, shifted to the steps of this one"
    PART = 2, "the part of 24 bits that an earlier JOIN has left"


class Second(Described):
    """What FORM adds to a batch norm."""

    NONE = 0, "nothing"
    RESIDUAL = 1, "round(ρ·r · 2^−t), r from the side memory"
    SHORTCUT = 2, "G·x̂ + B, x̂ of 12 bits from the staging memory (NORMALIZE)"


class Recalled(Described):
    """What RECALL brings."""

    INSIDE = 0, "x̂ as it is inside a block, INNER bits of `kept_slot`"
    END = 1, "x̂ as it is kept at a block's end, OUTER bits of `kept_slot`"
    RESIDUAL = 2, "r, `bits` bits, unsigned"


class RowPixels(Described):
    """Pixels of a row of the tile, as a part of the P pixels of a block."""

    QUARTER = 0, "P/4"
    HALF = 1, "P/2"
    WHOLE = 2, "P"


class Variant(Described):
    """What is done to a block of P pixels on the way from the plane memory into the window.

    ``x`` is a pixel's place in its row of the *window*, which is ``row_pixels`` wide.
    """

    STRAIGHT = 0, "`out[i] = in[i]`"
    RIGHT = 1, "`out[i] = in[i-1]`, 0 where x = 0"
    LEFT = 2, "`out[i] = in[i+1]`, 0 where x is the last"
    EVEN = 3, "`out[i] = out[P/2+i] = in[2i]`, i < P/2"
    ODD = 4, "`out[i] = out[P/2+i] = in[2i+1]`, i < P/2"
    ODD_RIGHT = 5, "`out[i] = out[P/2+i] = in[2i-1]`, i < P/2, 0 where x = 0"
    FROM_LEFT = 6, "`out[i] = in[P-1]`, only into the first pixel of each enabled quarter"
    FROM_RIGHT = 7, "`out[i] = in[0]`, only into the last pixel of each enabled quarter"


class Zero(enum.IntFlag):
    """Conditions under which a read of a PATTERN yields zeros, any of them: where the tile is."""

    TOP = 1
    BOTTOM = 2
    LEFT = 4
    RIGHT = 8
    ALWAYS = 16


class Fault(Described):
    """Why the engine stopped; read from the STATUS register."""

    NONE = 0, "no fault"
    OPCODE = 1, "unknown opcode"
    SLOT = 2, "the slot or the operand it names does not exist"
    PRECISION = 3, "the slot's bits exceed precision.max_bits, or what the vector unit takes"
    COUNT = (
        4,
        "a count that must be at least 1 is 0, or an entry, format or group that does not exist",
    )
    ADDRESS = 5, "an address beyond an on-chip memory"
    WINDOW = 6, "an address in memory outside the window"
    ALIGNMENT = 7, "an address in memory that is no multiple of a word (written: of a block)"
    READ_ERROR = 8, "memory answered a read with SLVERR or DECERR"
    WRITE_ERROR = 9, "memory answered a write with SLVERR or DECERR"
    TIMEOUT = 10, "memory did not answer within WATCHDOG cycles"
    PROGRAM = 11, "the command stream ended without END"
