"""What the channel unit does, step by step: its programs, as data.

A step issues at most one product, ±a·b onto a base, whose value is there three steps later and
stays while nothing is issued.
"""

import enum
from dataclasses import dataclass

from fractrain.hw.vector.dsp_slice import Base

__all__ = ["BACKWARD", "FORWARD", "PROGRAM", "SKIP_TO", "A", "Act", "Addend", "B", "Hold", "Step"]


class A(enum.Enum):
    """First factors, 25 bits: of the task, of what was found, or of the slice's value."""

    NOTHING = 0
    PIXELS = enum.auto()
    LOW = enum.auto()
    TWICE_HIGH = enum.auto()
    HIGH = enum.auto()
    ENTRY = enum.auto()
    RADICAND = enum.auto()
    NEWTON = enum.auto()
    ROOT = enum.auto()
    RECIPROCAL = enum.auto()
    QUOTIENT = enum.auto()


class B(enum.Enum):
    """Second factors, 18 bits."""

    PIXELS = 0
    PRODUCT_0 = enum.auto()
    PRODUCT_1 = enum.auto()
    PRODUCT_2 = enum.auto()
    LOW = enum.auto()
    HIGH = enum.auto()
    ENTRY = enum.auto()
    SQUARE = enum.auto()
    GAIN = enum.auto()
    FACTOR = enum.auto()


class Addend(enum.Enum):
    """What `Base.C` is."""

    RADICAND = 0
    NEWTON = enum.auto()
    HALF = enum.auto()


class Hold(enum.Enum):
    """What a step waits for."""

    NOTHING = 0
    NORMALIZE = enum.auto()
    ALIGN = enum.auto()
    DIVIDE = enum.auto()
    HAND_OVER = enum.auto()


class Act(enum.Flag):
    """What a step does beside its product, in each of its cycles: where it waits, the last one
    counts."""

    NOTHING = 0
    LOAD_0 = enum.auto()
    LOAD_1 = enum.auto()
    LOAD_2 = enum.auto()
    SKIP = enum.auto()
    """Go on at `SKIP_TO` after the next step, unless the floor counts."""
    COUNT = enum.auto()
    COUNT_FLOOR = enum.auto()
    COUNT_SHIFT = enum.auto()
    DIVIDE = enum.auto()
    """The second division begins."""
    RECIPROCAL = enum.auto()
    FACTOR = enum.auto()
    MEAN = enum.auto()
    SLOPE = enum.auto()


@dataclass(frozen=True)
class Step:
    a: A = A.NOTHING
    b: B = B.PIXELS
    base: Base = Base.VALUE
    addend: Addend = Addend.RADICAND
    negate: bool = False
    hold: Hold = Hold.NOTHING
    act: Act = Act.NOTHING


IDLE = Step()
DOWN = Step(base=Base.SHIFTED)
"""The value, 17 bits lower."""
LOADS = (Step(act=Act.LOAD_0), Step(act=Act.LOAD_1), Step(act=Act.LOAD_2))


def _dispersion() -> list[Step]:
    """n·Σy² − (Σy)², 17 bits at a time; |Σy| = low + 2^17·high."""
    return [
        Step(A.PIXELS, B.PRODUCT_0, Base.ZERO),
        Step(A.LOW, B.LOW, negate=True),
        Step(A.PIXELS, B.PRODUCT_1, Base.SHIFTED),
        Step(A.TWICE_HIGH, B.LOW, negate=True),
        Step(A.PIXELS, B.PRODUCT_2, Base.SHIFTED, act=Act.LOAD_0),
        Step(A.HIGH, B.HIGH, negate=True),
        Step(act=Act.LOAD_1),
        IDLE,
        Step(act=Act.LOAD_2),
    ]


def _compare() -> list[Step]:
    """D·2^−10 − n² < 0, if D is not too large for it: the floor n²·32² counts."""
    return [
        Step(A.PIXELS, B.PIXELS, Base.C, Addend.RADICAND, negate=True),
        IDLE,
        IDLE,
        Step(act=Act.SKIP | Act.COUNT),
        IDLE,
    ]


def _floor() -> list[Step]:
    """n², with 5 for the 2^10 that it lacks in the count."""
    return [
        Step(A.PIXELS, B.PIXELS, Base.ZERO, act=Act.COUNT_FLOOR),
        DOWN,
        DOWN,
        *LOADS,
    ]


def _reciprocal() -> list[Step]:
    """Normalize, and the rule of docs/numerics.md, Reciprocal root."""
    return [
        Step(hold=Hold.NORMALIZE),
        Step(A.ENTRY, B.ENTRY, Base.ZERO),
        IDLE,
        IDLE,
        Step(A.RADICAND, B.SQUARE, Base.C, Addend.NEWTON, negate=True),
        IDLE,
        IDLE,
        Step(A.NEWTON, B.ENTRY, Base.ZERO),
        IDLE,
        IDLE,
        Step(A.ROOT, B.PIXELS, Base.ZERO),
        DOWN,
        DOWN,
        *LOADS,
        Step(hold=Hold.ALIGN),
        Step(hold=Hold.DIVIDE, act=Act.RECIPROCAL | Act.MEAN),
        Step(hold=Hold.HAND_OVER),
    ]


BEFORE_RECIPROCAL = (*_dispersion(), *_compare(), *_floor())
SKIP_TO = len(BEFORE_RECIPROCAL)
FORWARD = (*BEFORE_RECIPROCAL, *_reciprocal())
BACKWARD = (
    Step(A.RECIPROCAL, B.GAIN, Base.ZERO),
    DOWN,
    DOWN,
    *LOADS[:2],
    Step(act=Act.LOAD_2 | Act.COUNT_SHIFT),
    Step(hold=Hold.ALIGN),
    Step(hold=Hold.DIVIDE, act=Act.FACTOR | Act.MEAN),
    Step(act=Act.DIVIDE),
    Step(hold=Hold.DIVIDE),
    Step(A.QUOTIENT, B.FACTOR, Base.C, Addend.HALF),
    IDLE,
    IDLE,
    IDLE,
    Step(act=Act.SLOPE),
    Step(hold=Hold.HAND_OVER),
)
"""A while T₁ is divided, then T₂', then B̄, which is clipped a step before it is negated."""
PROGRAM = (*FORWARD, *BACKWARD)
