"""What can be wrong with a simulated board, by name."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["INJECTIONS", "MENDED"]

INJECTIONS: Mapping[str, str] = {
    "no-bitstream": "nothing is installed",
    "damaged-bitstream": "the .bin is not the manifest's",
    "no-uio": "the module uio_pdrv_genirq is not loaded",
    "other-uio": "a UIO device, but not the one of our device tree",
    "permission-uio": "no right to open /dev/uio0",
    "busy": "another process has the device",
    "no-fpga-manager": "no FPGA manager, and nothing is configured",
    "mainline": "mainline Linux: U-Boot has loaded the bitstream, Linux cannot, and has switched "
    "FCLK0 to the right frequency under the design",
    "mainline-empty": "mainline Linux, and U-Boot has loaded nothing",
    "permission-fpga-manager": "no right to load a bitstream",
    "fpga-manager-error": "the FPGA manager refuses the file",
    "level-shifters": "signals between processor and FPGA stay isolated",
    "permission-mem": "no right to open /dev/mem",
    "no-ps-clock": "the device tree does not say what oscillator is at PS_CLK",
    "fclk-gated": "Linux has stopped FCLK0",
    "fclk-stuck": "FCLK0's register does not take what is written",
    "fclk-unreachable": "no PLL gives the wanted frequency",
    "held-reset": "the FPGA's reset is held",
    "wrong-id": "another design answers",
    "wrong-hash": "another build of ours answers",
    "stuck-bit": "a bit of a register is always 0",
    "no-udmabuf": "the module u-dma-buf is not loaded",
    "permission-udmabuf": "no right to open the buffer",
    "permission-sync": "no right to write back the caches",
    "short-buffer": "the buffer has 8 KB",
    "no-interrupt": "the interrupt does not arrive",
    "no-uio-interrupt": "the device tree gives the device no interrupt",
    "axi-error": "reads of the buffer are answered with an error",
    "axi-write-error": "writes to the buffer are answered with an error",
    "stuck-memory": "memory does not answer any more",
    "unwritten-caches": "sync_for_device does nothing",
    "stale-caches": "sync_for_cpu does nothing",
    "half-written-caches": "sync_for_device covers half of what it is told",
    "half-stale-caches": "sync_for_cpu covers half of what it is told",
    "fclk-changed": "another driver makes FCLK0 faster while the machine is in use",
    "fclk-stopped": "another driver stops FCLK0 while the machine is in use",
}
"""Name → what is wrong; `sim.board.SimulatedBoard` has them, one or several."""

MENDED = ("mainline", "fclk-gated", "held-reset")
"""Those of `INJECTIONS` that are no failure: the driver notices them, reports them and goes on."""
