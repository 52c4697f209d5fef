"""The checks of bring-up, from the smallest upwards; each is exact or an error."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fractrain.host.backends.board import BoardAccelerator
from fractrain.host.backends.golden import GoldenAccelerator
from fractrain.host.board.cache_guard import StaleCaches
from fractrain.host.board.device import BoardDevice
from fractrain.host.board.node import interrupts
from fractrain.host.compiler import Planes, Program, Results, Step, compile_program
from fractrain.host.driver import Launch
from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.commands import COMMAND_BYTES, End, encode_all
from fractrain.hw.contract.errors import MachineError, MismatchError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Pass, Precision, value_range
from fractrain.hw.contract.registers import (
    INTERRUPT_ENABLE,
    PROGRAM_ADDRESS,
    PROGRAM_COMMANDS,
    STATUS,
    WATCHDOG,
    WINDOW_FIRST,
    WINDOW_LAST,
    Register,
)

__all__ = [
    "LOOPBACK_BYTES",
    "check_convolution",
    "check_interrupt",
    "check_loopback",
    "check_mappings",
    "check_registers",
    "check_residual_block",
    "loopback_step",
]

PATTERNS = (0x0000_0000, 0xFFFF_FFFF, 0x5555_5555, 0xAAAA_AAAA, 0x0F1E_2D3C)
WORDS = (WINDOW_FIRST, WINDOW_LAST, PROGRAM_ADDRESS, PROGRAM_COMMANDS, WATCHDOG)
END_CYCLES = 10_000
PROGRAM_BYTES = 4096
QUIET_SECONDS = 0.01
LOOPBACK_BYTES = 4096
SHOWN_DIFFERENCES = 3
SEED = 706


def check_registers(device: BoardDevice) -> str:
    """Every writable register, and every slot of the table, holds every pattern.

    Reads must not disturb: each register is read again after all others have been written.
    """
    registers, table = device.driver.registers, device.driver.table
    count = 0
    for pattern in PATTERNS:
        written = {each: pattern ^ each.address for each in WORDS}
        for register, value in written.items():
            registers.write(register, value)
        for register, value in written.items():
            _expect(register, value, registers.read(register))
            count += 1
    for slot in range(table.slots):
        table.write(slot, _slot(device.parameters, slot))
    for slot in range(table.slots):
        wanted = _encoded(_slot(device.parameters, slot))
        _expect(f"precision slot {slot}", wanted, table.read(slot))
    registers.write(INTERRUPT_ENABLE, 0)
    status = registers.read(STATUS)
    return f"{count} patterns held, {table.slots} slots of the table, STATUS 0x{status:08X}"


def _slot(parameters: Parameters, slot: int) -> Precision:
    most = parameters.precision.max_bits
    return Precision(slot % most + 1, (slot + 5) % most + 1, (slot + 11) % most + 1)


def _encoded(precision: Precision) -> int:
    return precision.activation | precision.weight << 8 | precision.error << 16


def _expect(register: Register | str, wanted: int, found: int) -> None:
    if found != wanted:
        name = register if isinstance(register, str) else f"register {register.name}"
        raise MismatchError(
            f"{name} was written 0x{wanted:08X} and reads 0x{found:08X}: bits "
            f"0x{found ^ wanted:08X} do not hold"
        )


def check_interrupt(device: BoardDevice) -> str:
    """A program of END alone, twice: its interrupt comes, once each time."""
    buffer = device.map_buffer()
    commands = encode_all([End()])
    # commands are fetched in bursts, so the window is larger than the program
    image = np.zeros(PROGRAM_BYTES, np.uint8)
    image[:COMMAND_BYTES] = commands.reshape(-1)
    buffer.write(image)
    window = buffer.address, buffer.address + PROGRAM_BYTES - 1
    launch = Launch(buffer.address, len(commands), window, END_CYCLES)
    times = []
    for _ in range(2):
        times.append(device.driver.run(launch).most / device.clock_hz)
        if not device.driver.stays_quiet(QUIET_SECONDS * device.clock_hz):
            raise MachineError(
                "the interrupt comes again although it was cleared: the line must be level "
                f"sensitive, active high ({interrupts(device.parameters.target.ports)})"
            )
    return f"came {1e6 * min(times):.1f} microseconds after START"


# -- 4 KB through the machine --------------------------------------------------------------------


def loopback_step(parameters: Parameters) -> Step:
    """A 1 x 1 convolution with the identity: `LOOPBACK_BYTES` of planes come out unchanged.

    The machine has no copy command. This is the shortest way through all of it: LOAD, one tap,
    narrowing to the same 8 bits, STORE.
    """
    channels = parameters.block.channels
    pixels = LOOPBACK_BYTES // channels
    height = width = 16
    groups = max(1, pixels // (height * width))
    filters = channels * groups
    geometry = Geometry(1, filters, filters, (height, width), (1, 1))
    return Step(Pass.FORWARD, geometry, 0, "a", "w", "y", (8, 2), Planes(8))


def check_loopback(device: BoardDevice) -> str:
    """4 KB through fetch, array and result stage, bit for bit: every bit is once 0 and once 1.

    If they come back wrong through the caches, they go once more past them: the error says which of
    the two is at fault.
    """
    try:
        return _loop_back(device, cached=True)
    except MismatchError as error:
        found = str(error)
    try:
        _loop_back(device, cached=False)
    except MismatchError as error:
        raise MismatchError(f"{found}; past the caches, too, so not for their sake") from error
    raise StaleCaches(f"{found}; past the caches they are right: the caches are not maintained")


def _loop_back(device: BoardDevice, *, cached: bool) -> str:
    device.map_buffer(cached=cached)
    accelerator = BoardAccelerator.over(device)
    step = loopback_step(device.parameters)
    program = compile_program(device.parameters, [step], accelerator.base_address)
    rng = np.random.default_rng(SEED)
    a = rng.integers(0, 256, step.row_shape)
    w = np.eye(step.geometry.filters, dtype=np.int64)[:, :, None, None]
    for values in (a, 255 - a):
        found = accelerator.run(program, {"a": values, "w": w}, {0: Precision(8, 2, 1)})
        _compare("4 KB of planes", found["y"], values)
    return f"2 x {LOOPBACK_BYTES:,} bytes back as they went, {_way(cached)}"


def _way(cached: bool) -> str:
    return "through the caches" if cached else "past the caches"


def check_mappings(device: BoardDevice) -> str:
    """The loopback once more past the caches, and how fast the processor is either way."""
    speeds = []
    for cached in (False, True):
        _loop_back(device, cached=cached)
        if not device.system.simulated:  # there it would be this computer's
            speeds.append(f"{_way(cached)} {_speed(device):.0f} MB/s")
    if not speeds:
        return "the same either way"
    return "the same either way; the processor fills the buffer " + ", ".join(speeds)


def _speed(device: BoardDevice) -> float:
    """Of writing the buffer and handing it over, in MB/s of the wall clock."""
    buffer = device.buffer
    size = min(buffer.size, 4 << 20)
    source = np.arange(size, dtype=np.uint8)
    began = time.perf_counter()
    buffer.write(source)
    return size / 1e6 / max(time.perf_counter() - began, 1e-9)


# -- convolutions --------------------------------------------------------------------------------


def check_convolution(device: BoardDevice) -> str:
    """Forward, error and gradient of one layer, each a program of its own."""
    channels = device.parameters.block.channels
    g = Geometry(2, channels, 2 * channels, (16, 16), (3, 3), 1, 1)
    steps = [
        Step(Pass.FORWARD, g, 0, "a", "w", "y", (6, 4)),
        Step(Pass.ERROR, g, 0, "e", "w", "dx", (8, 4)),
        Step(Pass.GRADIENT, g, 0, "a", "e", "dw", (6, 8)),
    ]
    cycles = sum(_run(device, [step], {0: Precision(6, 4, 8)}) for step in steps)
    return f"{g.channels} to {g.filters} channels, 3 x 3, three passes exact, {cycles:,} cycles"


def check_residual_block(device: BoardDevice) -> str:
    """All convolutions of a residual block that halves the image, as one program.

    Forward: two of 3 x 3, the first with stride 2 and narrowed to 8-bit planes, which the second
    and its gradient read in place; a shortcut of 1 x 1 with stride 2. Then errors and gradients of
    all three, at other precisions than forward.
    """
    channels = device.parameters.block.channels
    first = Geometry(2, channels, 2 * channels, (16, 16), (3, 3), 2, 1)
    second = Geometry(2, 2 * channels, 2 * channels, (8, 8), (3, 3), 1, 1)
    shortcut = Geometry(2, channels, 2 * channels, (16, 16), (1, 1), 2, 0)
    steps = [
        Step(Pass.FORWARD, first, 0, "a", "w1", "a1", (6, 4), Planes(8, shift=3)),
        Step(Pass.FORWARD, shortcut, 1, "a", "ws", "ys", (6, 8)),
        Step(Pass.FORWARD, second, 0, "a1", "w2", "y2", (8, 4)),
        Step(Pass.ERROR, second, 2, "e2", "w2", "e1", (6, 4), Planes(6, shift=4, signed=True)),
        Step(Pass.GRADIENT, second, 2, "a1", "e2", "dw2", (8, 6)),
        Step(Pass.ERROR, shortcut, 3, "e2", "ws", "dxs", (6, 8)),
        Step(Pass.GRADIENT, shortcut, 3, "a", "e2", "dws", (6, 6)),
        Step(Pass.ERROR, first, 2, "e", "w1", "dx", (6, 4)),
        Step(Pass.GRADIENT, first, 2, "a", "e", "dw1", (6, 6)),
    ]
    precisions = {
        0: Precision(6, 4, 1),
        1: Precision(6, 8, 1),
        2: Precision(4, 4, 6),
        3: Precision(6, 8, 5),
    }
    cycles = _run(device, steps, precisions)
    return f"9 convolutions as one program, exact, {cycles:,} cycles"


def _run(device: BoardDevice, steps: list[Step], precisions: Mapping[int, Precision]) -> int:
    """Cycles of ``steps`` as one program of any operands; `MismatchError` if golden differs."""
    accelerator = BoardAccelerator.over(device)
    program = compile_program(device.parameters, steps, accelerator.base_address)
    operands = _operands(program)
    found = accelerator.run(program, operands, precisions)
    wanted: Results = GoldenAccelerator(device.parameters).run(program, operands, precisions)
    for name, values in wanted.items():
        assert values is not None
        _compare(name, found[name], values)
    return accelerator.counters.cycles


def _operands(program: Program) -> dict[str, NDArray[np.int64]]:
    """Any values that fit."""
    rng = np.random.default_rng(SEED)
    operands: dict[str, NDArray[np.int64]] = {}
    for step in program.steps:
        for name, shape, operand, bits in (
            (step.row, step.row_shape, step.pass_.row, step.stored_bits[0]),
            (step.column, step.column_shape, step.pass_.column, step.stored_bits[1]),
        ):
            if name in program.operands and name not in operands:
                low, high = value_range(bits, operand.signed)
                operands[name] = rng.integers(low, high, shape, endpoint=True)
    return operands


def _compare(what: str, found: NDArray[np.int64] | None, wanted: NDArray[np.int64]) -> None:
    """Raise `MismatchError` with the first differences."""
    assert found is not None
    places = np.argwhere(found != wanted)
    if not len(places):
        return
    shown = ", ".join(
        f"at {tuple(map(int, place))} {int(found[tuple(place)])} instead of "
        f"{int(wanted[tuple(place)])}"
        for place in places[:SHOWN_DIFFERENCES]
    )
    raise MismatchError(f"{what}: {len(places):,} of {wanted.size:,} values differ, {shown}")
