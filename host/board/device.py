"""The board, opened in the one order that cannot hang: lock, bitstream, clock, then registers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TypeVar

from fractrain.gen.bitstream.manifest import BITSTREAM_MANIFEST_NAME
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

__all__ = ["BoardDevice"]

Kind = TypeVar("Kind")


class BoardDevice:
    """The accelerator on the board, this process's alone from `reserve` to `close`.

    `open` does everything; bring-up calls the steps one by one, in the order in which they stand
    here. Each says what it found and did. Raises errors of `hw.contract.errors` that name what is
    missing and how to mend it; the registers are not touched before `set_clock` has succeeded.
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
        """See that the bitstream is in the FPGA: load it, unless it has been since boot.

        A design of somebody else may never answer at our addresses. So what an unknown hand has
        loaded is replaced where this kernel can do that; where it cannot, the boot loader's is
        trusted, and `identify` tells whose it is. ``again``: load in any case.

        A design that is replaced while memory owes it answers leaves the HP ports wedged: ours is
        stopped first. Raises `MachineError` if it does not come to rest.
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
        """Stop the machine that ``note`` says is in the FPGA, of whatever build: the registers for
        that are the same. Where it would not answer nothing is accessed."""
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
        """Whether the boot loader's bitstream must do, as this kernel or user cannot load one."""
        lacks = isinstance(error, MissingToolError) or isinstance(error.__cause__, PermissionError)
        if manager is not None:
            return lacks and manager.state == OPERATING
        try:
            return lacks and self._open_slcr().clock().level_shifters == SHIFTERS_ON
        except PermissionError:
            return False

    def set_clock(self) -> list[str]:
        """Make FCLK0 what the bitstream was built for, and reset the design if nothing is noted of
        its clock before.

        Who may not open ``/dev/mem`` relies on what root has set since boot, by its note. Who may
        takes the note away first and leaves it when all is well: one who is killed or fails in
        between leaves none.
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
        return Driver(BoardBus(self.uio, hz), clock, self.parameters)

    def stop_clock(self) -> None:
        """Stop FCLK0, to see what power the FPGA takes then; `set_clock` starts it again, and the
        registers are out of reach until it has. Without a note of it, so that a process that is
        killed meanwhile leaves nothing by which others would take the clock to be running.

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
        """Raise `ClockChanged` if FCLK0 is no more what `set_clock` has made it: six registers of
        the processor system, read. No register of the FPGA can be accessed then.

        Without the right to open ``/dev/mem`` nothing is checked.
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
            # what it is made of cannot change: read once, as the clock is checked often
            self._ps_mhz = ps_clock_mhz(self.system)
            self._slcr = words
        return Slcr(self._slcr, self._ps_mhz)

    def identify(self) -> str:
        """Ask the machine who it is, ID and build hash, and stop what an earlier process left.

        If it is another one the note, by which it would be ours, is gone.
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
        """Raise `MachineError` unless the machine is the manifest's."""
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
        """Give everything back; closing twice is no error. The FPGA stays as it is."""
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
