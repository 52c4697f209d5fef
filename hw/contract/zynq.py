"""Where a Zynq-7000's software finds the accelerator: its registers, its interrupt.

The processing system's own addresses are those of AMD's UG585: M_AXI_GP0 is at 0x4000_0000, 1 GB
long, and IRQ_F2P[0] is interrupt 61 of its controller, the shared peripheral interrupt 29.
"""

from __future__ import annotations

from fractrain.hw.contract.registers import ADDRESS_BITS

__all__ = ["GP0_BYTES", "INTERRUPT_SPI", "REGISTERS_BASE", "REGISTERS_BYTES"]

REGISTERS_BASE = 0x4000_0000
"""First byte of the registers of `hw.contract.registers`."""
REGISTERS_BYTES = 4 << ADDRESS_BITS
"""Bytes of all registers; the rest of GP0 is answered with DECERR."""
GP0_BYTES = 1 << 30
"""The window of M_AXI_GP0."""
INTERRUPT_SPI = 29
"""The accelerator's interrupt, as a device tree counts: ``interrupts = <0 29 4>``."""
