"""The kinds of host work in a training step, with the cost of one element of each; those of float
mode, and what both modes share (`integer_kinds` has hardware mode's).

There are two costs: of the formula in any form (operations; bytes that must come from memory and go
there, as no tensor of a training step fits into a processor's cache), and of the code as written,
one NumPy call after the other, each of which reads and writes whole tensors.

A call is written as ``reads>writes``: one symbol for each tensor that it reads and for the one that
it writes, the bytes of its elements (``b``: one bit; ``c``: a number of a part of the tensor that
stays in the cache). ``44>1`` compares two float32 tensors; ``4>`` is a reduction. The tests run the
code and compare.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace

SIZES = {"1": 1.0, "2": 2.0, "4": 4.0, "8": 8.0, "b": 1 / 8, "c": 0.0}
"""Bytes of an element from or to memory, by its symbol."""

ACCESSES = {symbol: min(1.0, size) for symbol, size in SIZES.items()} | {"c": 1.0}
"""Loads or stores of an element."""


@dataclass(frozen=True)
class Kind:
    """Work of one kind; all figures are per element, or per what ``per`` says.

    group : what it is shown as
    operations : of ``lane_bytes`` wide numbers that vector instructions can do several of;
        ``integer`` if they are no floating-point operations
    float_calls : the calls compute in floating point, though the formula is one of integers
    scalar_cycles : of a core, for what they cannot
    bytes_read, bytes_written : from and to memory, by loops that keep what they can in registers;
        a statistic of the whole tensor needs a pass over it before it can be used
    calls : as written
    per : what is counted, where it is not the elements of a tensor
    """

    name: str
    group: str
    formula: str
    operations: float
    bytes_read: float
    bytes_written: float
    calls: tuple[str, ...]
    lane_bytes: int = 4
    integer: bool = False
    float_calls: bool = False
    scalar_cycles: float = 0.0
    per: str = "element"

    @property
    def bytes_as_written(self) -> float:
        """Read and written by all calls."""
        return sum(SIZES[symbol] for call in self.calls for symbol in call if symbol != ">")

    @property
    def accesses_as_written(self) -> float:
        """Loads and stores of all calls."""
        return sum(ACCESSES[symbol] for call in self.calls for symbol in call if symbol != ">")

    @property
    def floating_calls(self) -> int:
        """Calls that compute in floating point."""
        return len(self.calls) if self.float_calls or not self.integer else 0


RANDOM_CYCLES = (6 * 3 + 4 * 2 + 35) / 2 + 3
"""Of a 32-bit core for one float32 by PCG64 (O'Neill, PCG, 2014). A draw of 64 bits, two of them,
multiplies 128 by 128 bits (the low half: 6 long multiplications of 3 cycles, 4 with
accumulation of 2), and takes about 35 additions, shifts, loads and stores for carries, rotation
and state; then a shift, a conversion and a multiplication for each."""

_MAXIMUM = ("4>4", "4>")
_INTEGERS = ("4>4", "4>4", "4>4", "4>4")

NORMALIZE = Kind(
    "batch norm",
    "batch norm, forward",
    "mean, x − mean, its square, their mean, · 1/deviation, · γ, + β",
    operations=7,
    bytes_read=12,
    bytes_written=8,
    calls=("4>", "4>4", "4>4", "4>", "4>4", "4>4", "4>4"),
)
NORMALIZE_BACKWARD = Kind(
    "batch norm, error",
    "batch norm, backward",
    "Σ e, Σ e·x̂, γ/deviation · (e − Σe/n − x̂·Σex̂/n)",
    operations=7,
    bytes_read=16,
    bytes_written=4,
    calls=("4>", "44>4", "4>", "4>4", "44>4", "4>4", "4>4"),
)
RECTIFY = Kind(
    "ReLU", "ReLU", "max(x, 0), y > 0", 2, bytes_read=4, bytes_written=5, calls=("4>4", "4>1")
)
RECTIFY_BACKWARD = Kind(
    "ReLU, error", "ReLU", "e · (y > 0)", 1, bytes_read=5, bytes_written=4, calls=("41>4",)
)
ADD = Kind("add", "residual add", "x + y", 1, bytes_read=8, bytes_written=4, calls=("44>4",))
RANGE = Kind(
    "range", "quantize activations", "max", 1, bytes_read=4, bytes_written=0, calls=("4>",)
)
QUANTIZE_ACTIVATIONS = Kind(
    "quantize activations",
    "quantize activations",
    "x/scale, round, to integer, limit below and above",
    operations=5,
    bytes_read=4,
    bytes_written=4,
    calls=_INTEGERS,
)
TOP_PLANES = Kind(
    "top planes",
    "top planes",
    "q >> dropped",
    operations=1,
    bytes_read=4,
    bytes_written=4,
    calls=("4>4",),
    integer=True,
)
QUANTIZE_WEIGHTS = Kind(
    "quantize weights",
    "quantize weights",
    "|x| or x², its maximum or mean; then as activations",
    operations=7,
    bytes_read=8,
    bytes_written=4,
    calls=(*_MAXIMUM, *_INTEGERS),
)
QUANTIZE_ERRORS = Kind(
    "quantize errors",
    "quantize errors",
    "|x|, max; x/scale, floor, fraction, fraction > random, add, to integer, limit twice",
    operations=10,
    bytes_read=8,
    bytes_written=4,
    calls=(*_MAXIMUM, "4>4", "4>4", "44>4", "44>1", "41>4", "4>4", "4>4"),
)
RANDOM = Kind(
    "random numbers",
    "random numbers",
    "PCG64, one float32",
    operations=0,
    bytes_read=0,
    bytes_written=0,  # used as they are made
    calls=(">4",),
    scalar_cycles=RANDOM_CYCLES,
)
ODD_SUMS = Kind(
    "odd levels",
    "dequantize",
    "2 · s − m, of sums",
    operations=2,
    bytes_read=16,
    bytes_written=8,
    calls=("8>8", "88>8"),
    lane_bytes=8,
    integer=True,
)
DEQUANTIZE = Kind("dequantize", "dequantize", "to float32, · scales", 2, 8, 4, calls=("8>4", "4>4"))
CHECK = Kind(
    "check values",
    "check operands",
    "least and greatest",
    operations=2,
    bytes_read=4,
    bytes_written=0,
    calls=("4>", "4>"),
    integer=True,
)
TO_BLOCKS = Kind(
    "to blocks",
    "pack",
    "to 8 bits, padded, turned to channels of pixels",
    operations=2,
    bytes_read=4,
    bytes_written=0,  # what follows can be done on each block at once
    calls=("4>1", "1>1", "1>1"),
    lane_bytes=1,
    integer=True,
    per="element of a block, with padding",
)
TO_PLANES = Kind(
    "to planes",
    "pack",
    "of each bit: and, compare, collect",
    operations=3,
    bytes_read=0,
    bytes_written=1 / 8,
    calls=("1>1", "1>1", "1>b", "b>b"),
    lane_bytes=1,
    integer=True,
    per="bit of a block",
)
TO_WIDE_BLOCKS = replace(
    TO_BLOCKS,
    name="to wide blocks",
    formula="of more than 8 bits: to 16 bits, padded, turned to channels of pixels",
    calls=("4>2", "2>2", "2>2"),
    lane_bytes=2,
)
TO_WIDE_PLANES = replace(
    TO_PLANES,
    name="to wide planes",
    formula="of more than 8 bits: of each bit: and, compare, collect",
    calls=("2>2", "2>1", "1>b", "b>b"),
    lane_bytes=2,
)
COMMANDS = Kind(
    "commands",
    "pack",
    "copied into the machine's memory",
    operations=0,
    bytes_read=8,
    bytes_written=8,
    calls=("8>8",),
    lane_bytes=8,
    integer=True,
    per="8 bytes of a program",
)
FROM_TILES = Kind(
    "from tiles",
    "unpack",
    "sign-extended to 64 bits, turned from tiles to tensors",
    operations=2,
    bytes_read=4,
    bytes_written=8,
    calls=("4>8",),
    lane_bytes=8,
    integer=True,
    per="sum of a tile, with padding",
)
INNER_PRODUCTS = Kind("inner products", "gates", "Σ e·y", 2, 8, 0, calls=("44>",))
POOL_GATES = Kind("pool for gates", "gates", "mean", 1, 4, 0, calls=("4>",))
ADD_GATES = Kind("error of gates", "gates", "e + ∂p/∂x", 1, 4, 4, calls=("4>4",))
GATE_NETWORK = Kind(
    "network of gates",
    "gates",
    "multiply and add of each weight: forward, error, gradient",
    operations=6,
    bytes_read=8,
    bytes_written=4,
    calls=("4>", "4>4", "4>"),
    per="weight of the gates",
)
POOL = Kind("average pool", "classifier, loss", "mean", 1, 4, 0, calls=("4>",))
LOSS = Kind(
    "classifier and loss",
    "classifier, loss",
    "logits, softmax, their errors: per product of the linear layer, three passes",
    operations=6,
    bytes_read=4,
    bytes_written=0,
    calls=("4>", "4>", "4>"),
    per="product of the linear layer",
)
OPTIMIZER = Kind(
    "optimizer",
    "optimizer",
    "v ← m·v + g + d·w;  w ← w − r·v;  Σ w",
    operations=7,
    bytes_read=12,
    bytes_written=8,
    calls=("4>4", "44>4", "4>4", "44>4", "4>4", "44>4", "4>"),
    per="parameter",
)
DATA = Kind(
    "batch",
    "data",
    "gathered, padded, cropped, flipped",
    operations=1,
    bytes_read=1,
    bytes_written=1,
    calls=("1>1", "1>1", "1>1", "11>1"),
    lane_bytes=1,
    integer=True,
    per="byte of the images",
)


@dataclass
class HostWork:
    """Elements of each kind of work, and how often it was called."""

    elements: defaultdict[Kind, float] = field(default_factory=lambda: defaultdict(int))
    calls: defaultdict[Kind, float] = field(default_factory=lambda: defaultdict(int))

    def add(self, kind: Kind, elements: float, calls: float = 1) -> None:
        """Count ``calls`` calls of work on ``elements`` together."""
        self.elements[kind] += elements
        self.calls[kind] += calls

    @property
    def kinds(self) -> list[Kind]:
        """Those that there are, in the order in which they came up."""
        return [kind for kind, elements in self.elements.items() if elements]

    def numpy_calls(self, kind: Kind) -> float:
        """Calls of NumPy, as it is written."""
        return self.calls[kind] * len(kind.calls)
