"""Whole NARROWs and JOINs: every line, moment and peak is the functional machine's."""

import functools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.commands import Earlier, Fault, Join, Narrow, RowPixels
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.vector.result_path import ResultPath
from fractrain.hw.vector.result_walk import ResultWalk
from tests.hw.machines import machine
from tests.hw.refusals import assert_refused
from tests.hw.vector.machines import machine_with_unit
from tests.hw.vector.result_bench import SCALES, Job, ResultBench, Run, random_scales, sums_of
from tests.hw.vector.result_jobs import random_jobs, random_join, random_narrow

MACHINES = {
    "tiny": machine_with_unit(),
    "4 clusters": machine_with_unit(changes={"array__cluster_columns": 2}, side_bits=16),
    "zc706": machine_with_unit("zc706", staging_words=2048, side_words=1024),
}
PACES = {
    "never": Run(),
    "beats": Run(beats=0.2, tasks=0.2, records=0.2),
    "reads": Run(reads=0.8),
    "writes": Run(writes=0.8),
    "all": Run(beats=0.5, tasks=0.5, records=0.3, reads=0.5, writes=0.5),
}


@functools.cache
def bench_of(name: str) -> ResultBench:
    """The smallest with the cells that the FPGA has."""
    design = f"result_path_{name.replace(' ', '_')}"
    return ResultBench(MACHINES[name], design, primitives=name == "tiny")


@pytest.fixture(params=list(MACHINES))
def bench(request: pytest.FixtureRequest) -> ResultBench:
    return bench_of(request.param)


@pytest.fixture
def tiny() -> ResultBench:
    return bench_of("tiny")


@pytest.mark.parametrize("pace", PACES)
@settings(
    deadline=None,
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.integers(0, 1 << 30))
def test_any_commands(bench: ResultBench, pace: str, seed: int) -> None:
    """One after the other in the same memories; turns are taken away from the path at random."""
    rng = np.random.default_rng(seed)
    jobs = random_jobs(rng, bench.p, 5)
    bench.check(jobs, seed, PACES[pace], records=random_scales(rng))


KINDS = {
    "sums alone": (Earlier.NONE, False),
    "a stream": (Earlier.STREAM, False),
    "a part": (Earlier.PART, False),
    "interleaved": (Earlier.NONE, True),
    "interleaved, a stream": (Earlier.STREAM, True),
    "interleaved, a part": (Earlier.PART, True),
}


