"""Arrays of DSP48E1 multipliers: the recursive design after EDD, and packed multipliers.

EDD (Y. Li et al., EDD: Efficient Differentiable DNN Architecture and Implementation Co-search for
Embedded AI Solutions, DAC 2020, arXiv 2005.02563) calls a design *recursive* if one computing
block serves all layers. The authors of FracTrain built theirs for the ZC706 after it: one
bit-parallel array for all layers and precisions. A DSP48E1 has a 25 × 18 multiplier, into which
narrow products are packed side by side; how many is what such a design gains from few bits.
"""

from __future__ import annotations

from dataclasses import dataclass

from fractrain.hw.contract.precision import Pass
from fractrain.hw.targets.boards.zc706 import TARGET
from fractrain.sim.machines.work import Figures, Work

__all__ = ["DOUBLE_PUMPED_DSP", "PACKED_DSP", "RECURSIVE_DSP", "DspArray"]

RESULT_BITS = {Pass.FORWARD: 16, Pass.ERROR: 16, Pass.GRADIENT: 32}
"""Of a result in memory: as our machine writes them (y and E of 16 bits, docs/numerics.md)."""

QIU_JOULES = (9.63 - 2.33) / (150e6 * 780)
"""Of a DSP48E1 in a cycle, with all the logic that feeds it: 62 pJ. J. Qiu et al., Going Deeper
with Embedded FPGA Platform for Convolutional Neural Network, FPGA 2016: 9.63 W at 150 MHz with 780
DSPs on the ZC706's device, less the static power of docs/step_model.md. Clock and DSPs as notes on
the paper in a public repository have them, with its 182,616 LUTs; the paper itself was not seen."""


@dataclass(frozen=True)
class DspArray:
    """``dsps`` multipliers, all busy all the time, whatever the layer: an upper bound.

        cycles  = ⌈MACs / (dsps · pump · packed)⌉       if memory keeps up, else
                  ⌈bits moved / dram_bits_per_cycle⌉    if that is more
        joules  = static · seconds + joules_per_dsp_cycle · dsps · pump · busy cycles
                  + joules_per_byte · bytes moved

    Operands are read once, with as many bits as they are multiplied with, results are written
    once. Error passes are taken to multiply no zeros. Static power, DDR and the number of DSPs are
    the ZC706's (docs/step_model.md).

    label : its name on the command line
    packing : products a DSP makes in a cycle: of two operands of up to 4 bits; of up to 4 and up
        to 8; of up to 8. Wider ones: one, as its multiplier is 25 × 18. Free choices: nothing is
        published of the authors' design
    dsps : a free choice, all that the part has
    clock_mhz, pump : of the logic, and clocks of the DSPs in one of these; free choices
    dram_bits_per_cycle : between memory and array; None, a free choice, is as much as it takes
    joules_per_dsp_cycle : the same whatever is packed into the multiplication
    """

    label: str
    packing: tuple[int, int, int]
    pump: int = 1
    dsps: int = TARGET.part.dsps
    clock_mhz: float = 200.0
    dram_bits_per_cycle: float | None = None
    joules_per_dsp_cycle: float = QIU_JOULES

    @property
    def name(self) -> str:
        return self.label

    def packed(self, bits: tuple[int, int]) -> int:
        """Products of operands of these ``bits`` that a DSP makes in a cycle."""
        narrow, wide = sorted(bits)
        if wide > 8:
            return 1
        return self.packing[(narrow > 4) + (wide > 4)]

    def peak(self, bits: tuple[int, int]) -> float:
        """MACs a second."""
        return self.dsps * self.pump * self.packed(bits) * self.clock_mhz * 1e6

    @property
    def memory_bandwidth(self) -> float | None:
        """Bytes a second, if limited."""
        bits = self.dram_bits_per_cycle
        return None if bits is None else bits / 8 * self.clock_mhz * 1e6

    def figures(self, work: Work) -> Figures:
        """No pass is refused."""
        macs, (read, written) = work.layer.macs, _moved(work)
        products = self.dsps * self.pump * self.packed(work.bits)
        busy = -(-macs // products)
        waiting = 0
        if self.dram_bits_per_cycle is not None:
            waiting = max(0, int(-(-(read + written) // self.dram_bits_per_cycle)) - busy)
        seconds = (busy + waiting) / (self.clock_mhz * 1e6)
        energy = TARGET.energy
        joules = energy.static_watts * seconds + energy.joules_per_byte * (read + written) / 8
        joules += self.joules_per_dsp_cycle * self.dsps * self.pump * busy
        return Figures(
            macs=macs,
            cycles=busy + waiting,
            stall_cycles=waiting,
            seconds=seconds,
            dram_read_bits=read,
            dram_write_bits=written,
            joules=joules,
        )


RECURSIVE_DSP = DspArray("recursive-dsp", packing=(4, 3, 2))
"""4 × 4 bits → 4, 4 × 8 → 3, 8 × 8 → 2. A hypothesis: with candidates (3|4, 4, 6|8) it saves 38.9 %
of the time of FW8/BW8, near the 34.9 and 36.6 % that the authors published of their design."""

PACKED_DSP = DspArray("packed-dsp", packing=(4, 2, 2))
"""The rival at one clock: operands of 4 bits in fours, all others in pairs."""

DOUBLE_PUMPED_DSP = DspArray("double-pumped-dsp", packing=(4, 2, 2), pump=2)
"""The same with DSPs at 400 MHz, twice the clock of the logic."""


def _moved(work: Work) -> tuple[int, int]:
    """Bits read and written: each tensor once."""
    layer, pass_ = work.layer, work.pass_
    rows = layer.output * layer.stride  # of the input, without its padding
    maps = layer.batch * rows**2 * layer.inputs
    weights = layer.kernel**2 * layer.inputs * layer.outputs
    results = layer.batch * layer.output**2 * layer.outputs
    row, column = work.bits
    read, written = {
        Pass.FORWARD: (maps * row + weights * column, results),
        Pass.ERROR: (results * row + weights * column, maps),
        Pass.GRADIENT: (maps * row + results * column, weights),
    }[pass_]
    return read, written * RESULT_BITS[pass_]
