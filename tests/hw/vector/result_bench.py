"""Plays commands into the result path and compares all memories with the functional machine's."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fractrain.hw.contract.commands import Earlier, Join, Narrow, RowPixels, encode
from fractrain.hw.contract.numerics import CONVOLVED_BITS, NARROW_BITS
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.records import RECORD_BYTES, Record, pack_records
from fractrain.hw.flow.layouts import port_beat
from fractrain.hw.flow.unit_layouts import side_line
from fractrain.hw.memory.line_memory import line_write
from fractrain.hw.vector.moments import moment_line
from fractrain.hw.vector.peaks import peak_read, peak_value
from fractrain.sim.functional.decoding import Task
from fractrain.sim.functional.pixels import block_count
from fractrain.sim.functional.staging import Staging
from fractrain.sim.functional.vector_decoding import LookedUp
from fractrain.sim.functional.vector_memories import VectorMemories
from tests.hw.vector.beats import ends_and_random, pack
from tests.hw.vector.result_top import ResultTop, queued_task
from tests.hw.verilator import Player, primitive_models

__all__ = ["SCALES", "Job", "ResultBench", "Run", "carry_out", "random_scales", "sums_of"]

SCALES = 16
"""Scale records, from 0 on."""
READ_SLACK = 8
Integers = np.ndarray


@dataclass
class Job:
    """A command with its tiles, ``tiles[t, pixel, channel]``; whether ``mask_slot`` has bits."""

    command: Narrow | Join
    tiles: Integers
    masked: bool = True


@dataclass
class Run:
    """How fast beats, tasks, records are offered, and how often the bench takes a turn away."""

    beats: float = 1.0
    tasks: float = 1.0
    records: float = 1.0
    reads: float = 0.0
    writes: float = 0.0


def whole(values: Integers, bits: int) -> Integers:
    """``values[n, count]`` as bytes ``[n, …]``, ``bits`` each, the first in the lowest bits."""
    raw = values.astype(np.int64)[..., None] >> np.arange(bits) & 1
    flat = raw.astype(np.uint8).reshape(len(values), -1)
    return np.packbits(flat, axis=1, bitorder="little")


class ResultBench:
    def __init__(self, parameters: Parameters, name: str, *, primitives: bool = False) -> None:
        self.p = parameters
        self.top = ResultTop(parameters, primitives=primitives)
        self.player = Player(self.top, name, models=primitive_models() if primitives else "")
        self.sizes = self.top.sizes

    def beats_of(self, tiles: Integers) -> Integers:
        """``[beat, result]``: result row * clusters + cluster is of column cluster * beats + b."""
        p = self.p
        split = tiles.reshape(len(tiles), p.array.rows, p.column_clusters, p.beats_per_tile)
        return split.transpose(0, 3, 1, 2).reshape(len(tiles) * p.beats_per_tile, -1)

    def play(
        self, jobs: list[Job], seed: int, run: Run, *, records: Any = None, halt_after: int = 0
    ) -> VectorMemories:
        """Loads random memories, lets the path run, and reads them; returns what was loaded.
        ``found``: outputs of each cycle."""
        rng = np.random.default_rng(seed)
        memories = VectorMemories(self.p, rng)
        memories.moments[:] = 0
        memories.peaks[:] = rng.integers(0, 1 << 20, len(memories.peaks))
        if records is not None:
            memories.records[: len(records)] = records
        self.first_lines = rng.integers(
            -(1 << 15), 1 << 15, (len(memories.moments), self.p.array.rows)
        )
        memories.moments[:, 0] = self.first_lines.sum(axis=1)
        memories.moments[:, 1] = (self.first_lines**2).sum(axis=1)
        beats = np.concatenate([self.beats_of(job.tiles) for job in jobs])
        load = (
            max(len(memories.staging), len(beats), len(memories.records), 4 * len(memories.peaks))
            + 20
        )
        steps = sum(self._steps(job) for job in jobs)
        slow = 1 / min(run.beats, 1 - run.reads, 1 - run.writes)
        calm = 1 / min(run.tasks, run.records)
        length = (
            int((steps + 40) * slow * 1.6 + len(jobs) * (self.top.path.between_cycles + 12 * calm))
            + 200
        )
        read = len(memories.staging) // 2 + READ_SLACK + 4 * len(memories.peaks)
        self.load, self.length = load, length
        cycles = load + length + read
        inputs = self._load(memories, beats, jobs, cycles)
        self._run(inputs, rng, run, load, length)
        self._read(inputs, load + length)
        if halt_after:
            inputs["halt"] = (np.arange(cycles) >= load + halt_after).astype(np.int64)
        self.found = self.player.play(**inputs)
        return memories

    def check(self, jobs: list[Job], seed: int, run: Run, *, records: Any = None) -> None:
        """All lines, moments and peaks."""
        memories = self.play(jobs, seed, run, records=records)
        self.compare(jobs, memories)

    def compare(self, jobs: list[Job], memories: VectorMemories) -> None:
        """What was played last with what ``jobs`` make of ``memories``."""
        found = self.found
        assert not found["fault"].any()
        assert found["ended"].sum() == len(jobs), (found["ended"].sum(), len(jobs))
        ends = np.flatnonzero(found["ended"])
        assert ends[-1] < self.load + self.length and not found["beats_left"][-1]
        assert found["idle"][-1]
        carry_out(self.p, jobs, memories)
        start = self.load + self.length
        lines = self._answers("staging", start)
        wrong = np.flatnonzero((lines != memories.staging).any(axis=1))
        assert not wrong.size, wrong
        sums = self._wide("moment", start, 16)
        assert np.array_equal(sums.view("<i8").reshape(-1, 2), memories.moments)
        at = np.flatnonzero(found["peak_answer"][start:]) + start
        assert np.array_equal(found["peak_data"][at].astype(np.uint64), memories.peaks)

    def _steps(self, job: Job) -> int:
        command, lines = job.command, len(job.tiles) * self.p.block.channels
        if isinstance(command, Narrow) or command.part:
            return lines
        parts = 1
        if command.interleaved:
            parts = 4 if command.row_pixels is RowPixels.QUARTER else 2
        return lines * parts * (1 + (command.earlier is not Earlier.NONE))

    # -- inputs --------------------------------------------------------------------------------

    def _load(
        self, memories: VectorMemories, beats: Integers, jobs: list[Job], cycles: int
    ) -> dict[str, Any]:
        p, inputs = self.p, {}

        def put(name: str, values: Integers, start: int = 0) -> None:
            into = np.zeros((cycles, values.shape[1]), np.uint8)
            into[start : start + len(values)] = values
            inputs[name] = into
            inputs[name.removesuffix("__payload") + ("__valid" if "__" in name else "_valid")] = (
                (np.arange(cycles) >= start) & (np.arange(cycles) < start + len(values))
            ).astype(np.int64)

        put(
            "beat",
            pack(
                {"data": beats, "last": np.zeros(len(beats), int)}, port_beat(p.array), len(beats)
            ),
        )
        tasks = [encode(job.command) for job in jobs]
        words = {
            "index": np.arange(len(jobs)),
            "command": np.array([each for each in tasks], object),
            "joins": np.array([isinstance(job.command, Join) for job in jobs], int),
            "masked": np.array([job.masked for job in jobs], int),
        }
        put("queued", pack(words, queued_task(), len(jobs)))
        inputs["record_valid"] = (np.arange(cycles) < len(memories.records)).astype(np.int64)
        inputs["record_address"] = np.minimum(np.arange(cycles), len(memories.records) - 1)
        inputs["record"] = np.zeros((cycles, RECORD_BYTES), np.uint8)
        inputs["record"][: len(memories.records)] = memories.records
        staging = whole(memories.staging, NARROW_BITS)
        side = np.concatenate(
            [
                whole(memories.side, self.sizes.side_bits),
                np.packbits(memories.masks.astype(np.uint8), axis=1, bitorder="little"),
            ],
            axis=1,
        )
        assert side_line(p).size == 8 * side.shape[1]
        for name, lines, words_, bits in (
            ("staging", staging, self.sizes.staging_words, NARROW_BITS * p.array.rows),
            ("side", side, self.sizes.side_words, side_line(p).size),
        ):
            pairs = lines.reshape(len(lines) // 2, -1)
            put(f"{name}_writes__payload", _writes(pairs, words_, bits))
        count = len(memories.moments)
        lines_in = {
            "numbers": self.first_lines,
            "normalized": np.zeros_like(self.first_lines),
            "correlate": np.zeros(count, int),
            "channel": np.zeros(count, int),
            "first": np.ones(count, int),
            "last": np.ones(count, int),
            "moments": np.arange(count),
            "start": np.ones(count, int),
        }
        put("moment_lines__payload", pack(lines_in, moment_line(p), count))
        inputs["moment_lines__payload"] = inputs["moment_lines__payload"]
        number = np.minimum(np.arange(4 * len(memories.peaks)) // 4, len(memories.peaks) - 1)
        values = {
            "address": number,
            "value": memories.peaks[number],
            "adds": np.zeros(len(number), int),
        }
        put("peak_values__payload", pack(values, peak_value(p), len(number)))
        return inputs

    def _run(self, inputs: dict[str, Any], rng: Any, run: Run, start: int, length: int) -> None:
        cycles = len(inputs["beat_valid"])
        at = slice(start, start + length)
        for name in ("beats", "tasks", "records"):
            gate = np.zeros(cycles, np.int64)
            gate[at] = rng.random(length) < getattr(run, name)
            inputs[f"open_{name}"] = gate
        for name, words in (("staging", self.sizes.staging_words), ("side", self.sizes.side_words)):
            valid, place = np.zeros(cycles, np.int64), np.zeros(cycles, np.int64)
            valid[at] = rng.random(length) < run.reads
            place[at] = rng.integers(0, words // 2, length)
            inputs[f"{name}_reads__valid"], inputs[f"{name}_reads__payload"] = valid, place
        # writes of no line
        inputs["staging_writes__valid"][at] = rng.random(length) < run.writes

    def _read(self, inputs: dict[str, Any], start: int) -> None:
        cycles = len(inputs["beat_valid"])
        pairs = np.arange(self.sizes.staging_words // 2)
        inputs["staging_reads__valid"][start : start + len(pairs)] = 1
        inputs["staging_reads__payload"][start : start + len(pairs)] = pairs
        for name, count, each in (
            ("moment", self.sizes.moment_words, 1),
            ("peak", self.sizes.peak_words, 4),
        ):
            valid = np.zeros(cycles, np.int64)
            valid[start : start + count * each] = 1
            place = np.zeros(cycles, np.int64)
            place[start : start + count * each] = np.arange(count * each) // each
            inputs[f"{name}_reads__valid"], inputs[f"{name}_reads__payload"] = valid, place
        wanted = {"address": inputs["peak_reads__payload"], "clear": np.zeros(cycles, int)}
        inputs["peak_reads__payload"] = pack(wanted, peak_read(self.p), cycles)

    # -- outputs -------------------------------------------------------------------------------

    def _wide(self, name: str, start: int, size: int) -> Integers:
        at = np.flatnonzero(self.found[f"{name}_answer"][start:]) + start
        return np.ascontiguousarray(self.found[f"{name}_data"][at][:, :size])

    def _answers(self, name: str, start: int) -> Integers:
        # those of reads that were asked for before come first
        pairs = self.sizes.staging_words // 2
        size = NARROW_BITS * self.p.array.rows // 8
        found = self._wide(name, start, 2 * size)[-pairs:]
        return found.reshape(2 * pairs, size).view("<i2").astype(np.int64)


def _writes(pairs: Integers, words: int, bits: int) -> Integers:
    """``pairs[pair, byte]`` as `line_write`, both lines."""
    layout = line_write(words, bits)
    result = np.zeros((len(pairs), -(-layout.size // 8)), np.uint8)
    place = layout["data"].offset
    total = np.zeros((len(pairs), layout.size), np.uint8)
    count = layout["address"].shape.width if hasattr(layout["address"].shape, "width") else place
    total[:, :place] = np.arange(len(pairs))[:, None] >> np.arange(place) & 1
    total[:, place : place + 2 * bits] = np.unpackbits(pairs, axis=1, bitorder="little")
    total[:, layout["enable"].offset :] = 1
    assert count == place
    result[:] = np.packbits(total, axis=1, bitorder="little")
    return result


def carry_out(p: Parameters, jobs: list[Job], memories: VectorMemories) -> None:
    """What the functional machine makes of the memories."""
    staging = Staging(p, memories)
    for index, job in enumerate(jobs):
        masked = isinstance(job.command, Join) and job.command.masked and job.masked
        task = Task(index, job.command, found=LookedUp(masked=masked))
        assert len(job.tiles) == block_count(job.command)
        for number, tile in enumerate(job.tiles):
            staging.store(task, job.command, number, tile)


def random_scales(rng: np.random.Generator) -> Integers:
    """Scale records; mantissas have their top bit set."""
    return pack_records(
        Record.SCALE,
        {
            "narrow_shift": rng.integers(-64, 64, SCALES) // rng.choice([1, 4, 8], SCALES),
            "before": rng.integers(0, 24, SCALES),
            "mantissa": rng.integers(1 << 16, 1 << 17, SCALES),
            "shift": rng.integers(-64, 64, SCALES) // rng.choice([1, 2, 4], SCALES),
            "stream_shift": rng.integers(-64, 64, SCALES) // rng.choice([1, 8], SCALES),
        },
    )


def sums_of(rng: np.random.Generator, count: int, p: Parameters) -> Integers:
    """``[tile, pixel, channel]`` of all sizes, up to the ends; some need more bits than count."""
    shape = (count, p.array.rows, p.array.columns)
    bits = int(rng.integers(2, CONVOLVED_BITS + 4))
    half = 1 << bits - 1
    return ends_and_random(rng, -half, half - 1, shape)
