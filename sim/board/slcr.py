"""The system-level control registers that matter to the FPGA, as UG585 (appendix B.28) has them."""

from __future__ import annotations

from collections.abc import Collection

from fractrain.hw.targets.target import Clocks

__all__ = ["SLCR_ADDRESS", "SLCR_BYTES", "SlcrModel"]

SLCR_ADDRESS, SLCR_BYTES = 0xF800_0000, 0x1000
LOCK, UNLOCK, LOCK_STATE = 0x004, 0x008, 0x00C
ARM_PLL, DDR_PLL, IO_PLL = 0x100, 0x104, 0x108
CLOCK, GATE, RESET, SHIFTERS = 0x170, 0x178, 0x240, 0x900
SHIFTERS_ON, ALL_RESETS = 0xF, 0xF
UNREACHABLE = {ARM_PLL: 3, DDR_PLL: 1, IO_PLL: 1}


class SlcrModel:
    """Registers as words; registers without a model read 0 and ignore writes.

    ``clocks`` are the target's, as its boot loader leaves them. Linux has unlocked the registers;
    while they are locked, writes to all but the keys do nothing.
    """

    def __init__(
        self, clocks: Clocks, injected: Collection[str] = (), *, locked: bool = False
    ) -> None:
        self._clocks, self._injected = clocks, injected
        multipliers = {
            ARM_PLL: clocks.arm_multiplier,
            DDR_PLL: clocks.ddr_multiplier,
            IO_PLL: clocks.io_multiplier,
        }
        # with others, no PLL gives what the machine was made for
        fewer = UNREACHABLE if "fclk-unreachable" in injected else dict.fromkeys(multipliers, 0)
        self._words = {
            offset: (value - fewer[offset]) << 12 for offset, value in multipliers.items()
        } | {
            CLOCK: self._divided_to(clocks.boot_mhz),
            GATE: int("fclk-gated" in injected),
            RESET: ALL_RESETS,
            SHIFTERS: 0,
            LOCK_STATE: int(locked),
        }
        self.design_was_reset = False

    def read(self, index: int) -> int:
        return self._words.get(4 * index, 0)

    def write(self, index: int, value: int) -> None:
        offset = 4 * index
        if offset == UNLOCK and value == 0xDF0D:
            self._words[LOCK_STATE] = 0
        elif offset == LOCK and value == 0x767B:
            self._words[LOCK_STATE] = 1
        elif offset == CLOCK and "fclk-stuck" in self._injected:
            return
        elif offset in self._words and offset != LOCK_STATE and not self._words[LOCK_STATE]:
            if offset == RESET:
                # it takes effect at the edges of a running clock
                released = self._words[RESET] & ~value & 1
                self.design_was_reset |= bool(released) and not self._words[GATE] & 1
            self._words[offset] = value

    def close(self) -> None:
        """Nothing is held."""

    # -- its effect on the FPGA --------------------------------------------------------------

    def configured(self) -> None:
        """Set what Linux and U-Boot set once the FPGA is configured."""
        self._words[SHIFTERS] = 0xA if "level-shifters" in self._injected else SHIFTERS_ON
        self._words[RESET] = int("held-reset" in self._injected)

    def switched_by_linux(self, mhz: float) -> None:
        """FCLK0 by assigned-clock-rates of the device tree, while the design runs on it."""
        self._words[CLOCK] = self._divided_to(mhz)

    def _divided_to(self, mhz: float) -> int:
        """CLOCK for ``mhz`` of the IO PLL."""
        return 1 << 20 | round(self._clocks.io_pll_mhz / mhz) << 8

    def stopped_by_another(self) -> None:
        """Gate FCLK0, as another driver of Linux may."""
        self._words[GATE] = 1

    @property
    def clock_mhz(self) -> float:
        """FCLK0 by its dividers."""
        control = self._words[CLOCK]
        pll = (IO_PLL, IO_PLL, ARM_PLL, DDR_PLL)[control >> 4 & 3]
        ratio = (control >> 8 & 0x3F or 1) * (control >> 20 & 0x3F or 1)
        return self._clocks.oscillator_mhz * (self._words[pll] >> 12 & 0x7F) / ratio

    @property
    def obstacle(self) -> str:
        """Why the FPGA cannot answer; '' if it can."""
        if self._words[SHIFTERS] != SHIFTERS_ON:
            return "signals do not pass the level shifters"
        if self._words[GATE] & 1:
            return "FCLK0 is stopped"
        if self._words[RESET] & 1:
            return "the FPGA is held in reset"
        return ""
