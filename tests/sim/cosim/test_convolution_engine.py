"""The real engine in the compiled harness, against the emulator of its commands."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from fractrain.hw.contract.commands import (
    Command,
    Convolve,
    End,
    Fault,
    Format,
    Load,
    Memory,
    Pattern,
    Store,
    Tag,
    Variant,
    Zero,
    encode_all,
)
from fractrain.hw.contract.engine_fault import EngineFault
from fractrain.hw.contract.errors import MachineError
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Operand, Precision
from fractrain.hw.contract.registers import RegisterMap
from fractrain.sim.cosim.compile import Design
from fractrain.sim.cosim.convolution import convolution_design
from fractrain.sim.cosim.convolution_faults import BusFaults, ErrorRegion
from fractrain.sim.cosim.stalls import BusStalls, Stall
from fractrain.sim.functional import FunctionalMachine
from fractrain.sim.memory_model import MemoryModel
from tests.sim.cosim.driven_simulation import DrivenSimulation, RunResult

TINY = load_parameters("tiny")
ROWS, IMAGES = 8, 2
DATA, WEIGHTS, RESULTS, PROGRAM, SIZE = 0, 1 << 16, 1 << 17, 1 << 18, 1 << 19
LIMIT = 100_000
BOTH: dict[str, Any] = {
    "slot": 1,
    "operand": Operand.ACTIVATION,
    "partner": Operand.WEIGHT,
    "tag": Tag.FORWARD,
}
TO_EXECUTE = FROM_FETCH = TO_FETCH = FROM_EXECUTE = 1
STALLS = {
    "never": BusStalls(),
    "half": BusStalls.everywhere(0.5),
    "bursts": BusStalls.everywhere(0.6, mean_run_cycles=30),
    "slow answers": BusStalls(r=Stall(0.8), b=Stall(0.8)),
    "slow port": BusStalls(port=Stall(0.9)),
}
MODELS = {"ideal": MemoryModel.ideal(), "ddr": MemoryModel.ddr(TINY)}


def quarters(row: int) -> int:
    """All of the three slots of a row of the window."""
    return 0xFFF << 12 * row


def window() -> list[Command]:
    """Three rows of a 3 x 3 window, in two pairs of reads."""
    variants = Variant.RIGHT | Variant.STRAIGHT << 3 | Variant.LEFT << 6
    above: dict[str, Any] = {"a_enable": True, "a_variants": variants}
    return [
        Pattern(
            0,
            **above,
            a_offset=-1,
            a_zero=Zero.TOP,
            a_quarters=quarters(0),
            b_enable=True,
            b_variants=variants,
            b_quarters=quarters(1),
            **BOTH,
        ),
        Pattern(1, **above, a_offset=1, a_zero=Zero.BOTTOM, a_quarters=quarters(2), **BOTH),
    ]


def convolutions(count: int, form: Format) -> list[Command]:
    """``count`` 3 x 3 convolutions of other data by the same weights, loads ahead of them."""
    words = ROWS * IMAGES
    half = TINY.buffers.plane_words // 2
    swapped = BOTH | {"operand": Operand.WEIGHT, "partner": Operand.ACTIVATION}
    groups = sum(group << 4 * group for group in range(9)) | 15 << 36
    commands = window()
    commands.append(
        Load(
            **swapped,
            memory=Memory.COLUMNS,
            address=WEIGHTS,
            runs=1,
            words=5,
            digit_stride=5,
            destination=0,
            destination_digit_stride=1,
            groups=groups,
        )
    )
    for number in range(count):
        place = number % 2 * half
        commands.append(
            Load(
                **BOTH,
                memory=Memory.PLANES,
                address=DATA + 4096 * number,
                runs=1,
                words=words,
                digit_stride=words,
                destination=place,
                destination_digit_stride=words,
                wait=FROM_EXECUTE if number >= 2 else 0,
                signal=TO_EXECUTE,
            )
        )
        commands.append(
            Convolve(
                **BOTH,
                row_signed=False,
                column_signed=True,
                pattern=0,
                pairs=2,
                address=place,
                column_address=0,
                digit_stride=words,
                y_stride=1,
                image_stride=ROWS,
                tiles_y=ROWS,
                images=IMAGES,
                wait=FROM_FETCH,
                signal=TO_FETCH if number < count - 2 else 0,
            )
        )
        commands.append(store(form, RESULTS + (1 << 15) * number))
    return [*commands, End()]


def store(form: Format, address: int) -> Store:
    places: dict[str, Any] = {"tiles_y": ROWS, "images": IMAGES}
    if form is Format.PLANES:
        places |= {"address": address, "tile_stride": 1, "digit_stride": ROWS * IMAGES}
        places |= {"bits": 7, "shift": 3, "signed": True}
    elif form is not Format.PORT:
        width = 4 if form is Format.RAW32 else 6
        tile = TINY.array.rows * TINY.array.columns * width // TINY.word_bytes
        places |= {"address": address, "tile_stride": tile}
    return Store(**BOTH, format=form, **places)


class Pair:
    """Engine and emulator with the same memory."""

    def __init__(self, machine: DrivenSimulation, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        machine.memory[:] = random.integers(0, 256, SIZE, dtype=np.uint8)
        self.machine = machine

    def load(self, commands: list[Command], bits: tuple[int, int]) -> int:
        words = encode_all(commands).reshape(-1)
        self.machine.memory[PROGRAM : PROGRAM + len(words)] = words
        self.machine.driver.table.set({1: Precision(*bits, 1)})
        self.expected = self.machine.memory.copy()
        self.emulator = FunctionalMachine(TINY, self.expected)
        self.emulator.table[1] = Precision(*bits, 1)
        return len(commands)

    def run(self, commands: list[Command], bits: tuple[int, int], **options: Any) -> RunResult:
        """Run on both; all that either leaves behind must be equal."""
        count = self.load(commands, bits)
        result = self.machine.run(
            PROGRAM, count, cycle_limit=LIMIT, **{"collect_port": 4_000, **options}
        )
        expected = self.emulator.run(PROGRAM, count)
        assert np.array_equal(result.port, expected.beats)
        assert np.array_equal(self.machine.memory, self.expected)
        for tag in Tag:
            assert result.counters[tag]["BUSY"] == expected.passes.get(tag, 0)
            assert result.counters[tag]["BYTES_READ"] == expected.bytes_read.get(tag, 0)
            assert result.counters[tag]["BYTES_WRITTEN"] == expected.bytes_written.get(tag, 0)
        assert sum(result.bytes_written) == sum(expected.bytes_written.values())
        return result


@pytest.fixture(scope="module")
def machine() -> Any:
    with DrivenSimulation(TINY, memory_bytes=SIZE) as simulation:
        yield simulation


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("stalls", STALLS)
def test_programs_agree_with_the_emulator(
    machine: DrivenSimulation, stalls: str, model: str
) -> None:
    random = np.random.default_rng([len(stalls), len(model)])
    pair = Pair(machine)
    for form in (Format.PORT, Format.RAW32, Format.RAW48, Format.PLANES):
        bits = tuple(int(each) for each in random.integers(0, 8, 2))
        seed = int(random.integers(1000))
        pair.run(
            convolutions(int(random.integers(1, 6)), form),
            bits,  # type: ignore[arg-type]
            model=MODELS[model],
            stalls=STALLS[stalls],
            seed=seed,
        )


ARRAY = re.compile(r"^  reg (?:\[(\d+):0\] )?(\w+) \[(\d+):0\];$", re.MULTILINE)


def with_random_memories(design: Design) -> Design:
    """The same design, every word of every memory as a random generator gives it."""

    def fill(array: re.Match[str]) -> str:
        top, name, last = int(array[1] or 0), array[2], int(array[3])
        words = ", ".join(["$urandom"] * (top // 32 + 1))
        loop = f"for (place_{name} = 0; place_{name} <= {last}; place_{name} = place_{name} + 1)"
        filling = f"  initial {loop} {name}[place_{name}] = {{{words}}};"
        return "\n".join([array[0], f"  integer place_{name};", filling])

    text, count = ARRAY.subn(fill, design.verilog)
    assert count > 20
    return Design(design.name, text)


def test_nothing_depends_on_what_memories_begin_with() -> None:
    """The FPGA's begin with zeros, and no tool is told so. Counters are cleared by the reset."""
    filled = with_random_memories(convolution_design(TINY))
    with DrivenSimulation(TINY, memory_bytes=SIZE, design=filled) as simulation:
        table = [RegisterMap(TINY).table_address(slot) for slot in range(TINY.precision.slots)]
        shown = [simulation.read_register(address) for address in table]
        assert len(set(shown)) > len(shown) // 2, "the memories are not random"
        assert not any(
            any(each.values()) for each in simulation.driver.registers.counters().values()
        )
        pair = Pair(simulation)
        for form in (Format.PORT, Format.RAW32, Format.RAW48, Format.PLANES):
            pair.run(convolutions(5, form), (6, 5), model=MODELS["ddr"], stalls=STALLS["half"])


