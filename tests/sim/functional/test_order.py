"""The emulator's stages: tokens, skipped commands, faults and the end of a program."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from fractrain.hw.contract.commands import End, Fault, Format, Memory, Store, Tag
from fractrain.hw.contract.errors import MachineError
from fractrain.sim.functional import Order
from fractrain.sim.functional.fault import FaultError
from tests.hw.machines import machine
from tests.sim.functional.machine_bench import BOTH, DATA, PROGRAM, SIZE, Bench, fill, one_tile


def test_a_stage_waits_for_its_tokens() -> None:
    """In any order, as the loads wait for each other's convolutions."""
    p = machine()
    results = []
    for order in Order:
        bench = Bench(p, (5, 6), 3)
        load, columns, pattern, convolve = one_tile(p)
        second = dataclasses.replace(load, address=DATA + 64 * p.word_bytes, wait=1, signal=1)
        results.append(
            bench.run(
                Store(**BOTH, format=Format.PORT, images=2),
                load,
                dataclasses.replace(columns, signal=1),
                pattern,
                dataclasses.replace(convolve, wait=1, signal=1),
                second,
                dataclasses.replace(convolve, wait=1),
                End(),
                order=order,
            ).beats
        )
    assert all(np.array_equal(results[0], each) for each in results)
    assert not np.array_equal(*np.split(results[0], 2))


def test_a_token_that_nobody_gives_is_noticed() -> None:
    p = machine()
    with pytest.raises(MachineError, match="waits for ever: FETCH at command 0"):
        Bench(p, (1, 1), 0).run(dataclasses.replace(fill(p, 1), wait=1), End())


def test_zero_bits_skip() -> None:
    p = machine()
    bench = Bench(p, (0, 6), 0)
    result = bench.run(Store(**BOTH, format=Format.PORT), *one_tile(p), End())
    assert len(result.beats) == 0 and result.passes == {} and Tag.FORWARD not in result.bytes_read


@pytest.mark.parametrize(
    ("fault", "command"),
    [
        (Fault.SLOT, {"slot": 200}),
        (Fault.COUNT, {"runs": 0}),
        (Fault.COUNT, {"words": 6, "memory": Memory.COLUMNS}),
        (Fault.COUNT, {"groups": 9, "memory": Memory.COLUMNS}),
        (Fault.ADDRESS, {"destination": 512}),
        (Fault.WINDOW, {"address": SIZE}),
        (Fault.ALIGNMENT, {"address": 8}),
    ],
)
def test_faults(fault: Fault, command: dict[str, Any]) -> None:
    p = machine()
    with pytest.raises(FaultError) as caught:
        Bench(p, (1, 1), 0).run(dataclasses.replace(fill(p, 1), **command), End())
    assert (caught.value.fault, caught.value.index) == (fault, 0)


def test_a_program_must_end() -> None:
    p = machine()
    with pytest.raises(FaultError) as caught:
        Bench(p, (1, 1), 0).run(fill(p, 1))
    assert (caught.value.fault, caught.value.index) == (Fault.PROGRAM, 1)


def test_opcode_and_precision() -> None:
    p = machine(precision__max_bits=8)
    bench = Bench(p, (9, 1), 0)
    with pytest.raises(FaultError) as caught:
        bench.run(fill(p, 1), End())
    assert caught.value.fault is Fault.PRECISION
    bench.memory[PROGRAM:] = 0
    with pytest.raises(FaultError) as caught:
        bench.machine.run(PROGRAM, 1)
    assert caught.value.fault is Fault.OPCODE


@pytest.mark.parametrize("tokens", [{"wait": 4}, {"wait": 8}, {"signal": 2}, {"signal": 8}])
def test_tokens_of_a_vector_unit_are_faults_without_one(tokens: dict[str, int]) -> None:
    p = machine()
    with pytest.raises(FaultError) as caught:
        Bench(p, (1, 1), 0).run(dataclasses.replace(fill(p, 1), **tokens), End())
    assert (caught.value.fault, caught.value.index) == (Fault.COUNT, 0)
