"""Avnet's and Digilent's ZedBoard: XC7Z020, 512 MB of DDR3.

The core has not run on one. Facts marked (M) are from memory, not from a document.
"""

from __future__ import annotations

from fractrain.hw.targets import zynq
from fractrain.hw.targets.target import Linux, Part, ProcessingSystem, Target

__all__ = ["TARGET"]

TARGET = Target(
    name="zedboard",
    title="ZedBoard",
    family=zynq.FAMILY,
    part=Part(
        name="xc7z020clg484-1",
        device="XC7Z020",
        luts=53_200,  # AMD DS190, and so the next four
        flip_flops=106_400,
        dsps=220,
        bram36=140,
        memory_luts=17_400,
        licensed=False,  # (M) Vivado's free edition covers it
    ),
    # PS_CLK and IO PLL; the other two PLLs (M).
    clocks=zynq.clocks(oscillator_mhz=100 / 3, io_multiplier=30),
    memory=zynq.ddr3_1066(megabytes=512),  # zynq-zed.dts; its rate and its 32 bits (M)
    ports=zynq.PORTS,
    processing_system=ProcessingSystem(preset="ZedBoard"),
    primitives=zynq.SEVEN_SERIES,
    energy=zynq.energy(
        # (M) What report_power usually says of small designs on this part.
        device_static_watts=0.13,
        processor_watts=1.53,
        # (M) Two devices of 16 bits, each taken to need 90 mA at 1.5 V with rows open.
        dram_idle_watts=0.27,
    ),
    linux=Linux(device_tree="zynq-zed", boot_loader_tree="zynq-zed", console="ttyPS0"),
)
