"""The result stage: every format, mask and rounding, signals and rates, under stalls."""

import functools

import pytest

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.results.stage import ResultStage
from tests.harness import run_bench
from tests.hw.machines import machine

MODULE = "tests.hw.results.bench_result_stage"


@functools.cache
def stage_of(parameters: Parameters) -> ResultStage:
    return ResultStage(parameters)


def run(testcase: str, stores: int = 24, **changes: object) -> None:
    parameters = machine(buffers__gradient_words=256, **changes)
    key = "_".join(str(value) for value in changes.values()) or "tiny"
    stage = stage_of(parameters)
    run_bench(
        stage,
        f"result_stage_{key}",
        MODULE,
        parameters={
            "machine": parameters.to_mapping(),
            "stores": stores,
            "latency": stage.latency_cycles,
            "raw_latency": stage.raw_latency_cycles,
            "planes_latency": stage.planes_latency_cycles,
            "task_interval": stage.task_interval_cycles,
        },
        testcase=testcase,
    )


@pytest.mark.parametrize(
    "testcase",
    [
        "mixed_stores",
        "runs_of_one_format",
        "every_shift_and_width",
        "port_without_bubble",
        "planes_at_full_rate",
        "raw_at_full_rate",
        "skipped_stores_retire_at_once",
        "gradient_address_beyond_the_end",
        "nothing_is_offered_after_halt",
    ],
)
def test_result_stage(testcase: str) -> None:
    run(testcase)


@pytest.mark.parametrize(("planes", "columns"), [(2, 1), (4, 2), (8, 8)])
def test_planes_side_by_side_and_other_clusters(planes: int, columns: int) -> None:
    run(
        "mixed_stores",
        array__spatial_bits=planes,
        array__cluster_columns=columns,
        array__accumulator="behavioural",
    )
