"""Random commands for the result path."""

from dataclasses import replace
from typing import Any

import numpy as np

from fractrain.hw.contract.commands import Earlier, Join, Narrow, RowPixels
from fractrain.hw.contract.parameters import Parameters
from tests.hw.vector.result_bench import SCALES, Job, sums_of

__all__ = ["interleaved_blocks", "random_join", "random_jobs", "random_narrow", "random_tiles"]

MOST_TILES = 12


def random_tiles(rng: np.random.Generator, p: Parameters, most: int = MOST_TILES) -> dict[str, Any]:
    """Fields of the tiles: all rows, few or many of each, any pixels outside."""
    while True:
        counts = [int(each) for each in rng.integers(1, 5, 3)]
        if np.prod(counts) <= most:
            break
    return {
        "row_pixels": RowPixels(int(rng.integers(0, 3))),
        **dict(zip(("tiles_x", "tiles_y", "images"), counts, strict=True)),
        "valid_x": int(rng.choice([255, 0, 1, p.array.rows, rng.integers(0, p.array.rows + 2)])),
        "valid_y": int(rng.choice([255, 0, 1, 2, 3, 4])),
    }


def count_of(tiles: dict[str, Any]) -> int:
    return tiles["tiles_x"] * tiles["tiles_y"] * tiles["images"]


def address(rng: np.random.Generator, memory: int, lines: int, *, even: bool = False) -> int:
    """A first line, at the ends of the memory, too."""
    most = memory - lines
    assert most >= 0
    found = int(rng.choice([0, most, int(rng.integers(0, most + 1))]))
    return found - found % 2 if even else found


def sums_fields(rng: np.random.Generator, p: Parameters) -> dict[str, Any]:
    assert p.vector is not None
    return {
        "scale": int(rng.integers(0, SCALES)),
        "moments": int(rng.integers(0, p.vector.moment_words - p.block.channels + 1)),
        "start": bool(rng.integers(0, 2)),
        "peak": int(rng.integers(0, p.vector.peak_words)),
    }


def random_narrow(rng: np.random.Generator, p: Parameters) -> Job:
    assert p.vector is not None
    tiles = random_tiles(rng, p)
    count = count_of(tiles)
    first = address(rng, p.vector.staging_words, count * p.block.channels)
    command = Narrow(address=first, **tiles, **sums_fields(rng, p))
    return Job(command, sums_of(rng, count, p))


def interleaved_blocks(p: Parameters, tiles: dict[str, Any]) -> int:
    """Blocks of an image of the tensor that four such commands fill."""
    rows = 1 << 2 - tiles["row_pixels"]
    row = p.array.rows // rows * tiles["tiles_x"] * 2
    return -(-2 * rows * tiles["tiles_y"] * row // p.array.rows)


def random_join(
    rng: np.random.Generator,
    p: Parameters,
    *,
    earlier: Earlier | None = None,
    interleaved: bool | None = None,
    part: bool | None = None,
) -> list[Job]:
    """Of parts, streams in their place or in another, masks and totals; what is None is drawn. A
    part that is added is left there by a command before."""
    assert p.vector is not None
    channels, staging = p.block.channels, p.vector.staging_words
    earlier = Earlier(int(rng.integers(0, 3))) if earlier is None else earlier
    interleaved = bool(rng.integers(0, 2)) if interleaved is None else interleaved
    part = rng.random() < 0.2 if part is None else part
    tiles = random_tiles(rng, p, MOST_TILES // 2)
    count = count_of(tiles)
    whole = {"image_blocks": 0}
    blocks = count
    if interleaved:
        each = interleaved_blocks(p, tiles) + int(rng.integers(0, 2))
        whole, blocks = {"image_blocks": each}, each * tiles["images"]
    lines = channels * (2 * count if part else blocks)
    side_lines = channels * blocks
    if side_lines > p.vector.side_words or lines > staging // 2:
        return random_join(rng, p, earlier=earlier, interleaved=interleaved, part=part)
    # one half of the memory for what is written, one for what was there
    first = address(rng, staging // 2, lines, even=part)
    if earlier is Earlier.STREAM:
        in_place = rng.random() < 0.5
        before = first if in_place else staging // 2 + address(rng, staging // 2, lines)
    else:
        parts = 2 * channels * count
        before = staging // 2 + address(rng, staging // 2, parts, even=True)
    command = Join(
        address=first,
        earlier=earlier,
        earlier_address=before,
        part=part,
        masked=bool(rng.integers(0, 2)),
        side_address=address(rng, p.vector.side_words, side_lines),
        totals=bool(rng.integers(0, 2)),
        interleaved=interleaved,
        odd_row=bool(rng.integers(0, 2)),
        odd_column=bool(rng.integers(0, 2)),
        **whole,
        **tiles,
        **sums_fields(rng, p),
    )
    job = Job(command, sums_of(rng, count, p), masked=rng.random() < 0.7)
    if part or earlier is not Earlier.PART:
        return [job]
    leaves = replace(command, part=True, address=before, scale=int(rng.integers(0, SCALES)))
    return [Job(leaves, sums_of(rng, count, p)), job]


def random_jobs(rng: np.random.Generator, p: Parameters, count: int) -> list[Job]:
    """Of both kinds, in any order."""
    jobs: list[Job] = []
    while len(jobs) < count:
        jobs += [random_narrow(rng, p)] if rng.random() < 0.35 else random_join(rng, p)
    return jobs
