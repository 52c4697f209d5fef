"""Command fetcher: programs of all lengths, for words shorter and longer than a command."""

import pytest

from fractrain.hw.fetch.commands import CommandFetcher
from tests.harness import run_bench
from tests.hw.machines import machine


@pytest.mark.parametrize(("preset", "spatial_bits"), [("tiny", 1), ("zc706", 1), ("zc706", 8)])
def test_command_fetcher(preset: str, spatial_bits: int) -> None:
    parameters = machine(preset, array__spatial_bits=spatial_bits, array__accumulator="behavioural")
    run_bench(
        CommandFetcher(parameters),
        f"command_fetcher_{parameters.word_bytes}",
        "tests.hw.fetch.bench_command_fetcher",
        parameters=parameters.to_mapping(),
    )
