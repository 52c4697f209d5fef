"""Runs inside the simulator: random tasks against the loop nest written down."""

from collections.abc import Iterator

import cocotb

from hw.contract.parameters import Parameters
from hw.sequencer.tasks import multiply_task, plane_pass
from tests.harness import STALLS, Bench, testbench
from tests.hw.machines import machine

TASKS = 40


def parameters_of(bench: Bench) -> Parameters:
    return machine(array__spatial_bits=bench.parameters["spatial_bits"])


def random_operand(bench: Bench, parameters: Parameters) -> dict[str, int]:
    random, spatial = bench.random, parameters.array.spatial_bits
    digits = random.choice((1, 2, random.randint(1, parameters.digits(16))))
    return {
        "digits": digits,
        "tail": random.randint(1, spatial),
        "signed": random.randint(0, 1),
        "address": random.randrange(1 << 16),
        "stride": random.randrange(1 << 16),
    }


def random_task(bench: Bench, parameters: Parameters) -> dict:
    flags = {name: bench.random.randint(0, 1) for name in ("wait", "signal", "start", "finish")}
    return {
        **flags,
        "index": 0,
        "skip": int(bench.random.random() < 0.2),
        "slices": bench.random.randint(1, 3),
        "row": random_operand(bench, parameters),
        "column": random_operand(bench, parameters),
    }


def planes(operand: dict[str, int], digit: int, spatial: int) -> tuple[int, int]:
    """(enable, negative) of a digit: its planes that exist, and those of negative weight."""
    count = operand["tail"] if digit == operand["digits"] - 1 else spatial
    return (1 << count) - 1, int(operand["signed"] and digit == 0)


def expected_passes(task: dict, spatial: int) -> Iterator[dict[str, int]]:
    if task["skip"]:
        return
    row, column = task["row"], task["column"]
    for step in range(task["slices"]):
        for p in range(row["digits"]):
            for q in range(column["digits"]):
                start = (step, p, q) == (0, 0, 0)
                end = (step, p, q) == (task["slices"] - 1, row["digits"] - 1, column["digits"] - 1)
                row_enable, row_negative = planes(row, p, spatial)
                column_enable, column_negative = planes(column, q, spatial)
                yield {
                    "row_address": (row["address"] + step * row["stride"] + p) % (1 << 16),
                    "column_address": (column["address"] + step * column["stride"] + q) % (1 << 16),
                    "shift": spatial * (row["digits"] - 1 - p + column["digits"] - 1 - q),
                    "first": int(start and task["start"]),
                    "last": int(end and task["finish"]),
                    "row_enable": row_enable,
                    "row_negative": row_negative,
                    "column_enable": column_enable,
                    "column_negative": column_negative,
                    "excess": 2 * spatial - row["tail"] - column["tail"],
                }


@testbench(cycle_limit=60_000)
@cocotb.parametrize(task_stalls=STALLS, pass_stalls=STALLS)
async def issues_the_loop_nest(bench: Bench, task_stalls: str, pass_stalls: str) -> None:
    parameters = parameters_of(bench)
    task_layout, pass_layout = multiply_task(parameters), plane_pass(parameters)
    spatial = parameters.array.spatial_bits
    source = bench.source(
        "tasks", stalls=task_stalls, encode=lambda task: task_layout.const(task).as_value().value
    )
    sink = bench.sink("passes", stalls=pass_stalls, decode=pass_layout.from_bits)
    tasks = [random_task(bench, parameters) for _ in range(TASKS)]
    expected = [each for task in tasks for each in expected_passes(task, spatial)]
    source.send(*tasks)
    received = await sink.receive(len(expected))
    for number, (found, wanted) in enumerate(zip(received, expected, strict=True)):
        assert {name: found[name] for name in wanted} == wanted, f"pass {number}"


@testbench(cycle_limit=60_000)
async def one_pass_per_cycle(bench: Bench) -> None:
    """No bubble between tasks: n passes take n cycles, whatever the precisions."""
    parameters = parameters_of(bench)
    layout = multiply_task(parameters)
    source = bench.source("tasks", encode=lambda task: layout.const(task).as_value().value)
    sink = bench.sink("passes")
    tasks = [{**random_task(bench, parameters), "skip": 0} for _ in range(TASKS)]
    passes = sum(
        task["slices"] * task["row"]["digits"] * task["column"]["digits"] for task in tasks
    )
    source.send(*tasks)
    await sink.receive(1)
    await bench.cycles(passes - 1)
    assert sink.transferred == passes
