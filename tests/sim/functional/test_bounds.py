"""What the emulator decides by a limit: at the limit, one below it and one above."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fractrain.hw.contract.commands import (
    FIELDS,
    Convolve,
    Fault,
    Format,
    Load,
    Memory,
    Opcode,
    Pattern,
    RowPixels,
    Store,
    encode,
)
from fractrain.hw.contract.precision import Operand, Precision
from fractrain.sim.functional.decoding import decode_task
from fractrain.sim.functional.execute import wrap48
from fractrain.sim.functional.fault import StageFault
from fractrain.sim.functional.results import ResultStage, narrow
from fractrain.sim.functional.words import ChipMemories, ExternalMemory, load
from tests.hw.machines import machine

P = machine(precision__slots=5, precision__max_bits=9, buffers__patterns=17)
HEADER = {"slot": 0, "operand": Operand.ACTIVATION, "partner": Operand.WEIGHT}
LOAD = {**HEADER, "memory": Memory.COLUMNS, "address": 0, "runs": 1, "destination": 0}
CONVOLVE = {
    **HEADER,
    "row_signed": False,
    "column_signed": False,
    "address": 0,
    "column_address": 0,
}


def fault_of(command: Any, bits: int = 4, partner: int = 4) -> Fault | None:
    table = [Precision(bits, partner, 1)] * P.precision.slots
    try:
        decode_task(encode(command), 0, P, table)
    except StageFault as fault:
        return fault.fault
    return None


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_decoding(over: int) -> None:
    def limit(fault: Fault) -> Fault | None:
        return fault if over > 0 else None

    store = {"format": Format.PLANES, "address": 0}
    for command, fault in (
        (Store(**{**HEADER, "slot": 4 + over}, format=Format.NONE), Fault.SLOT),
        (Pattern(16 + over), Fault.COUNT),
        (Load(**LOAD, words=5 + over, groups=0), Fault.COUNT),
        (Load(**LOAD, words=1, groups=8 + over), Fault.COUNT),
        (Convolve(**CONVOLVE, pattern=14 + over, pairs=3), Fault.COUNT),
        (Convolve(**CONVOLVE, pattern=14, pairs=3 + over), Fault.COUNT),
        (Store(**HEADER, **store, bits=16 + over), Fault.COUNT),
    ):
        assert fault_of(command) is limit(fault), command
    assert fault_of(Load(**LOAD, words=1), bits=9 + over) is limit(Fault.PRECISION)
    assert fault_of(Load(**LOAD, words=1), partner=9 + over) is limit(Fault.PRECISION)


@pytest.mark.parametrize("count", ["images", "tiles_x", "tiles_y", "slices", "pairs"])
def test_counts_are_at_least_one(count: str) -> None:
    for value, fault in ((0, Fault.COUNT), (1, None), (2, None)):
        assert fault_of(Convolve(**CONVOLVE, **{"pattern": 0, "pairs": 1, count: value})) is fault


@pytest.mark.parametrize("bits", [0, 1, 2])
def test_results_have_at_least_one_bit(bits: int) -> None:
    command = Store(**HEADER, format=Format.PLANES, address=0, bits=bits)
    assert fault_of(command) is (None if bits else Fault.COUNT)


@pytest.mark.parametrize("name", ["operand", "partner", "format", "row_pixels"])
@pytest.mark.parametrize("over", [-1, 0])
def test_codes_of_nothing(name: str, over: int) -> None:
    place = FIELDS[Opcode.STORE][name]
    first = len({"format": Format, "row_pixels": RowPixels}.get(name, Operand))
    word = encode(Store(**HEADER, format=Format.NONE, bits=1))
    word &= ~(((1 << place.width) - 1) << place.offset)
    word |= first + over << place.offset
    table = [Precision(4, 4, 4)] * P.precision.slots
    if over < 0:
        decode_task(word, 0, P, table)
        return
    with pytest.raises(StageFault):
        decode_task(word, 0, P, table)


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_the_end_of_the_gradient_memory(over: int) -> None:
    chip = ChipMemories(P, np.random.default_rng(0))
    stage = ResultStage(P, chip, ExternalMemory(np.zeros(0, np.uint8), 0, P))
    last = P.buffers.gradient_words - P.beats_per_tile
    command = Store(**HEADER, format=Format.NONE, keep=True, gradient_address=last + over)
    tile = np.ones((P.array.rows, P.array.columns), np.int64)
    if over > 0:
        with pytest.raises(StageFault):
            stage.store(command, 0, tile)
    else:
        stage.store(command, 0, tile)


@pytest.mark.parametrize("memory", Memory)
@pytest.mark.parametrize("over", [-1, 0, 1])
def test_the_end_of_a_memory_and_of_the_window(memory: Memory, over: int) -> None:
    sizes = {Memory.PLANES: P.buffers.plane_words, Memory.COLUMNS: P.buffers.column_words}
    chip = ChipMemories(P, np.random.default_rng(0))
    external = ExternalMemory(np.zeros(8 * P.word_bytes, np.uint8), 0, P)
    external.first, external.last = P.word_bytes, 5 * P.word_bytes - 1

    def fault(address: int, destination: int) -> Fault | None:
        command = Load(
            **{**LOAD, "memory": memory, "address": address * P.word_bytes}
            | {"destination": destination},
            words=2,
        )
        try:
            load(command, 1, chip, external)
        except StageFault as found:
            return found.fault
        return None

    # two words: both in the plane memory, both halves of one in the column memory
    last = sizes[memory] - (2 if memory is Memory.PLANES else 1)
    assert fault(1, last + over) is (Fault.ADDRESS if over > 0 else None)
    assert fault(3 + over, 0) is (Fault.WINDOW if over > 0 else None)
    assert fault(1 - over, 0) is (Fault.WINDOW if over > 0 else None)


def test_accumulators_wrap_at_2_47() -> None:
    values = np.array([2**47 - 1, 2**47, 2**47 + 1, -(2**47), -(2**47) - 1])
    assert wrap48(values).tolist() == [2**47 - 1, -(2**47), -(2**47) + 1, -(2**47), 2**47 - 1]


@pytest.mark.parametrize("bits", [1, 8, 16])
def test_narrowing_at_the_ends_of_its_range(bits: int) -> None:
    half = 1 << (bits - 1)
    for signed, low, high in ((True, -half, half - 1), (False, 0, 2 * half - 1)):
        sums = np.array([low - 1, low, low + 1, high - 1, high, high + 1])
        found = narrow(sums, 0, bits, signed=signed).tolist()
        assert found == [low, low, min(low + 1, high), max(high - 1, low), high, high]
