"""What a machine is asked, one pass of one convolution, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Pass, check_bits

MOST_MACS = 1 << 42
"""Of a layer; the searches count bits in 64-bit integers."""


@dataclass(frozen=True)
class Layer:
    """A square convolution, the way the models of the literature describe one.

    kernel : taps each way
    output : rows and columns of the output
    stride : each way
    inputs, outputs : channels
    batch : images

    The input, with padding, has ``(output − 1)·stride + kernel`` rows and columns.
    """

    kernel: int
    output: int
    stride: int
    inputs: int
    outputs: int
    batch: int

    def __post_init__(self) -> None:
        numbers = (*self.numbers, self.batch)
        if not all(type(each) is int and each >= 1 for each in numbers):
            raise ParameterError("layer", self.text, "whole numbers of at least 1")
        if self.macs > MOST_MACS:
            raise ParameterError("layer", self.text, f"at most 2**42 MACs, not {self.macs:.3g}")

    @property
    def numbers(self) -> tuple[int, int, int, int, int]:
        """Without the batch: kernel, output, stride, inputs, outputs."""
        return self.kernel, self.output, self.stride, self.inputs, self.outputs

    @property
    def text(self) -> str:
        """As the command line has it, and the batch."""
        return f"{','.join(map(str, self.numbers))} at batch {self.batch}"

    @property
    def macs(self) -> int:
        """Multiply-accumulates, those with padding included."""
        return (self.kernel * self.output) ** 2 * self.inputs * self.outputs * self.batch

    @property
    def error(self) -> Layer:
        """The error pass as a convolution: channels swapped, ``output·stride`` rows, stride 1.

        At stride 2 it is computed densely, with four times the MACs: the zeros between the errors
        are multiplied.
        """
        return Layer(
            self.kernel, self.output * self.stride, 1, self.outputs, self.inputs, self.batch
        )


@dataclass(frozen=True)
class Work:
    """One pass of ``layer``. ``bits`` of what it multiplies, row and column as
    `hw.contract.precision.Pass` has them: forward activations and weights, error errors and
    weights, gradient activations and errors."""

    layer: Layer
    pass_: Pass
    bits: tuple[int, int]

    def __post_init__(self) -> None:
        for each in self.bits:
            check_bits("bits", each)


@dataclass(frozen=True)
class Figures:
    """What a pass costs, modelled.

    macs : multiply-accumulates that the machine carries out, multiplied zeros of a dense error
        pass included
    cycles : of the machine's clock, ``stall_cycles`` of them without multiplications
    seconds : of the cycles at that clock
    dram_read_bits, dram_write_bits : between memory and machine
    joules : of machine and memory
    notes : what a reader has to know about these figures, each a sentence
    """

    macs: int
    cycles: int
    stall_cycles: int
    seconds: float
    dram_read_bits: int
    dram_write_bits: int
    joules: float
    notes: tuple[str, ...] = ()

    def __add__(self, other: Figures) -> Figures:
        """Of both, one after the other; each note once."""
        return Figures(
            self.macs + other.macs,
            self.cycles + other.cycles,
            self.stall_cycles + other.stall_cycles,
            self.seconds + other.seconds,
            self.dram_read_bits + other.dram_read_bits,
            self.dram_write_bits + other.dram_write_bits,
            self.joules + other.joules,
            tuple(dict.fromkeys(self.notes + other.notes)),
        )


class Machine(Protocol):
    """A machine with all its settings: a frozen value, so that answers can be kept by it."""

    @property
    def name(self) -> str:
        """As the command line has it."""

    def figures(self, work: Work) -> Figures:
        """What ``work`` costs. Raises `ParameterError` for what the machine cannot do."""

    def peak(self, bits: tuple[int, int]) -> float:
        """MACs a second of operands with these ``bits``, all multipliers busy."""

    @property
    def memory_bandwidth(self) -> float | None:
        """Bytes a second; None where memory is taken to keep up."""
