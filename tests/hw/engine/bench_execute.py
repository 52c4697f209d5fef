"""Runs inside the simulator: the execute stage, given windows, against NumPy."""

import cocotb

from fractrain.hw.contract.commands import Fault
from tests.harness import Bench, testbench
from tests.hw.engine.execute_player import Player, check, fitted, send
from tests.hw.engine.window_source import window_bits
from tests.hw.sequencer.loop_nest import convolve_task, random_task

TASKS = 40


@testbench(cycle_limit=30_000)
@cocotb.parametrize(finish_rate=(1.0, 0.2), stalls=("never", "random"), gaps=(False, True))
async def products(bench: Bench, finish_rate: float, stalls: str, gaps: bool) -> None:
    """Tasks of all kinds: their results, and every signal about their passes."""
    player = Player(bench, finish_rate)
    parameters = player.parameters
    await player.set_gaps(gaps)
    await player.fill_columns()
    first = convolve_task(bench.random, parameters, 0, start=True)
    tasks = [random_task(bench.random, parameters, index) for index in range(1, TASKS)]
    tasks = [fitted(player, task) for task in [first, *tasks]]
    await check(bench, player, tasks, lambda number: window_bits(parameters, number), stalls)


@testbench(cycle_limit=5_000)
@cocotb.parametrize(gaps=(False, True))
async def a_pass_per_cycle(bench: Bench, gaps: bool) -> None:
    """Without waits there is no bubble between tasks of a single pass each."""
    player = Player(bench)
    await player.set_gaps(gaps)
    tasks = [
        convolve_task(bench.random, player.parameters, index, finish=False, column_address=0)
        for index in range(TASKS)
    ]
    send(bench, player, tasks)
    await player.run()
    cycles = [cycle for cycle, _ in player.issues]
    assert len(cycles) == TASKS
    assert (cycles[-1] - cycles[0] == TASKS - 1) is not gaps
    assert (player.busy_cycles["blocked_operand"] > 0) is gaps


@testbench(cycle_limit=5_000)
async def a_column_word_that_does_not_exist(bench: Bench) -> None:
    player = Player(bench)
    words = player.parameters.buffers.column_words
    tasks = [
        convolve_task(bench.random, player.parameters, 7, finish=False, column_address=words - 1),
        convolve_task(bench.random, player.parameters, 8, finish=False, column_address=words),
        convolve_task(bench.random, player.parameters, 9, finish=False, column_address=0),
    ]
    send(bench, player, tasks)
    await player.run()
    assert player.faults == [(player.issues[1][0] + 2, Fault.ADDRESS, 8)]


@testbench(cycle_limit=5_000)
async def halted(bench: Bench) -> None:
    """Nothing is issued then, and everything afterwards."""
    player = Player(bench)
    bits = 2 * player.parameters.array.spatial_bits
    tasks = [
        convolve_task(bench.random, player.parameters, index, bits, bits, column_address=0)
        for index in range(5)
    ]
    bench.dut.halt.value = 1
    send(bench, player, tasks)
    await bench.cycles(100)
    assert not int(bench.dut.issued.value) and not int(bench.dut.idle.value)
    bench.dut.halt.value = 0
    await player.run()
    assert len(player.issues) == 5 * 4
