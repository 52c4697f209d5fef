"""Common values of boards with a Zynq-7000; a board's file takes these or its own."""

from __future__ import annotations

from fractrain.hw.targets.target import Clocks, Energy, Memory, Ports, Primitives

__all__ = [
    "FAMILY",
    "PORTS",
    "REGISTERS_BASE",
    "SEVEN_SERIES",
    "clocks",
    "ddr3_1066",
    "energy",
]

FAMILY = "zynq"

REGISTERS_BASE = 0x4000_0000
"""The window of M_AXI_GP0 starts here (UG585)."""

PORTS = Ports(
    memory=4,
    accepted_bursts=8,
    write_buffer_beats=128,
    registers_address=REGISTERS_BASE,
    registers_window_bytes=1 << 30,
    interrupt=29,
)
"""Four AXI_HP ports, M_AXI_GP0, and IRQ_F2P[0]: interrupt 61 of the controller, the shared
peripheral interrupt 29 (UG585)."""

SEVEN_SERIES = Primitives(
    dots=("lut6", "inferred"),
    accumulators=("dsp48e1", "behavioural"),
    yosys_family="xc7",
    xray_database="zynq7",
)


def clocks(*, oscillator_mhz: float, io_multiplier: int) -> Clocks:
    """Clocks with the usual PLLs: 1333 MHz for the processors, 1067 MHz for DDR3-1066."""
    return Clocks(
        oscillator_mhz=oscillator_mhz,
        arm_multiplier=round(4000 / 3 / oscillator_mhz),
        ddr_multiplier=round(3200 / 3 / oscillator_mhz),
        io_multiplier=io_multiplier,
        largest_divider=63,  # six bits (UG585, FPGA0_CLK_CTRL)
        fastest_mhz=250,
        boot_mhz=50,  # mainline U-Boot's ps7_init
    )


def ddr3_1066(*, megabytes: int, bits: int = 32) -> Memory:
    """DDR3-1066 on ``bits`` data pins, with the parts of its peak that were measured at 32 bits.
    The latencies are assumed, not measured."""
    return Memory(
        bytes=megabytes << 20,
        peak_mbps=4264 * bits / 32,
        read_efficiency=0.97,
        write_efficiency=0.90,
        mixed_efficiency=0.87,
        read_nanoseconds=250,
        write_nanoseconds=150,
    )


def energy(*, device_static_watts: float, processor_watts: float, dram_idle_watts: float) -> Energy:
    """Energy constants with those of the 7-series fabric and of DDR3; docs/step_model.md derives
    each and says how uncertain it is."""
    return Energy(
        device_static_watts=device_static_watts,
        processor_watts=processor_watts,
        dram_idle_watts=dram_idle_watts,
        # 1.92 LUTs of the engine for each product, at 0.27 pJ per LUT and cycle in Qiu et al. (FPGA
        # 2016: 9.63 W on a ZC706 at 150 MHz with 182,616 LUTs, less what is static) and 0.37 to
        # 0.52 pJ in FINN (Umuroglu et al., FPGA 2017: 3.6 to 8.8 W of a ZC706's chip at 200 MHz
        # with 46,253 to 91,131 LUTs). That is 0.5 to 1.0 pJ; this is the geometric mean.
        joules_per_bit_product=0.7e-12,
        # The clock network, 14 of 60 + 16 + 14 % (Shang, Kaviani and Bathala, FPGA 2002, of
        # Virtex-II: routing, logic, clocks).
        clock_share=0.16,
        # By the method of Micron's TN-41-01 for MT41J256M8-15E at 1,333 MT/s: read (IDD4R - IDD3N)
        # * VDD = 186 pJ, write (IDD4W - IDD3N) * VDD = 236 pJ (255 and 300 mA), 55 pJ for a row
        # opened every 256 bytes, 75 pJ for pins and termination. Horowitz (ISSCC 2014) gives 160
        # to 330 pJ for DRAM, Malladi et al. (ISCA 2012) 560 pJ for DDR3 with its idle power.
        joules_per_byte=340e-12,
    )
