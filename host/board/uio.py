"""The UIO device with the machine's registers and interrupt."""

from __future__ import annotations

from fractrain.host.board.system import System, UioDevice
from fractrain.hw.contract.errors import DataError, MachineError, MissingToolError
from fractrain.hw.contract.registers import ADDRESS_BITS

__all__ = ["UIO_NAME", "find_uio", "open_uio"]

CLASS = "/sys/class/uio"
UIO_NAME = "fractrain"
REGISTER_BYTES = 4 << ADDRESS_BITS


def find_uio(system: System) -> str:
    """The folder in ``/sys/class/uio`` of the device that the device tree calls `UIO_NAME`.

    Raises `MissingToolError` if there is none.
    """
    present = []
    for path in system.glob(f"{CLASS}/uio*"):
        try:
            name = system.read_text(f"{path}/name")
        except OSError:
            continue  # it went away
        if name == UIO_NAME:
            return path
        present.append(f"{path.rpartition('/')[2]} is '{name}'")
    if not present:
        raise MissingToolError(
            f"no UIO device ({CLASS} is empty): the module uio_pdrv_genirq must be loaded with "
            "of_id=generic-uio (modprobe uio_pdrv_genirq of_id=generic-uio), and the device tree "
            "must have the node fractrain (board/zynq/registers.dtsi)"
        )
    raise MissingToolError(
        f"no UIO device is named '{UIO_NAME}' ({', '.join(present)}): the device tree lacks the "
        "node fractrain (board/zynq/registers.dtsi), or its compatible is not the of_id of "
        "uio_pdrv_genirq"
    )


def open_uio(system: System) -> UioDevice:
    """Open the device for this process alone and map its registers, without accessing one.

    Raises `MissingToolError` if there is none, `DataError` where rights are missing or the device
    tree gives it too few bytes, `MachineError` while another process has it.
    """
    folder = find_uio(system)
    device = f"/dev/{folder.rpartition('/')[2]}"
    size, offset = (_number(system, f"{folder}/maps/map0/{name}") for name in ("size", "offset"))
    if size < REGISTER_BYTES:
        raise DataError(
            f"{folder}/maps/map0/size is {size} bytes, the registers take {REGISTER_BYTES}: "
            "reg of the node fractrain must be as in board/zynq/registers.dtsi"
        )
    try:
        return system.open_uio(device, offset, REGISTER_BYTES)
    except PermissionError as error:
        raise DataError(
            f"no permission to open {device}: run as root, or give your group the right by a rule "
            "of udev (board/zynq/install.sh installs one)"
        ) from error
    except BlockingIOError as error:
        raise MachineError(
            f"another process uses the board ({device} is locked): wait for it or end it; "
            f"fuser {device} names it"
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MachineError(f"cannot map the registers of {device}: {reason}") from error


def _number(system: System, path: str) -> int:
    try:
        return int(system.read_text(path), 0)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a number"
        raise DataError(f"cannot read {path}: {reason}") from error