def test_every_cycle_is_counted_once(machine: DrivenSimulation) -> None:
    uncounted = set()  # from START to the first cycle that counts, whatever the program
    for bits in ((1, 1), (4, 5)):
        result = Pair(machine).run(convolutions(4, Format.PORT), bits)
        cycles = sum(
            value
            for counters in result.counters.values()
            for name, value in counters.items()
            if not name.startswith("BYTES")
        )
        uncounted.add(result.cycles - cycles)
    assert len(uncounted) == 1, uncounted
    assert result.counters[Tag.FORWARD]["BUSY"] == 4 * ROWS * IMAGES * 4 * 5


@pytest.mark.parametrize(
    ("address", "cause"),
    [
        (PROGRAM + 200, Fault.READ_ERROR),
        (DATA + 4096 * 2 + 24, Fault.READ_ERROR),
        (RESULTS + (1 << 15) + 100, Fault.WRITE_ERROR),
    ],
)
def test_bus_errors_stop_the_engine_and_a_reset_mends_it(
    machine: DrivenSimulation, address: int, cause: Fault
) -> None:
    pair = Pair(machine)
    commands = convolutions(4, Format.RAW32)
    count = pair.load(commands, (3, 3))
    before = machine.memory.copy()
    machine.inject(BusFaults((ErrorRegion(address, address),)))
    with pytest.raises(EngineFault) as error:
        machine.run(PROGRAM, count, cycle_limit=LIMIT, model=MemoryModel.ddr(TINY))
    assert error.value.cause is cause
    assert 0 <= error.value.index < count
    assert np.array_equal(machine.memory[:RESULTS], before[:RESULTS])
    machine.inject(BusFaults())
    pair.run(commands, (3, 3))


