"""Runs inside the simulator: plane memory to results, against NumPy."""

from dataclasses import replace

import cocotb
import numpy as np

from fractrain.hw.contract.commands import Convolve, Tag
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.layouts import plane_write
from tests.harness import Bench, testbench
from tests.hw.engine.execute_player import Player, check, fitted
from tests.hw.feeder.programs import random_convolve, random_memory, random_pattern
from tests.hw.feeder.reference import Bits, Machine, OutsideError
from tests.hw.sequencer.loop_nest import Task

CONVOLVES = 20
PATTERNS = 6
EVERYTHING = {"a_enable": True, "a_quarters": (1 << 36) - 1, "a_variants": 0, "b_enable": False}


async def fill_planes(bench: Bench, parameters: Parameters, memory: Bits) -> None:
    """``memory[word, plane, pixel, channel]``"""
    layout = plane_write(parameters)
    for address, word in enumerate(memory):
        bits = np.packbits(word.ravel(), bitorder="little").tobytes()
        write = {"valid": 1, "address": address, "data": int.from_bytes(bits, "little")}
        bench.dut.plane_write.value = layout.const(write).as_value().value
        await bench.cycles()
    bench.dut.plane_write.value = 0


def random_command(bench: Bench, parameters: Parameters) -> Convolve:
    random = bench.random
    names = ("row_signed", "column_signed", "start", "finish", "reduce")
    command = random_convolve(parameters, random, PATTERNS).command
    assert isinstance(command, Convolve)
    return replace(
        command,
        **{name: bool(random.getrandbits(1)) for name in names},
        groups=random.choice((0x1FF, random.getrandbits(9))),
        tag=Tag(random.randrange(4)),
        signal=random.randrange(2),
    )


def program(bench: Bench, player: Player, machine: Machine) -> tuple[list[Task], list[np.ndarray]]:
    """Tasks without faults, some of them skipped, and their windows."""
    parameters, random = player.parameters, bench.random
    tasks = [Task(random_pattern(parameters, random, entry)) for entry in range(PATTERNS)]
    # the first writes all of the window, so that nothing in it is unknown
    tasks[0] = replace(tasks[0], command=replace(tasks[0].command, **EVERYTHING, a_zero=0))
    for task in tasks:
        list(machine.run(task.command, 1))
    windows: list[np.ndarray] = []
    while len(tasks) < PATTERNS + CONVOLVES:
        command = random_command(bench, parameters)
        if not windows:
            command = replace(command, start=True, pattern=0, pairs=1)
        task = Task(command, random.randint(1, 4), random.randint(1, 4), len(tasks))
        before = machine.window.copy(), machine.written.copy()
        try:
            made = list(machine.run(command, parameters.digits(task.bits)))
        except OutsideError:
            machine.window, machine.written = before
            continue
        assert all(each.known.all() for each in made)
        windows += [each.rows for each in made]
        tasks.append(fitted(player, task))
        if random.random() < 0.2:
            tasks.append(replace(task, bits=0, index=len(tasks)))
    return tasks, windows


@testbench(cycle_limit=30_000)
@cocotb.parametrize(finish_rate=(1.0, 0.2), stalls=("never", "random"))
async def products_of_windows(bench: Bench, finish_rate: float, stalls: str) -> None:
    """CONVOLVEs of random patterns: what leaves the array is the contract's loop nest."""
    player = Player(bench, finish_rate)
    memory = random_memory(player.parameters, bench.random)
    await fill_planes(bench, player.parameters, memory)
    await player.fill_columns()
    tasks, windows = program(bench, player, Machine(player.parameters, memory))
    await check(bench, player, tasks, windows.__getitem__, stalls)
