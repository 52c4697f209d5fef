"""What a target is: everything about a board that the core on it does not decide.

A machine is a *core* (array, buffers, queues: the configuration) on a *target*. The configuration
names its target; facts about the board come from ``parameters.target``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "Clocks",
    "Energy",
    "Linux",
    "Memory",
    "Part",
    "Ports",
    "Primitives",
    "ProcessingSystem",
    "Target",
]

DECIMALS = 3
"""Of a clock in MHz, as a configuration gives it: enough to tell all possible ones apart."""


@dataclass(frozen=True)
class Part:
    """The FPGA: its ordering name, and what it has.

    memory_luts : of the LUTs, those that can be memory
    licensed : Vivado needs a licence for it, as its free edition does not cover it
    """

    name: str
    device: str
    luts: int
    flip_flops: int
    dsps: int
    bram36: int
    memory_luts: int
    licensed: bool

    @property
    def device_and_package(self) -> str:
        """The part without vendor prefix and speed grade, as .bit files of Vivado name it."""
        return self.name.removeprefix("xc").partition("-")[0]


@dataclass(frozen=True)
class Clocks:
    """The processing system's clocks, as the boot loader leaves them, and FCLK0 behind them.

        PLL in MHz = oscillator_mhz * multiplier,    FCLK0 = IO PLL / (divider * divider)

    oscillator_mhz : at PS_CLK. The driver reads the device tree's instead; this one is the
        simulated board's
    largest_divider : of each of the two dividers
    fastest_mhz : the fastest FCLK0 that the processing system's configuration takes
    boot_mhz : FCLK0 as the boot loader leaves it
    """

    oscillator_mhz: float
    arm_multiplier: int
    ddr_multiplier: int
    io_multiplier: int
    largest_divider: int
    fastest_mhz: float
    boot_mhz: float

    @property
    def io_pll_mhz(self) -> float:
        return round(self.oscillator_mhz * self.io_multiplier, DECIMALS)

    def possible(self, mhz: float) -> bool:
        """Whether FCLK0 can run at ``mhz``, given to the kHz (166.667)."""
        return mhz <= self.fastest_mhz and round(mhz, DECIMALS) in self._fclk0()

    def nearest(self, mhz: float) -> Sequence[float]:
        """The nearest possible clocks below and above ``mhz``, as far as there are any."""
        possible = self._fclk0()
        below = [each for each in possible if each < mhz][-1:]
        return below + [each for each in possible if each > mhz][:1]

    def _fclk0(self) -> list[float]:
        """Every possible clock, rising, from 1 MHz."""
        pll, dividers = self.io_pll_mhz, range(1, self.largest_divider + 1)
        divisions = {first * second for first in dividers for second in dividers}
        clocks = {round(pll / each, DECIMALS) for each in divisions}
        return sorted(each for each in clocks if 1 <= each <= self.fastest_mhz)


@dataclass(frozen=True)
class Memory:
    """The processing system's DDR, from address 0, as its ports see it.

    peak_mbps : MB/s (10**6 bytes)
    read_, write_, mixed_efficiency : parts of the peak that streams reach
    read_nanoseconds : from an address at a port to its first beat
    write_nanoseconds : from the last beat of a write to its answer
    """

    bytes: int
    peak_mbps: float
    read_efficiency: float
    write_efficiency: float
    mixed_efficiency: float
    read_nanoseconds: float
    write_nanoseconds: float


@dataclass(frozen=True)
class Ports:
    """How the core is connected: memory ports, the registers' window, the interrupt.

    memory : ports to memory, of 64 bits each
    accepted_bursts, write_buffer_beats : a port takes so many before its master waits
    registers_address, registers_window_bytes : where software finds the core
    interrupt : as a device tree counts, ``interrupts = <0 interrupt 4>``
    """

    memory: int
    accepted_bursts: int
    write_buffer_beats: int
    registers_address: int
    registers_window_bytes: int
    interrupt: int


@dataclass(frozen=True)
class ProcessingSystem:
    """How Vivado's block design sets up the processing system: memory timing, clocks, pins.

    preset : one that comes with the IP (``CONFIG.preset``), or "" if it has none for the board
    settings : (property without ``CONFIG.``, value) that are set after the preset; without one,
        everything that the board's own preset.xml sets
    """

    preset: str = ""
    settings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Primitives:
    """The cells of the FPGA's family, by the names that configurations and tools have for them.

    dots, accumulators : what ``array.dot`` and ``array.accumulator`` may be
    yosys_family : of ``synth_xilinx -family``
    xray_database : the part's folder in Project X-Ray's database
    """

    dots: tuple[str, ...]
    accumulators: tuple[str, ...]
    yosys_family: str
    xray_database: str


@dataclass(frozen=True)
class Energy:
    """Constants of the energy model (`host.modelling.energy`); published, none is measured.

    device_static_watts : leakage of the FPGA
    processor_watts : the processing system with its memory controller and pins
    dram_idle_watts : the memory devices with rows open and nothing to do
    joules_per_bit_product : fabric energy for each one-bit product the array makes room for,
        everything around the array included
    clock_share : part of the fabric's energy that every cycle takes, busy or not
    joules_per_byte : of a byte that a memory device reads or writes
    """

    device_static_watts: float
    processor_watts: float
    dram_idle_watts: float
    joules_per_bit_product: float
    clock_share: float
    joules_per_byte: float

    @property
    def static_watts(self) -> float:
        """Spent at any activity of the array."""
        return self.device_static_watts + self.processor_watts + self.dram_idle_watts


@dataclass(frozen=True)
class Linux:
    """Names of the board in Linux and its boot loader; "": there is none in mainline.

    device_tree : the kernel's, without ``.dts``
    boot_loader_tree : DEVICE_TREE of U-Boot's configuration ``xilinx_zynq_virt``
    console : the serial port of the kernel's argument ``console=``
    """

    device_tree: str
    boot_loader_tree: str
    console: str


@dataclass(frozen=True)
class Target:
    """A board.

    name : as configurations, files and folders have it
    title : as people have it
    family : the folder below ``constraints`` and ``board`` with what it shares with others; its
        own files are in the folders called ``name``
    """

    name: str
    title: str
    family: str
    part: Part
    clocks: Clocks
    memory: Memory
    ports: Ports
    processing_system: ProcessingSystem
    primitives: Primitives
    energy: Energy
    linux: Linux

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"<target {self.name}>"
