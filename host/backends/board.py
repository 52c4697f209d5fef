"""A board behind the accelerator's interface."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fractrain.host.backends.cycle_limit import port_beats
from fractrain.host.backends.driven import DrivenAccelerator
from fractrain.host.backends.driven_steps import StepMemory, first_of_steps
from fractrain.host.board.bitstream import find_bitstream
from fractrain.host.board.cache_guard import GUARD_BYTES
from fractrain.host.board.device import BoardDevice
from fractrain.host.board.linux import LinuxSystem
from fractrain.host.board.system import LOCAL, SIMULATED, System
from fractrain.host.compiler import Program
from fractrain.host.driver import Driver
from fractrain.host.usual_machines import USUAL_CONFIG
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.installation import needs_extra
from fractrain.hw.contract.parameters import Parameters, load_parameters

__all__ = ["DEVICES", "BoardAccelerator", "close_system", "open_system"]

DEVICES = (LOCAL, SIMULATED)


def open_system(
    device: str | None, parameters: Parameters | None = None, injected: tuple[str, ...] = ()
) -> System:
    """The operating system of ``device``: Linux on this board, or a simulated board.

    The simulated one has a bitstream of ``parameters`` (default: the usual configuration), and the
    defects ``injected``. `close_system` ends it. Raises
    `ParameterError` for another device, `MissingToolError` without the simulator's tools.
    """
    if device is None or device == LOCAL:
        return LinuxSystem()
    if device != SIMULATED:
        raise ParameterError("device", device, " or ".join(DEVICES))
    with needs_extra("hardware"):
        from fractrain.sim.board import SimulatedBoard

        return SimulatedBoard(parameters or load_parameters(USUAL_CONFIG), injected)


class BoardStepMemory(StepMemory):
    """The buffer of ``device`` from byte ``first`` on."""

    def __init__(self, device: BoardDevice, first: int) -> None:
        buffer = device.buffer
        self._device, self._first = device, first
        self.address, self.size = buffer.address + first, buffer.size - first

    def data(self, size: int) -> NDArray[np.uint8]:
        buffer = self._device.buffer
        if not buffer.cached:
            raise ParameterError("buffer", "mapped past the caches", "through them in whole steps")
        return buffer.data[self._first : self._first + size]

    def written(self, first: int, count: int) -> None:
        self._device.buffer.share(self._first + first, count)

    def seen(self, first: int, count: int) -> None:
        self._device.buffer.refresh(self._first + first, count)


class BoardAccelerator(DrivenAccelerator):
    """The convolution engine of a board that `host.board` has opened, through `host.driver`.

    ``device`` is ``local``, the default: this computer is the board; or ``simulated``: the same
    driver on the RTL. ``parameters`` must match the installed bitstream, as a program is made for
    one machine.

    Raises what `host.board.device.BoardDevice.open` does, `ParameterError` for a program that the
    board cannot run, `EngineFault` or `MachineError` if the machine stops; the machine is then
    reset and takes the next call.
    """

    takes_device = True

    def __init__(self, parameters: Parameters, device: str | None = None) -> None:
        system = open_system(device, parameters)
        opened = None
        try:
            opened = BoardDevice.open(system)
            self._take(opened, parameters)
        except BaseException:
            if opened is not None:
                opened.close()
            close_system(system)
            raise
        self._owned: System | None = system

    @classmethod
    def over(cls, device: BoardDevice) -> BoardAccelerator:
        """The accelerator of an open board, which stays open when the accelerator is closed."""
        accelerator = cls.__new__(cls)
        accelerator._take(device, device.parameters)
        accelerator._owned = None
        return accelerator

    def _take(self, device: BoardDevice, parameters: Parameters) -> None:
        if parameters != device.parameters:
            raise ParameterError("parameters", parameters, "those of the board's bitstream")
        super().__init__(parameters)
        self._device = device
        self.base_address = device.buffer.address
        self._programs_bytes = device.buffer.size
        if parameters.vector is not None:
            first = first_of_steps(device.buffer.size)
            self._programs_bytes = first - 2 * GUARD_BYTES  # a guard follows each program
            self._take_steps(BoardStepMemory(device, first))
        self.measured_as = "RTL cycles" if device.system.simulated else "board"

    @classmethod
    def usual_config(cls, device: str | None, usual: str = USUAL_CONFIG) -> str:
        """The configuration of the installed bitstream; a simulated board has none of its own."""
        if device == SIMULATED:
            return super().usual_config(device, usual)
        return find_bitstream(open_system(device)).manifest.config

    @classmethod
    def find_parameters(cls, config: str | Path, device: str | None) -> Parameters:
        """The parameters of the installed bitstream.

        Raises `ParameterError` if ``config`` is another machine.
        """
        if device == SIMULATED:
            return super().find_parameters(config, device)
        bitstream = find_bitstream(open_system(device))
        manifest = bitstream.manifest
        # a run records a name that is no preset as a path
        meant = Path(config).name == manifest.config and not Path(config).exists()
        if not meant and load_parameters(config) != manifest.parameters:
            raise ParameterError(
                "--config",
                str(config),
                f"{manifest.config}, the machine of the bitstream in {bitstream.folder}",
                hint="leave --config out, or install a bitstream of the other machine",
            )
        return manifest.parameters

    @property
    def clock_hz(self) -> float:
        """As the bitstream was built for."""
        return self._device.clock_hz

    @property
    def device(self) -> BoardDevice:
        """The board itself."""
        return self._device

    @property
    def driver(self) -> Driver:
        return self._device.driver

    @contextmanager
    def _mended(self) -> Iterator[None]:
        self._device.check_clock()  # after a change of the clock there is no driver
        yield

    def _room(self, program: Program) -> NDArray[np.uint8]:
        return self._device.buffer.room(program.memory_bytes)

    def _written(self, program: Program) -> None:
        self._device.buffer.written(program.memory_bytes)

    def _read(self, program: Program) -> NDArray[np.uint8]:
        return self._device.buffer.read(program.memory_bytes)

    def _check(self, program: Program) -> None:
        self._device.check_clock()  # after a change of the clock there is no driver
        buffer = self._device.buffer
        if program.base_address != buffer.address:
            raise ParameterError(
                "base address of the program",
                f"0x{program.base_address:X}",
                f"0x{buffer.address:X}, where the buffer is (base_address of the accelerator)",
            )
        if port_beats(program):
            raise ParameterError(
                "destination of a step",
                "Port",
                "Raw or Planes: on the board nothing takes results at the port",
            )
        if program.memory_bytes > self._programs_bytes:
            part = "the size of" if self.vector_machine is None else "of programs, in"
            raise ParameterError(
                "memory of the program in bytes",
                program.memory_bytes,
                f"at most {self._programs_bytes}, {part} {buffer.place.device}",
                hint="a smaller --batch, or a larger size of the buffer's node in the device tree "
                "(board/zynq/system.dtsi)",
            )

    def _close(self) -> None:
        super()._close()
        if self._owned is not None:
            self._device.close()
            close_system(self._owned)


def close_system(system: System) -> None:
    """Close a simulated board, which holds a model and a folder; Linux needs no closing."""
    close = getattr(system, "close", None)
    if close is not None:
        close()
