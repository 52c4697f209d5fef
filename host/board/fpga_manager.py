"""Loading the bitstream through Linux's FPGA manager.

Every kernel has ``name`` and ``state`` in ``/sys/class/fpga_manager/fpgaN``
(Documentation/ABI/testing/sysfs-class-fpga-manager). Only the vendor's has ``firmware`` and
``flags``, by which a program loads a file below ``/lib/firmware`` (github.com/Xilinx/linux-xlnx,
``drivers/fpga/fpga-mgr.c``). With the mainline kernel, U-Boot loads the bitstream before Linux.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass

from fractrain.host.board.bitstream import FIRMWARE, Bitstream, drop_note
from fractrain.host.board.system import System
from fractrain.hw.contract.errors import DataError, MachineError, MissingToolError

__all__ = ["FpgaManager", "find_manager", "load"]

CLASS = "/sys/class/fpga_manager"
OPERATING = "operating"
WHOLE_BITSTREAM = "0"
IN_UBOOT = (
    "load the bitstream in U-Boot before Linux starts (fatload, then fpga loadb; docs/board.md has "
    "the commands)"
)

REASONS = {
    "firmware request error": "the kernel did not find or could not read the file",
    "write init error": "the file is no byte-swapped .bin (no sync word 66 55 99 AA), or the FPGA "
    "did not come out of its reset: power of the programmable logic",
    "write error": "the transfer into the FPGA failed",
    "write complete error": "the FPGA did not start: a bitstream for another part, or damaged",
}
"""What the states mean (the kernel's ``drivers/fpga/fpga-mgr.c`` and ``zynq-fpga.c``)."""


@dataclass(frozen=True)
class FpgaManager:
    """The FPGA manager in the folder ``path``; ``loads``: whether it takes files through sysfs."""

    path: str
    state: str
    loads: bool

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


def find_manager(system: System) -> FpgaManager | None:
    """The first FPGA manager, as it is now; None if the kernel has none."""
    for path in system.glob(f"{CLASS}/fpga*"):
        try:
            state = system.read_text(f"{path}/state")
        except OSError as error:
            raise DataError(f"cannot read {path}/state: {error.strerror}") from error
        return FpgaManager(path, state, system.exists(f"{path}/firmware"))
    return None


def load(system: System, bitstream: Bitstream) -> FpgaManager:
    """Configure the FPGA with ``bitstream``, whole.

    Raises `MissingToolError` if this kernel cannot do it, `DataError` for a file that does not
    match the manifest and where rights are missing, `MachineError` if the FPGA did not accept it.
    The note about the FPGA is then gone.
    """
    content = bitstream.checked_bin()
    manager = find_manager(system)
    if manager is None:
        raise MissingToolError(
            f"this kernel has no FPGA manager ({CLASS} is empty): it needs "
            f"CONFIG_FPGA_MGR_ZYNQ_FPGA (modprobe zynq-fpga), or {IN_UBOOT}"
        )
    if not manager.loads:
        raise MissingToolError(
            f"this kernel cannot load a bitstream from a program: {manager.path} has no attribute "
            f"'firmware' (mainline Linux has none, the vendor's linux-xlnx has); {IN_UBOOT}"
        )
    name, copied = _firmware_name(system, bitstream, content)
    try:
        drop_note(system)
        return _write(system, manager, name)
    finally:
        if copied:
            (system.root / FIRMWARE / name).unlink(missing_ok=True)


def _firmware_name(system: System, bitstream: Bitstream, content: bytes) -> tuple[str, bool]:
    """The file's name below /lib/firmware; copied there if the folder lies elsewhere."""
    firmware = (system.root / FIRMWARE).resolve()
    place = (bitstream.folder / bitstream.manifest.bin_name).resolve()
    if place.is_relative_to(firmware):
        return str(place.relative_to(firmware)), False
    name = f"fractrain-{bitstream.manifest.build_hash[:16]}.bin"
    try:
        (firmware / name).write_bytes(content)
    except OSError as error:
        raise DataError(
            f"cannot copy the bitstream to {firmware / name}: {error.strerror}; the kernel loads "
            "files below /lib/firmware only: run this as root"
        ) from error
    return name, True


def _write(system: System, manager: FpgaManager, name: str) -> FpgaManager:
    try:
        if system.exists(f"{manager.path}/flags"):
            system.write_text(f"{manager.path}/flags", WHOLE_BITSTREAM)
        system.write_text(f"{manager.path}/firmware", name)
    except PermissionError as error:
        raise DataError(
            f"no permission to write {manager.path}/firmware: run `fractrain board load` as root, "
            "once after each boot"
        ) from error
    except OSError as error:
        raise MachineError(_failure(system, manager, name, error)) from error
    after = find_manager(system)
    if after is None or after.state != OPERATING:
        raise MachineError(_failure(system, manager, name, None))
    return after


def _failure(system: System, manager: FpgaManager, name: str, error: OSError | None) -> str:
    after = find_manager(system)
    state = "gone" if after is None else after.state
    code = "" if error is None else f" ({errno.errorcode.get(error.errno or 0, error.errno)})"
    reason = REASONS.get(state, "dmesg has the kernel's reason")
    return (
        f"{manager.name} did not load /lib/firmware/{name}{code}: its state is '{state}', not "
        f"'{OPERATING}': {reason}"
    )
