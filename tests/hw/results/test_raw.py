"""Raw results: every bit of a beat's sums, in blocks, at addresses that follow each other."""

import pytest

from fractrain.hw.contract.precision import SUM_BITS
from fractrain.hw.results.raw import RawSerializer
from tests.harness.simulation import Simulation, simulate
from tests.harness.stalls import STALLS, stall_pattern
from tests.hw.machines import machine

MACHINES = [("tiny", 1), ("tiny", 2), ("tiny", 4), ("tiny", 8), ("zc706", 8), ("zc706", 4)]
"""Preset, and columns of a cluster: the number of results in a beat follows."""


@pytest.mark.parametrize(("preset", "columns"), MACHINES)
@pytest.mark.parametrize("stalls", STALLS)
def test_blocks(preset: str, columns: int, stalls: str) -> None:
    """Both formats in random order; without stalls a block leaves in every cycle."""
    parameters = machine(preset, array__cluster_columns=columns)
    results, block_bits = parameters.results_per_beat, parameters.block_bits

    async def body(simulation: Simulation) -> None:
        draw = simulation.random
        stall = stall_pattern(stalls, draw)
        address = 0
        expected_block = 0  # what was issued in the cycle before

        async def step(**inputs: int) -> None:
            nonlocal expected_block
            assert simulation.get("block") == expected_block
            expected_block = 0
            simulation.set(**{"load": 0, "issue": 0} | inputs)

        for _ in range(30):
            raw48, first = draw.random() < 0.5, draw.random() < 0.5
            await step(load=1, raw48=raw48, first=first)
            await simulation.tick()
            sums = [draw.getrandbits(SUM_BITS) for _ in range(results)]
            bits = SUM_BITS if raw48 else 32
            run = sum((each % (1 << bits)) << bits * i for i, each in enumerate(sums))
            start = draw.getrandbits(20) * parameters.block_bytes
            address = start if first else address
            simulation.set(sums=sum(each << SUM_BITS * i for i, each in enumerate(sums)))
            blocks = results * bits // block_bits
            left = list(range(blocks))
            while left:
                issue = not next(stall)
                await step(issue=issue, start=start)
                if issue:
                    number = left.pop(0)
                    assert simulation.get("address") == address
                    assert simulation.get("last") == (not left)
                    expected_block = run >> number * block_bits & (1 << block_bits) - 1
                    address += parameters.block_bytes
                if not left:
                    break  # the next beat is loaded as this one's last block is issued
                await simulation.tick()
            simulation.set(load=0)
            await simulation.tick()

    simulate(RawSerializer(parameters), body)
