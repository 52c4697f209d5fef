"""The FPGA's clock FCLK_CLK0: read, check and set before the first register access.

An access to the FPGA is never answered while its clock stands, its reset is held or its signals are
isolated. The processor then waits for ever, and no timeout in software helps. So the driver first
asks the registers of the processor system, which always answer.

Registers of the SLCR (UG585, appendix B.28; as Linux uses them in ``drivers/clk/zynq/clkc.c``,
``drivers/fpga/zynq-fpga.c`` and ``arch/arm/mach-zynq/slcr.c``):

    0x004 SLCR_LOCK, 0x008 SLCR_UNLOCK    keys; 0x00C SLCR_LOCKSTA: 1 while writes are ignored.
                                          Linux unlocks it at boot and relies on that; the driver
                                          leaves it as it is
    0x100, 0x104, 0x108                   ARM, DDR and IO PLL: FDIV[18:12], bypass [4]
    0x170 FPGA0_CLK_CTRL                  source [5:4] (0, 1: IO; 2: ARM; 3: DDR PLL),
                                          dividers [13:8] and [25:20]
    0x178 FPGA0_THR_CNT                   bit 0: 1 stops FCLK0 (Linux gates it with this bit)
    0x240 FPGA_RST_CTRL                   bit 0: FCLK_RESET0_N is low
    0x900 LVL_SHFTR_EN                    0xF: signals pass both ways; Linux and U-Boot set it once
                                          the FPGA is configured, before that it is not
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from fractrain.host.board.system import MappedWords, System
from fractrain.hw.contract.errors import DataError, MachineError, ParameterError

__all__ = [
    "SHIFTERS_ON",
    "SLCR_ADDRESS",
    "SLCR_SIZE",
    "ClockChanged",
    "ClockState",
    "Slcr",
    "ps_clock_mhz",
    "set_clock",
    "stop_clock",
]

SLCR_ADDRESS = 0xF800_0000
SLCR_SIZE = 0x1000
LOCK, UNLOCK, LOCK_STATE = 0x004, 0x008, 0x00C
LOCK_KEY, UNLOCK_KEY = 0x767B, 0xDF0D
PLL = {"ARM": 0x100, "DDR": 0x104, "IO": 0x108}
CLOCK_CONTROL, CLOCK_GATE, RESET_CONTROL, LEVEL_SHIFTERS = 0x170, 0x178, 0x240, 0x900
SOURCES = ("IO", "IO", "ARM", "DDR")
SOURCE_CODE: Mapping[str, int] = {"IO": 0, "ARM": 2, "DDR": 3}
LARGEST_DIVIDER = 63
CELL_BYTES = 4
SHIFTERS_ON = 0xF

PS_CLOCK_PROPERTY = "/proc/device-tree/*/slcr@f8000000/clkc@100/ps-clk-frequency"
"""The oscillator at PS_CLK in the device tree, in Hz (33.333 MHz on many boards, 50 MHz on some).
Linux's ``clkc.c`` reads the same property, and guesses where it is missing."""

TOLERANCE = 1e-3
"""Relative tolerance: far below the next divider, far above rounding of figures."""

SETTLE_SECONDS = 1e-3
"""Pause after switching the clock, for it and the reset synchronizer behind it."""


@dataclass(frozen=True)
class ClockState:
    """FCLK0 by its registers; ``mhz`` is its frequency while it is not ``stopped``."""

    source: str
    pll_mhz: float
    dividers: tuple[int, int]
    stopped: bool
    in_reset: bool
    level_shifters: int

    @property
    def mhz(self) -> float:
        return self.pll_mhz / (self.dividers[0] * self.dividers[1])

    def runs_at(self, wanted_mhz: float) -> bool:
        """It runs, at that frequency."""
        return not self.stopped and abs(self.mhz / wanted_mhz - 1) <= TOLERANCE

    def lets_through(self, wanted_mhz: float) -> bool:
        """Whether a design for that frequency answers accesses, if it is in the FPGA."""
        configured = self.level_shifters == SHIFTERS_ON
        return configured and not self.in_reset and self.runs_at(wanted_mhz)

    @property
    def frequency(self) -> str:
        """In words, with where it comes from."""
        first, second = self.dividers
        return f"{self.mhz:.4g} MHz ({self.source} PLL {self.pll_mhz:.4g} MHz / {first} / {second})"

    def __str__(self) -> str:
        return f"stopped, set to {self.frequency}" if self.stopped else self.frequency


