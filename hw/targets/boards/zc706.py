"""AMD's ZC706: XC7Z045, 1 GB of DDR3."""

from __future__ import annotations

from fractrain.hw.targets import zynq
from fractrain.hw.targets.target import Linux, Part, ProcessingSystem, Target

__all__ = ["TARGET"]

TARGET = Target(
    name="zc706",
    title="ZC706",
    family=zynq.FAMILY,
    part=Part(  # AMD DS190
        name="xc7z045ffg900-2",
        device="XC7Z045",
        luts=218_600,
        flip_flops=437_200,
        dsps=900,
        bram36=545,
        memory_luts=70_400,
        licensed=True,
    ),
    clocks=zynq.clocks(oscillator_mhz=100 / 3, io_multiplier=30),
    memory=zynq.ddr3_1066(megabytes=1024),  # UG954
    ports=zynq.PORTS,
    processing_system=ProcessingSystem(preset="ZC706"),
    primitives=zynq.SEVEN_SERIES,
    energy=zynq.energy(
        # Vivado's report_power of a routed design that fills 1 % of an xc7z045ffg900-2 (typical
        # process, junction at 28 degrees Celsius): 0.219 W, which grows with temperature, and
        # 1.569 W of the processing system.
        device_static_watts=0.22,
        processor_watts=1.57,
        # Four Micron MT41J256M8-15E: 4 * IDD3N * VDD with IDD3N = 90 mA and VDD = 1.5 V (data
        # sheet, as in DRAMSim2's DDR3_micron_32M_8B_x8_sg15.ini).
        dram_idle_watts=0.54,
    ),
    linux=Linux(device_tree="zynq-zc706", boot_loader_tree="zynq-zc706", console="ttyPS0"),
)
