"""The board's state, read without changing anything on it."""

from __future__ import annotations

from fractrain.gen.bitstream_manifest import BitstreamManifest
from fractrain.host.board.bitstream import find_bitstream, read_note
from fractrain.host.board.clock import (
    SHIFTERS_ON,
    SLCR_ADDRESS,
    SLCR_SIZE,
    ClockState,
    Slcr,
    ps_clock_mhz,
)
from fractrain.host.board.dma_buffer import find_buffer
from fractrain.host.board.fpga_manager import find_manager
from fractrain.host.board.system import System
from fractrain.host.board.uio import open_uio
from fractrain.host.driver import EngineRegisters
from fractrain.host.machine.work import CYCLE_CAUSES
from fractrain.hw.contract.commands import Fault
from fractrain.hw.contract.errors import DataError, FractrainError
from fractrain.hw.contract.registers import BUILD_HASH, CAUSE, ID, IDENTITY, STATUS

__all__ = ["board_status"]

NOTHING = "not read: "
UNKNOWN_DESIGN = (
    "the FPGA may hold a bitstream of unknown origin; fractrain board load, or --loaded-by-boot if "
    "U-Boot has loaded this one"
)


def board_status(system: System, *, loaded_by_boot: bool = False) -> dict[str, str]:
    """The state, line by line: name → what was found, or why it could not be read.

    Registers of the FPGA are read only if its clock has the bitstream's frequency and a note of
    this driver says that the bitstream is in it: otherwise the access might never end.
    ``loaded_by_boot``: the caller vouches for the design instead.
    """
    lines: dict[str, str] = {}
    try:
        bitstream = find_bitstream(system)
        lines["bitstream"] = f"{bitstream.describe()}, in {bitstream.folder}"
    except FractrainError as error:
        bitstream = None
        lines["bitstream"] = str(error)
    lines["FPGA manager"] = _manager(system)
    clock, lines["FCLK0"] = _clock(system)
    wanted = None if bitstream is None else bitstream.manifest
    if wanted is None or clock is None or not clock.lets_through(wanted.clock_mhz):
        reason = "whether the FPGA would answer is not known; fractrain board load sets it up"
        lines["machine"] = NOTHING + reason
    elif not (loaded_by_boot or _ours(system, wanted)):
        lines["machine"] = NOTHING + UNKNOWN_DESIGN
    else:
        lines |= _machine(system, wanted)
    lines["buffer"] = _buffer(system)
    return lines


def _manager(system: System) -> str:
    try:
        manager = find_manager(system)
    except FractrainError as error:
        return str(error)
    if manager is None:
        return "none"
    loads = "loads bitstreams" if manager.loads else "cannot load bitstreams: no attribute firmware"
    return f"{manager.name}: {manager.state}; {loads}"


def _clock(system: System) -> tuple[ClockState | None, str]:
    try:
        words = system.map_physical(SLCR_ADDRESS, SLCR_SIZE)
    except (OSError, ValueError) as error:
        return None, f"{NOTHING}/dev/mem: {error}"
    try:
        clock = Slcr(words, ps_clock_mhz(system)).clock()
    except DataError as error:
        return None, f"{NOTHING}{error}"
    finally:
        words.close()
    notes = [str(clock)]
    if clock.level_shifters != SHIFTERS_ON:
        notes.append("the FPGA is not configured")
    if clock.in_reset:
        notes.append("held in reset")
    return clock, ", ".join(notes)


def _ours(system: System, wanted: BitstreamManifest) -> bool:
    note = read_note(system)
    return note is not None and note.build_hash == wanted.build_hash


def _machine(system: System, wanted: BitstreamManifest) -> dict[str, str]:
    """The machine's identity, its state and its counters."""
    try:
        uio = open_uio(system)
    except FractrainError as error:
        return {"machine": f"{NOTHING}{error}"}
    try:
        registers = EngineRegisters(uio.words)
        identity, build, status = (registers.read(each) for each in (ID, BUILD_HASH, STATUS))
        if identity != IDENTITY:
            return {"machine": f"ID 0x{identity:08X}: not ours"}
        fits = "as in the manifest" if build == wanted.build_hash_register else "another build"
        counted = registers.counters()
    finally:
        uio.close()
    lines = {
        "machine": f"ID 0x{identity:08X}, build hash 0x{build:08X}, {fits}",
        "STATUS": f"0x{status:08X}: {_state(status)}",
    }
    for tag, each in counted.items():
        cycles = sum(each[name] for name in CYCLE_CAUSES)
        lines[f"counters {tag.name}"] = (
            f"{cycles:,} cycles, {each['BUSY']:,} busy; {each['BYTES_READ']:,} bytes read, "
            f"{each['BYTES_WRITTEN']:,} written"
        )
    return lines


def _state(status: int) -> str:
    words = [each.name.lower() for each in STATUS.fields[:4] if each.extract(status)]
    cause = CAUSE.extract(status)
    if cause in set(Fault) and cause:
        words.append(Fault(cause).description)
    return ", ".join(words) or "running"


def _buffer(system: System) -> str:
    try:
        place = find_buffer(system)
    except FractrainError as error:
        return str(error)
    return f"{place.device}: {place.size:,} bytes at 0x{place.address:08X}"
