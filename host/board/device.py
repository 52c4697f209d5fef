"""The board, opened in the one order that cannot hang: lock, bitstream, clock, then registers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TypeVar

from fractrain.gen.bitstream_manifest import BITSTREAM_MANIFEST_NAME
from fractrain.host.board.bitstream import (
    NOTE,
    Bitstream,
    LoadedNote,
    drop_note,
    find_bitstream,
    read_note,
    write_note,
)
from fractrain.host.board.bus import BoardBus, BoardClock
from fractrain.host.board.clock import (
    SHIFTERS_ON,
    SLCR_ADDRESS,
    SLCR_SIZE,
    ClockChanged,
    Slcr,
    ps_clock_mhz,
    set_clock,
    stop_clock,
)
from fractrain.host.board.dma_buffer import DmaBuffer, find_buffer
from fractrain.host.board.fpga_manager import OPERATING, FpgaManager, find_manager, load
from fractrain.host.board.system import MappedWords, System, UioDevice
from fractrain.host.board.uio import open_uio
from fractrain.host.driver import Driver
from fractrain.hw.contract.errors import DataError, MachineError, MissingToolError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.registers import ID, IDENTITY
from fractrain.hw.targets.target import Target

__all__ = ["BoardDevice"]

Kind = TypeVar("Kind")


class BoardDevice:
    """The accelerator on the board, reserved for this process from `reserve` to `close`.

    `open` does everything; bring-up calls the steps one by one, in their order here. Each returns
    what it found and did. Errors of `hw.contract.errors` name what is missing and how to mend it.
    No register is touched before `set_clock` has succeeded.
    """

    def __init__(self, system: System) -> None:
        self.system = system
        self._uio: UioDevice | None = None
        self._slcr: MappedWords | None = None
        self._ps_mhz = 0.0
        self._bitstream: Bitstream | None = None
        self._driver: Driver | None = None
        self._buffer: DmaBuffer | None = None

    @classmethod
    def open(cls, system: System) -> BoardDevice:
        """All steps; nothing stays open if one fails."""
        device = cls(system)
        try:
            device.reserve()
            device.configure()
            device.set_clock()
            device.identify()
            device.map_buffer()
        except BaseException:
            device.close()
            raise
        return device

    # -- the steps -----------------------------------------------------------------------------

    def reserve(self) -> str:
        """Find the bitstream's manifest and lock the device; no register is accessed."""
        self._bitstream = find_bitstream(self.system)
        self._uio = open_uio(self.system)
        return self._bitstream.describe()

    def configure(self, *, again: bool = False) -> str:
        """Ensure that the bitstream is in the FPGA: load it, unless this was done since boot.

        Another design may never answer at our addresses. So a bitstream of unknown origin is
        replaced if this kernel can load one; if it cannot, the boot loader's bitstream is trusted,
        and `identify` checks it. ``again``: load in any case.

        Replacing a design while memory owes it answers wedges the HP ports: a running machine of
        ours is stopped first. Raises `MachineError` if it does not come to rest.
        """
        manager, note = find_manager(self.system), read_note(self.system)
        configured = manager is not None and manager.state == OPERATING
        ours = note is not None and note.build_hash == self.bitstream.manifest.build_hash
        if configured and ours and not again:
            return "loaded before, since this boot"
        if configured and note is not None:
            self._come_to_rest(note)
        self._driver = None
        try:
            after = load(self.system, self.bitstream)
        except (MissingToolError, DataError) as error:
            if again or note is not None or not self._loaded_at_boot(manager, error):
                raise
            return "the FPGA was configured before Linux; taken as it is"
        return f"loaded through {after.name}"

    def _come_to_rest(self, note: LoadedNote) -> None:
        """Stop the machine that is in the FPGA by the ``note``; its build does not matter, as all
        builds stop by the same registers. If it would not answer, no register is accessed."""
        try:
            clock = self._open_slcr().clock()
        except PermissionError:
            return  # and `load` will be refused, too
        if not clock.lets_through(note.clock_mhz):
            return
        driver = self._drive(note.clock_mhz * 1e6)
        if driver.registers.read(ID) != IDENTITY:
            return
        if trouble := driver.reset():
            raise MachineError(f"the bitstream was not loaded: the present machine is {trouble}")

    def _loaded_at_boot(self, manager: FpgaManager | None, error: Exception) -> bool:
        """Whether the boot loader's bitstream has to serve, as this kernel or user cannot load
        one."""
        lacks = isinstance(error, MissingToolError) or isinstance(error.__cause__, PermissionError)
        if manager is not None:
            return lacks and manager.state == OPERATING
        try:
            return lacks and self._open_slcr().clock().level_shifters == SHIFTERS_ON
        except PermissionError:
            return False

    def set_clock(self) -> list[str]:
        """Set FCLK0 to the bitstream's frequency; reset the design if there is no note about its
        clock.

        Without access to ``/dev/mem``, trust the clock that root has noted. With access, remove the
        note first and write it again at the end: a process that is killed or fails in between
        leaves none.
        """
        manifest = self.bitstream.manifest
        wanted = LoadedNote(manifest.build_hash, manifest.clock_mhz)
        try:
            slcr = self._open_slcr()
        except PermissionError as error:
            if read_note(self.system) != wanted:
                raise DataError(
                    "no permission to open /dev/mem, where FCLK0 is checked before the first "
                    "access: run `fractrain board load` as root once after each boot; if root is "
                    "refused, too, the kernel needs the argument iomem=relaxed"
                ) from error
            done = [f"{wanted.clock_mhz:g} MHz, as root has set it since boot ({NOTE})"]
        else:
            unknown = read_note(self.system) is None
            drop_note(self.system)
            done = set_clock(self.system, slcr, manifest.clock_mhz, reset_once=unknown)
            write_note(self.system, wanted)
        self._driver = self._drive(self.clock_hz, self.check_clock)
        return done

    def _drive(self, hz: float, check_clock: Callable[[], None] = lambda: None) -> Driver:
        clock = BoardClock(self.system, hz, check_clock)
        return Driver(BoardBus(self.uio, hz, self.parameters.target.ports), clock, self.parameters)

    def stop_clock(self) -> None:
        """Stop FCLK0, to measure the FPGA's power without it; `set_clock` starts it again, and
        until then no register can be accessed. The note is removed, so a process that is killed
        meanwhile leaves no claim that the clock runs.

        Raises `MachineError` while the machine runs, `DataError` without the right to.
        """
        self.driver.require_idle()
        try:
            slcr = self._open_slcr()
        except PermissionError as error:
            raise DataError(
                "no permission to open /dev/mem, through which FCLK0 is stopped: run as root"
            ) from error
        drop_note(self.system)
        self._driver = None
        stop_clock(slcr)

    def check_clock(self) -> None:
        """Raise `ClockChanged` if FCLK0 has changed since `set_clock`; reads six registers of the
        processor system. No register of the FPGA can be accessed then.

        Without access to ``/dev/mem`` nothing is checked.
        """
        if self._slcr is None:
            return
        wanted = self.bitstream.manifest.clock_mhz
        clock = Slcr(self._slcr, self._ps_mhz).clock()
        if clock.lets_through(wanted):
            return
        self._driver = None
        with suppress(DataError):
            drop_note(self.system)
        also = ", the FPGA's reset is held" if clock.in_reset else ""
        if clock.level_shifters != SHIFTERS_ON:
            also += ", no signals pass to the FPGA"
        raise ClockChanged(
            f"FCLK0 is {clock}{also}; the bitstream is made for {wanted:g} MHz: something else has "
            "changed it since the board was opened, and what the machine computed meanwhile is not "
            "used; `fractrain board load` sets it"
        )

    def _open_slcr(self) -> Slcr:
        if self._slcr is None:
            try:
                words = self.system.map_physical(SLCR_ADDRESS, SLCR_SIZE)
            except PermissionError:
                raise
            except (OSError, ValueError) as error:
                raise MissingToolError(
                    f"cannot map the SLCR through /dev/mem: {error}; the kernel needs "
                    "CONFIG_DEVMEM, and with CONFIG_IO_STRICT_DEVMEM the argument iomem=relaxed"
                ) from error
            # the oscillator cannot change: read once, as the clock is checked often
            self._ps_mhz = ps_clock_mhz(self.system)
            self._slcr = words
        return Slcr(self._slcr, self._ps_mhz)

    def identify(self) -> str:
        """Check the machine's ID and build hash, and stop what an earlier process left running.

        If it is another machine, the note is removed.
        """
        self.check_identity()
        self.check_build()
        self.driver.stop()
        return f"build hash 0x{self.bitstream.manifest.build_hash_register:08X}"

    def check_identity(self) -> None:
        """Raise `MachineError` unless a FracTrain engine answers."""
        with self._not_noted_if_wrong():
            self.driver.check_identity()

    def check_build(self) -> None:
        """Raise `MachineError` unless the machine matches the manifest."""
        wanted = self.bitstream.manifest.build_hash_register
        with self._not_noted_if_wrong():
            self.driver.check_build(wanted, str(self.bitstream.folder / BITSTREAM_MANIFEST_NAME))

    @contextmanager
    def _not_noted_if_wrong(self) -> Iterator[None]:
        try:
            yield
        except MachineError:
            with suppress(DataError):  # not root's process: not its note
                drop_note(self.system)
            raise

    def map_buffer(self, *, cached: bool = True) -> DmaBuffer:
        """Map the shared buffer, in place of an earlier mapping."""
        if self._buffer is not None:
            self._buffer.close()
            self._buffer = None
        self._buffer = DmaBuffer(self.system, find_buffer(self.system), cached=cached)
        return self._buffer

    # -- what the steps have opened ------------------------------------------------------------

    @property
    def bitstream(self) -> Bitstream:
        return _opened(self._bitstream, "bitstream")

    @property
    def parameters(self) -> Parameters:
        """Of the machine in the bitstream."""
        return self.bitstream.manifest.parameters

    @property
    def target(self) -> Target | None:
        """Of the machine in the bitstream; None as long as there is none."""
        return None if self._bitstream is None else self.parameters.target

    @property
    def clock_hz(self) -> float:
        return self.bitstream.manifest.clock_mhz * 1e6

    @property
    def uio(self) -> UioDevice:
        return _opened(self._uio, "UIO device")

    @property
    def driver(self) -> Driver:
        """Once `set_clock` has succeeded, until the clock changes."""
        return _opened(self._driver, "registers")

    @property
    def buffer(self) -> DmaBuffer:
        return _opened(self._buffer, "buffer")

    # -- the end -------------------------------------------------------------------------------

    def close(self) -> None:
        """Release everything; closing twice is no error. The FPGA stays as it is."""
        for each in (self._buffer, self._slcr, self._uio):
            if each is not None:
                each.close()
        self._buffer = self._slcr = self._uio = self._driver = None

    def __enter__(self) -> BoardDevice:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _opened(found: Kind | None, what: str) -> Kind:
    if found is None:
        raise MachineError(f"the board's {what} is not open; BoardDevice.open opens all of it")
    return found