@pytest.mark.parametrize("requests", [False, True])
@pytest.mark.parametrize("cycle", [20, 400, 1_500])
def test_a_stuck_bus_is_a_timeout(
    machine: DrivenSimulation, cycle: int, requests: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = Pair(machine)
    commands = convolutions(4, Format.RAW32)
    count = pair.load(commands, (4, 4))
    monkeypatch.setattr(machine.driver, "watchdog_cycles", 300)
    running = machine.start(PROGRAM, count, cycle_limit=LIMIT)
    machine.inject(BusFaults(stuck_from=cycle, stuck_requests=requests))
    with pytest.raises(MachineError, match="; not idle 131056 cycles after a reset") as error:
        machine.finish(running)
    fault = error.value.__cause__
    assert isinstance(fault, EngineFault) and fault.cause is Fault.TIMEOUT
    assert cycle < fault.cycles < cycle + 2_000
    machine.inject(BusFaults())
    machine.driver.stop()
    pair.run(commands, (4, 4))


def test_addresses_outside_the_window_are_never_used(machine: DrivenSimulation) -> None:
    pair = Pair(machine)
    count = pair.load(convolutions(2, Format.RAW32), (4, 4))
    before = machine.memory.copy()
    with pytest.raises(EngineFault) as error:
        machine.run(PROGRAM, count, cycle_limit=LIMIT, window=(0, RESULTS - 1))
    assert error.value.cause is Fault.WINDOW and error.value.index == 0
    with pytest.raises(EngineFault) as error:
        machine.run(PROGRAM, count, cycle_limit=LIMIT, window=(WEIGHTS, SIZE - 1))
    assert error.value.cause is Fault.WINDOW and error.value.index == 3
    assert np.array_equal(machine.memory, before)
    pair.run(convolutions(2, Format.RAW32), (4, 4))


def test_the_table_is_read_anew_by_every_program(machine: DrivenSimulation) -> None:
    pair = Pair(machine)
    for bits in ((8, 8), (1, 1), (0, 4), (3, 2), (16, 1)):
        result = pair.run(convolutions(2, Format.PORT), bits)
        assert result.counters[Tag.FORWARD]["BUSY"] == 2 * ROWS * IMAGES * bits[0] * bits[1]