@pytest.mark.parametrize("pace", ["never", "all"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_join(tiny: ResultBench, kind: str, pace: str) -> None:
    earlier, interleaved = KINDS[kind]
    for seed in range(6):
        rng = np.random.default_rng(seed)
        jobs = random_join(rng, tiny.p, earlier=earlier, interleaved=interleaved, part=False)
        tiny.check(jobs, seed, PACES[pace], records=random_scales(rng))


def four_parities(p: Parameters, rng: np.random.Generator, row: RowPixels) -> list[Job]:
    """A whole tensor of errors of stride 2, the last of them with what was in its place."""
    tiles = {"row_pixels": row, "tiles_x": 1, "tiles_y": 2, "images": 2}
    blocks = 16 >> (2 - row) << 1
    fields: dict[str, Any] = {
        "interleaved": True,
        "image_blocks": blocks,
        "masked": True,
        "totals": True,
        "moments": 8,
        "peak": 3,
        **tiles,
    }
    jobs = []
    for number in range(4):
        command = Join(
            odd_row=number < 2,
            odd_column=number % 2 == 0,
            start=number == 0,
            scale=number,
            **fields,
        )
        jobs.append(Job(command, sums_of(rng, 4, p)))
    return jobs


@pytest.mark.parametrize("row", RowPixels)
def test_the_four_parities_of_stride_2(tiny: ResultBench, row: RowPixels) -> None:
    rng = np.random.default_rng(row)
    jobs = four_parities(tiny.p, rng, row)
    tiny.check(jobs, 1, PACES["never"], records=random_scales(rng))


def test_a_line_a_cycle(bench: ResultBench) -> None:
    """And so many cycles between commands as it says."""
    path, rng = bench.top.path, np.random.default_rng(5)
    channels = bench.p.block.channels
    jobs = [random_narrow(rng, bench.p) for _ in range(3)]
    jobs += random_join(rng, bench.p, earlier=Earlier.STREAM, interleaved=False, part=False)
    bench.check(jobs, 5, Run(), records=random_scales(rng))
    ends = np.flatnonzero(bench.found["ended"])
    begins = [bench.load, *ends[:-1]]
    for job, begin, end in zip(jobs, begins, ends, strict=True):
        lines = len(job.tiles) * channels * (2 if isinstance(job.command, Join) else 1)
        assert lines < end - begin <= lines + path.between_cycles


REFUSED = {
    "line": Narrow(address=1024 - 8 * 2 + 1, tiles_x=2),
    "scale": Narrow(scale=256),
    "moments": Narrow(moments=57),
    "peak": Narrow(peak=32),
    "part": Join(part=True, address=1024 - 14),
    "odd part": Join(part=True, address=1),
    "odd part that was earlier": Join(earlier=Earlier.PART, earlier_address=33),
    "stream": Join(earlier=Earlier.STREAM, earlier_address=1017),
    "side": Join(masked=True, side_address=505),
    "x̂": Join(totals=True, side_address=505),
    "moments of a join": Join(totals=True, moments=57),
    "interleaved": Join(interleaved=True, image_blocks=2, tiles_y=2, images=2, address=1000),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(tiny: ResultBench, name: str) -> None:
    """By its index, after the command before it; nothing behind it begins."""
    rng = np.random.default_rng(1)
    bad = REFUSED[name]
    count = bad.tiles_x * bad.tiles_y * bad.images
    good = Job(Narrow(), sums_of(rng, 1, tiny.p))
    tiny.play([good, Job(bad, sums_of(rng, count, tiny.p)), good], 1, Run())
    at = np.flatnonzero(tiny.found["fault"])
    assert tiny.found["fault"][at].tolist() == [Fault.ADDRESS]
    assert tiny.found["index"][at].tolist() == [1]
    assert tiny.found["ended"].sum() == 1
    assert not tiny.found["wrote"][at[0] + max(tiny.top.path.lanes.result_cycles) + 8 :].any()


ALLOWED = {
    "the last lines": Narrow(address=1024 - 8 * 2, tiles_x=2, scale=15, moments=56, peak=31),
    "no mask, no x̂": Join(side_address=511, moments=63),
    "a mask that does not count": Join(masked=True, side_address=511),
    "a part alone": Join(part=True, address=1024 - 16, totals=True, moments=63, peak=4000),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_allowed(tiny: ResultBench, name: str) -> None:
    rng = np.random.default_rng(2)
    command = ALLOWED[name]
    count = command.tiles_x
    masked = name != "a mask that does not count"
    jobs = [Job(command, sums_of(rng, count, tiny.p), masked=masked)]
    tiny.check(jobs, 3, Run(), records=random_scales(rng))


def test_halt(tiny: ResultBench) -> None:
    """Nothing is written in the middle of a command."""
    rng = np.random.default_rng(4)
    jobs = [Job(Narrow(tiles_y=8), sums_of(rng, 8, tiny.p))]
    tiny.play(jobs, 1, Run(), halt_after=60)
    wrote = np.flatnonzero(tiny.found["wrote"])
    assert 0 < len(wrote) < 64 and wrote[-1] < tiny.load + 60
    assert not tiny.found["ended"].any() and not tiny.found["fault"].any()


def test_what_the_bench_compares(tiny: ResultBench) -> None:
    """A scale, a start, a mask of other commands than those that were played are noticed."""
    rng = np.random.default_rng(6)
    records = random_scales(rng)
    job = Job(
        Join(masked=True, totals=True, scale=1, tiles_y=2, start=True), sums_of(rng, 2, tiny.p)
    )
    for change in ({"masked": False}, {"start": False}, {"totals": False}, {"peak": 1}):
        memories = tiny.play([job], 1, Run(), records=records)
        with pytest.raises(AssertionError):
            tiny.compare([replace(job, command=replace(job.command, **change))], memories)
    memories = tiny.play([job], 1, Run(), records=records)
    tiny.compare([job], memories)


def test_refusals() -> None:
    assert_refused(lambda: ResultPath(machine()), "no vector unit")
    assert SCALES <= 64 and ResultWalk.PREPARE_CYCLES == 2
