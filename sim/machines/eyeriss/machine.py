"""Eyeriss as a machine: the mapping and blocking with the least energy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Pass
from fractrain.sim.machines.eyeriss.blocking import accesses, best_blocking
from fractrain.sim.machines.eyeriss.row_stationary import all_passes
from fractrain.sim.machines.work import Figures, Layer, Work

WORD_BITS = 16
"""Of every operand and sum: Eyeriss has one precision."""

MAC_PICOJOULES = 3.2
"""Of a multiplication and of a word of a register file, as Bit Fusion's authors convert."""

FIXED = "Eyeriss computes with 16 bits, whatever the bits asked for"


@dataclass(frozen=True)
class EyerissFigures(Figures):
    """`Figures`, and words of 16 bits that move at each level: ``dram_words``, ``buffer_words``
    between global buffer and array, ``array_words`` to and from PEs, ``register_words``."""

    dram_words: int = 0
    buffer_words: int = 0
    array_words: int = 0
    register_words: int = 0


@dataclass(frozen=True)
class Eyeriss:
    """Eyeriss with ``height`` × ``width`` PEs; the defaults are those of the golden rows.

        cycles = fold · K · O for each pass through the array
        joules = 3.2 pJ · (MACs + registers + 2 · array + 6 · buffer) + e · 16 · DRAM

    with words at each level, 4 words of registers a MAC, and ``dram_picojoules`` (e) a DRAM bit.
    Cycles are those of the array: memory is taken to keep up, so there are no stalls.

    height, width, clock_mhz : free choices; the rebuttal has no sizes and no clock
    buffer_words, register_words : the global buffer; a PE's registers
    dram_picojoules : 15 as Bit Fusion has, the reading of "the same unit energy"; Bit Fusion's
        authors have 6 for Eyeriss (0.15 of the 200 that the search uses). A free choice
    copies : see `row_stationary.all_passes`; with it the golden rows are exact, nn_dataflow 2.1
        is without

    The passes are three convolutions: the error pass is `Layer.error`; the gradient has the errors
    as filters of output × output taps, the images as input channels and the input channels as
    batch, at stride 1.
    """

    height: int = 16
    width: int = 16
    clock_mhz: float = 500.0
    buffer_words: int = 64 * 1024
    register_words: int = 256
    dram_picojoules: float = 15.0
    copies: bool = True

    @property
    def name(self) -> str:
        return "eyeriss"

    def peak(self, bits: tuple[int, int]) -> float:
        """MACs a second, whatever the bits."""
        return self.height * self.width * self.clock_mhz * 1e6

    @property
    def memory_bandwidth(self) -> None:
        """Memory is taken to keep up."""
        return None

    def figures(self, work: Work) -> EyerissFigures:
        """Raises `ParameterError` for operands above 16 bits, and for layers of which one pass
        needs more memory than there is."""
        if max(work.bits) > WORD_BITS:
            raise ParameterError("bits", work.bits, f"at most {WORD_BITS} bits on Eyeriss")
        return _best(self, as_convolution(work))


def as_convolution(work: Work) -> Layer:
    """The convolution that carries out a pass."""
    layer = work.layer
    if work.pass_ is Pass.FORWARD:
        return layer
    if work.pass_ is Pass.ERROR:
        return layer.error
    return Layer(layer.output, layer.kernel, 1, layer.batch, layer.outputs, layer.inputs)


@lru_cache(maxsize=4096)
def _best(machine: Eyeriss, layer: Layer) -> EyerissFigures:
    found = [
        (best_blocking(each, machine.buffer_words, machine.register_words), each)
        for each in all_passes(layer, machine.height, machine.width, copies=machine.copies)
    ]
    blocking, passes = min(found, key=lambda each: each[0].cost)
    dram = _total(passes.dram_words, accesses(blocking.dram_fetches))
    written = passes.dram_words[2] * blocking.dram_fetches[2]
    near = accesses(blocking.buffer_fetches)
    buffer, array = _total(passes.buffer_words, near), _total(passes.array_words, near)
    registers = 4 * layer.macs
    on_chip = MAC_PICOJOULES * (layer.macs + registers + 2 * array + 6 * buffer)
    return EyerissFigures(
        macs=layer.macs,
        cycles=passes.cycles,
        stall_cycles=0,
        seconds=passes.cycles / (machine.clock_mhz * 1e6),
        dram_read_bits=(dram - written) * WORD_BITS,
        dram_write_bits=written * WORD_BITS,
        joules=1e-12 * (on_chip + machine.dram_picojoules * WORD_BITS * dram),
        notes=(FIXED,),
        dram_words=dram,
        buffer_words=buffer,
        array_words=array,
        register_words=registers,
    )


def _total(words: tuple[int, int, int], times: tuple[int, int, int]) -> int:
    return sum(each * count for each, count in zip(words, times, strict=True))
