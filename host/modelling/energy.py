"""Energy of a training step: a model with published constants, not a measurement.

    joules = STATIC_WATTS · seconds
           + J · (CLOCK_SHARE · cycles + (1 − CLOCK_SHARE) · busy_cycles)
           + JOULES_PER_BYTE · bytes_moved

with ``J`` = `JOULES_PER_BIT_PRODUCT` · ``bit_products_per_cycle``, what the fabric takes in a cycle
in which the array multiplies. Counted are the FPGA, its processor system and the DDR3 devices; not
the regulators, the fan and whatever else is on the board. Nothing here can be validated before
there is a board: the absolute figures may be off by a factor of 1.5, ratios between steps depend
on the shares only. docs/step_model.md derives each constant and says how uncertain it is.
"""

from __future__ import annotations

from fractrain.hw.contract.parameters import Parameters

DEVICE_STATIC_WATTS = 0.22
"""Leakage of an XC7Z045, from Vivado's report_power of a routed design that fills 1 % of an
xc7z045ffg900-2 (typical process, junction at 28 °C): 0.219 W. It grows with temperature."""

PROCESSOR_WATTS = 1.57
"""The processor system with its DDR3 controller and pins, from the same report: 1.569 W."""

DRAM_IDLE_WATTS = 0.54
"""Four Micron MT41J256M8-15E (the ZC706's) with rows open and nothing to do: 4 · IDD3N · VDD with
IDD3N = 90 mA and VDD = 1.5 V (data sheet, as in DRAMSim2's DDR3_micron_32M_8B_x8_sg15.ini)."""

STATIC_WATTS = DEVICE_STATIC_WATTS + PROCESSOR_WATTS + DRAM_IDLE_WATTS
"""What is spent whatever the array does."""

JOULES_PER_BIT_PRODUCT = 0.7e-12
"""Fabric energy for each one-bit product that the array makes room for, everything around the
array included: 1.92 LUTs of the engine, at 0.27 pJ per LUT and cycle in Qiu et al. (FPGA 2016:
9.63 W on a ZC706 at 150 MHz with 182,616 LUTs, less `STATIC_WATTS`) and 0.37 to 0.52 pJ in FINN
(Umuroglu et al., FPGA 2017: 3.6 to 8.8 W of a ZC706's chip at 200 MHz with 46,253 to 91,131 LUTs).
That is 0.5 to 1.0 pJ; this is the geometric mean."""

CLOCK_SHARE = 0.16
"""Part of the fabric's energy that is spent in every cycle, busy or not: the clock network, 14 of
60 + 16 + 14 % (Shang, Kaviani and Bathala, FPGA 2002, of Virtex-II: routing, logic, clocks)."""

JOULES_PER_BYTE = 340e-12
"""Of a byte that a DDR3 device reads or writes, by the method of Micron's TN-41-01 for the devices
above at 1,333 MT/s: read (IDD4R − IDD3N) · VDD = 186 pJ, write (IDD4W − IDD3N) · VDD = 236 pJ (255
and 300 mA), 55 pJ for a row opened every 256 bytes, 75 pJ for pins and termination. Horowitz (ISSCC
2014) gives 160 to 330 pJ for DRAM, Malladi et al. (ISCA 2012) 560 pJ for DDR3 with its idle
power."""


def joules(parameters: Parameters, cycles: float, busy_cycles: float, bytes_moved: float) -> float:
    """Modelled energy of ``cycles``, in ``busy_cycles`` of which the array multiplies."""
    seconds = cycles / (parameters.clock_mhz * 1e6)
    per_cycle = JOULES_PER_BIT_PRODUCT * parameters.bit_products_per_cycle
    fabric = CLOCK_SHARE * cycles + (1 - CLOCK_SHARE) * busy_cycles
    return STATIC_WATTS * seconds + per_cycle * fabric + JOULES_PER_BYTE * bytes_moved
