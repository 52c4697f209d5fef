"""The bare top as it is synthesized, with a model of the processing system around it."""

from tests.harness import run_bench
from tests.hw.machines import machine
from tests.hw.zynq.board import Board

BUILD_HASH = 0x8BAD_F00D


def test_board() -> None:
    parameters = machine(memory__outstanding=16)
    board = Board(parameters, build_hash=BUILD_HASH)
    run_bench(
        board,
        "tiny_board",
        "tests.hw.zynq.bench_board",
        parameters={"machine": parameters.to_mapping(), "build_hash": BUILD_HASH},
        models=board.models,
    )
