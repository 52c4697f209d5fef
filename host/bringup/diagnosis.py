"""Likely causes of a failed stage of bring-up, and what to check next."""

from __future__ import annotations

from collections.abc import Mapping

from fractrain.host.board.cache_guard import StaleCaches
from fractrain.host.board.clock import ClockChanged
from fractrain.host.board.node import interrupts
from fractrain.hw.contract.commands import Fault
from fractrain.hw.contract.engine_fault import EngineFault
from fractrain.hw.contract.errors import DataError, MissingToolError, ParameterError
from fractrain.hw.targets.target import Target

__all__ = ["causes"]

CACHES = (
    "dma-coherent in the buffer's node of the device tree: u-dma-buf then leaves the caches alone",
    "dma_coherent, sync_mode and driver_version in /sys/class/u-dma-buf/udmabuf-fractrain",
)

# {part}, {registers} and {interrupt} are the target's, or nothing as long as that is not known.
BY_STAGE: Mapping[str, tuple[str, ...]] = {
    "bitstream": (
        "dmesg | tail: what the kernel says of the FPGA manager",
        "the .bin is of this board's part{part} and of this `make bitstream`",
    ),
    "FCLK0": (
        "the registers of the processor system are read only here: nothing in the FPGA can be the "
        "cause",
        "boot loader: which ps7_init it has, and that it loads a bitstream whole",
        "another driver of Linux that holds FCLK0 (clk_summary in /sys/kernel/debug/clk)",
    ),
    "ID": (
        "another bitstream is in the FPGA: `fractrain board load --again`",
        "the address of the registers in the device tree{registers} or in the block design",
    ),
    "build hash": (
        "bitstream and software are of different builds: install both from one `make bitstream`",
        "what U-Boot loads at boot is older than what is in /lib/firmware/fractrain",
    ),
    "registers": (
        "GP0: a bit that does not hold is a wiring or timing error between processor and FPGA",
        "timing: slack in reports/ of the bitstream; FCLK0 above what it was built for",
    ),
    "interrupt": (
        "grep fractrain /proc/interrupts: does the count go up while bring-up runs?",
        "device tree: the node fractrain with interrupts{interrupt} (IRQ_F2P[0], level, high)",
        "the block design: IRQ_F2P enabled and connected",
    ),
    "4 KB loopback": (
        "HP ports: enabled, 64 bits wide, and mapped to DDR in the block design",
        "u-dma-buf's address is that of DDR (phys_addr), and reserved for it alone",
        "timing: slack in reports/ of the bitstream",
    ),
    "cached and uncached": (
        "cached wrong, uncached right: u-dma-buf does not maintain the caches (dma-coherent set, "
        "or a kernel whose dma_sync_* do nothing for it)",
        "both wrong: the way through HP, not the caches",
    ),
    "convolution": (
        "a pass is wrong although memory is right: timing of the array (slack in reports/), or "
        "power and temperature of the FPGA",
        "the same on the simulated board: `fractrain board bringup --device simulated --config …`",
    ),
    "residual block": (
        "single convolutions are right: what several share (tokens, narrowing, memories), at "
        "speed: timing",
        "the same on the simulated board: `fractrain board bringup --device simulated --config …`",
    ),
}

BY_FAULT: Mapping[Fault, tuple[str, ...]] = {
    Fault.READ_ERROR: (
        "the interconnect refuses reads: the address is no DDR, or HP is not mapped to it",
        "/proc/iomem: u-dma-buf's phys_addr must lie in System RAM",
    ),
    Fault.WRITE_ERROR: (
        "the interconnect refuses writes: the address is no DDR, or HP is not mapped to it",
        "/proc/iomem: u-dma-buf's phys_addr must lie in System RAM",
    ),
    Fault.TIMEOUT: (
        "memory does not answer: HP port not enabled (AFI), or its clock not connected",
        "whether more than this design uses the HP ports",
    ),
    Fault.WINDOW: (
        "a command leaves the buffer: what the machine read is not what was written to memory",
    ),
    Fault.OPCODE: (
        "the machine read other bytes than were written: the caches were not written back, or the "
        "buffer's address is wrong",
        "try the uncached mapping: sync_mode of u-dma-buf",
    ),
}

RIGHTS = ("run as root once; board/zynq/install.sh gives a group the rights that training needs",)


SET_UP = (
    "docs/board.md has kernel modules, device tree and installation in order",
    "ls /sys/class/uio /sys/class/u-dma-buf /sys/class/fpga_manager /lib/firmware/fractrain",
    "dmesg | grep -e uio -e dma-buf -e fpga: what the kernel says of them",
)


def causes(stage: str, error: Exception, target: Target | None = None) -> tuple[str, ...]:
    """Likely causes of ``error`` in ``stage`` of bring-up, and what to check, most likely first;
    with the numbers of ``target`` if it is known."""
    facts = dict.fromkeys(("part", "registers", "interrupt"), "")
    if target is not None:
        facts = {
            "part": f" ({target.part.name})",
            "registers": f" (0x{target.ports.registers_address:08x})",
            "interrupt": interrupts(target.ports).removeprefix("interrupts"),
        }
    return tuple(each.format_map(facts) for each in _causes(stage, error))


def _causes(stage: str, error: Exception) -> tuple[str, ...]:
    if isinstance(error.__cause__, PermissionError):
        return RIGHTS
    if isinstance(error.__cause__, BlockingIOError):
        return ()  # the error says it all
    if isinstance(error, StaleCaches):
        return CACHES
    if isinstance(error, ClockChanged):
        return BY_STAGE["FCLK0"]
    fault = error if isinstance(error, EngineFault) else error.__cause__
    if isinstance(fault, EngineFault) and isinstance(fault.cause, Fault):
        return BY_FAULT.get(fault.cause, ()) or BY_STAGE.get(stage, ())
    if isinstance(error, DataError | MissingToolError):
        return SET_UP
    if isinstance(error, ParameterError) and stage != "FCLK0":
        return ()
    return BY_STAGE.get(stage, ())