class ClockChanged(MachineError):
    """FCLK0 differs from the driver's setting."""


def ps_clock_mhz(system: System) -> float:
    """The oscillator at PS_CLK, the source of every other clock, by the device tree.

    Raises `DataError` if the tree does not say: with a wrong assumption the FPGA would run at a
    multiple of its frequency.
    """
    found = system.glob(PS_CLOCK_PROPERTY)
    content = b""
    if found:
        try:
            content = system.read_bytes(found[0])
        except OSError as error:
            raise DataError(f"cannot read {found[0]}: {error.strerror}") from error
    hertz = int.from_bytes(content, "big")
    if len(content) != CELL_BYTES or not hertz:
        what = "has a damaged" if found else "has no"
        raise DataError(
            f"the device tree {what} ps-clk-frequency at its clkc@100, by which FCLK0 is known: "
            "boot with that of the board (mainline's have &clkc { ps-clk-frequency = "
            "<33333333>; } or another)"
        )
    return hertz / 1e6


class Slcr:
    """The system-level control registers, by byte offset; ``ps_mhz`` as `ps_clock_mhz` gives it."""

    def __init__(self, words: MappedWords, ps_mhz: float) -> None:
        self._words, self._ps_mhz = words, ps_mhz

    def read(self, offset: int) -> int:
        return self._words.read(offset // 4)

    def change(self, offset: int, mask: int, value: int) -> None:
        """Set the bits ``mask`` of a register to those of ``value``; `MachineError` if they do not
        take the values."""
        wanted = self.read(offset) & ~mask | value & mask
        with self._unlocked():
            self._words.write(offset // 4, wanted)
        found = self.read(offset)
        if (found ^ wanted) & mask:
            raise MachineError(
                f"SLCR register 0x{SLCR_ADDRESS + offset:08X} was written 0x{wanted:08X} and reads "
                f"0x{found:08X}: it does not take the write; Linux must run in the secure world, "
                "and nothing else may hold these registers"
            )

    @contextmanager
    def _unlocked(self) -> Iterator[None]:
        locked = self.read(LOCK_STATE) & 1
        if locked:
            self._words.write(UNLOCK // 4, UNLOCK_KEY)
        try:
            yield
        finally:
            if locked:
                self._words.write(LOCK // 4, LOCK_KEY)

    def pll_mhz(self, name: str) -> float:
        """The output of a PLL: PS_CLK times FDIV, or PS_CLK if it is bypassed."""
        control = self.read(PLL[name])
        bypassed = control >> 4 & 1
        return self._ps_mhz * (1 if bypassed else control >> 12 & 0x7F)

    def clock(self) -> ClockState:
        """FCLK0 as it is now."""
        control = self.read(CLOCK_CONTROL)
        source = SOURCES[control >> 4 & 3]
        return ClockState(
            source,
            self.pll_mhz(source),
            # a divider of 0 does not divide
            (max(1, control >> 8 & 0x3F), max(1, control >> 20 & 0x3F)),
            bool(self.read(CLOCK_GATE) & 1),
            bool(self.read(RESET_CONTROL) & 1),
            self.read(LEVEL_SHIFTERS) & 0xF,
        )


def set_clock(
    system: System, slcr: Slcr, wanted_mhz: float, *, reset_once: bool = False
) -> list[str]:
    """Make FCLK0 run at ``wanted_mhz`` with its reset released; returns what was found and done, in
    words.

    ``reset_once``: reset the design even if the clock is right. Needed if others may have changed
    the clock: Linux changes dividers of a running clock (assigned-clock-rates), and pulses may have
    been too short for the design's flip-flops.

    Raises `ParameterError` if no PLL can give that frequency, `MachineError` if the FPGA is not
    configured or the registers do not accept a write.
    """
    found = slcr.clock()
    if found.level_shifters != SHIFTERS_ON:
        raise MachineError(
            f"the FPGA is not configured: LVL_SHFTR_EN reads 0x{found.level_shifters:X}, signals "
            "between processor and FPGA pass at 0xF only; load the bitstream (fractrain board "
            "load, or fpga loadb in U-Boot)"
        )
    done = [f"was {found}"]
    if not found.runs_at(wanted_mhz):
        if abs(found.mhz / wanted_mhz - 1) > TOLERANCE:
            _switch(system, slcr, wanted_mhz, found.source)
            done.append(f"set to {slcr.clock().frequency}")
        if found.stopped:
            slcr.change(CLOCK_GATE, 1, 0)
            done.append(
                "it was gated (FPGA0_THR_CNT bit 0) and is enabled now; fclk-enable in the device "
                "tree keeps Linux from stopping it"
            )
        system.sleep(SETTLE_SECONDS)
    in_reset = slcr.clock().in_reset
    if reset_once and not in_reset:
        slcr.change(RESET_CONTROL, 1, 1)
        system.sleep(SETTLE_SECONDS)
        done.append("reset once, as it is not known what clock the FPGA has had until now")
    if reset_once or in_reset:
        slcr.change(RESET_CONTROL, 1, 0)
        system.sleep(SETTLE_SECONDS)
        if found.in_reset:
            done.append("its reset was held (FPGA_RST_CTRL bit 0) and is released now")
    return done


def stop_clock(slcr: Slcr) -> None:
    """Stop FCLK0: no access to the FPGA may be made until `set_clock`."""
    slcr.change(CLOCK_GATE, 1, 1)


def _switch(system: System, slcr: Slcr, wanted_mhz: float, source: str) -> None:
    """Change dividers with the clock stopped and the FPGA in reset: a changing divider may give
    pulses too short for the logic behind it."""
    chosen, dividers = _dividers(slcr, wanted_mhz, source)
    stopped = slcr.read(CLOCK_GATE) & 1
    try:
        _divide(slcr, chosen, dividers)
        if not stopped:
            slcr.change(CLOCK_GATE, 1, 0)
    except MachineError as error:
        raise MachineError(f"{error}; {_how_it_is_left(slcr.clock())}") from error
    system.sleep(SETTLE_SECONDS)


def _divide(slcr: Slcr, chosen: str, dividers: tuple[int, int]) -> None:
    slcr.change(RESET_CONTROL, 1, 1)
    slcr.change(CLOCK_GATE, 1, 1)
    slcr.change(
        CLOCK_CONTROL,
        3 << 4 | 0x3F << 8 | 0x3F << 20,
        SOURCE_CODE[chosen] << 4 | dividers[0] << 8 | dividers[1] << 20,
    )


def _how_it_is_left(clock: ClockState) -> str:
    """The state after a change that failed half way."""
    left = "FCLK0 is stopped now" if clock.stopped else "FCLK0 has not been stopped"
    left += " and the FPGA held in reset" if clock.in_reset else ""
    return f"{left}; nothing may access it until `fractrain board load` has succeeded"


def _dividers(slcr: Slcr, wanted_mhz: float, source: str) -> tuple[str, tuple[int, int]]:
    """A PLL, the present one if it can, and two dividers that make ``wanted_mhz`` of it."""
    rates = {name: slcr.pll_mhz(name) for name in (source, "IO", "ARM", "DDR")}
    for name, rate in rates.items():
        ratio = max(1, round(rate / wanted_mhz))
        if abs(rate / ratio / wanted_mhz - 1) > TOLERANCE:
            continue
        for first in range(min(ratio, LARGEST_DIVIDER), 0, -1):
            if ratio % first == 0 and ratio // first <= LARGEST_DIVIDER:
                return name, (first, ratio // first)
    nearest = ", ".join(
        f"{name} PLL {rate:.4g} MHz / {max(1, round(rate / wanted_mhz))} = "
        f"{rate / max(1, round(rate / wanted_mhz)):.4g} MHz"
        for name, rate in rates.items()
    )
    raise ParameterError(
        "FCLK0 in MHz",
        wanted_mhz,
        f"what a PLL divided by whole numbers gives; nearest are {nearest}",
        hint="the boot loader must set the IO PLL to what the machine was made for, as U-Boot does",
    )
