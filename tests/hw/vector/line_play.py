"""Plays commands on a `LineMachine`, and looks at all that it leaves."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fractrain.hw.contract.commands import Fault, RowPixels, Shape
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.records import Record, pack_records
from fractrain.hw.flow.layouts import plane_write, write_block
from fractrain.hw.flow.unit_layouts import record_write, side_line
from fractrain.hw.vector.line_layouts import line_task, peak_report
from fractrain.sim.functional.decoding import Task
from fractrain.sim.functional.vector_decoding import LookedUp
from fractrain.sim.functional.vector_stage import VectorStage
from fractrain.sim.functional.words import ChipMemories, ExternalMemory
from tests.hw.vector.beats import ends_and_random, fields_of, pack
from tests.hw.vector.line_tasks import Order, lifted, task_of
from tests.hw.verilator import Player

__all__ = [
    "CHUNK",
    "NORM",
    "SCALE",
    "SECOND",
    "Play",
    "Stalls",
    "World",
    "lines_of",
    "plane_writes",
    "play",
    "shapes",
]

STASH = 1 << 16
"""Bytes."""
SETTLED = 100
"""Cycles behind an end, in which a line too many would show."""
CHUNK, NORM, SECOND, SCALE = 0, 64, 128, 200
"""Records."""


def shapes(channels: int, lines: int) -> st.SearchStrategy[Shape]:
    """Of ``lines`` at most, with strides that leave room or none."""

    def strides(given: dict[str, int]) -> st.SearchStrategy[Shape]:
        blocks = given["images"] * given["tiles_x"] * given["tiles_y"]
        count = blocks * given["channel_groups"]
        return st.builds(
            Shape,
            entry=st.just(0),
            **{name: st.just(each) for name, each in given.items()},
            plane_stride=st.sampled_from((count, count + 3)),
            plane_group_stride=st.just(blocks),
            stash_stride=st.sampled_from((count, count + 1)),
            stash_group_stride=st.just(blocks),
            mask_plane=st.just(11),
            activation_plane=st.just(12),
            residual_plane=st.just(20),
        )

    tiling = st.fixed_dictionaries(
        {
            "channel_groups": st.integers(1, 3),
            "images": st.integers(1, 3),
            "tiles_x": st.integers(1, 2),
            "tiles_y": st.integers(1, 2),
            "row_pixels": st.sampled_from(RowPixels),
            "valid_x": st.sampled_from((1, 3, 5, 16, 255)),
            "valid_y": st.sampled_from((1, 2, 4, 255)),
        }
    )
    return tiling.filter(
        lambda each: (
            each["channel_groups"] * each["images"] * each["tiles_x"] * each["tiles_y"] * channels
            <= lines
        )
    ).flatmap(strides)


@dataclass
class World:
    """Memories of the functional machine, with what a command needs."""

    parameters: Any
    rng: np.random.Generator

    def __post_init__(self) -> None:
        p = self.parameters
        self.chip = ChipMemories(p, self.rng)
        self.memory = self.rng.integers(256, size=STASH).astype(np.uint8)
        self.external = ExternalMemory(self.memory, 0, p)
        self.unit = self.chip.unit
        count, rng = 3 * p.block.channels, self.rng
        shrink = int(rng.integers(0, 14))
        mean = ends_and_random(rng, -(1 << 17), 1 << 17, count)
        self.put(
            Record.CHUNK,
            CHUNK,
            mean=mean,
            reciprocal=rng.integers(0, 1 << 17, count) >> rng.integers(0, 12, count),
            error_mean=mean[::-1],
            slope=ends_and_random(rng, -(1 << 17), (1 << 17) - 1, count) >> shrink,
            cross_slope=ends_and_random(rng, -(1 << 24) + 1, (1 << 24) - 1, count) >> shrink,
        )
        for first in (NORM, SECOND):
            self.put(
                Record.NORM,
                first,
                factor=ends_and_random(rng, -(1 << 17), (1 << 17) - 1, count) >> shrink,
                offset=ends_and_random(rng, -(1 << 29), (1 << 29) - 1, count) >> shrink,
            )
        self.put(Record.SCALE, SCALE, residual_factor=[int(rng.integers(-100, 1 << 12))])

    def put(self, record: Record, address: int, **values: Any) -> None:
        data = pack_records(record, values)
        self.unit.records[address : address + len(data)] = data

    def run(self, order: Order, rounding: tuple[int, int]) -> None:
        stage = VectorStage(self.parameters, self.chip, self.external)
        self.unit.set_shape(order.shape)
        stage.rounding = rounding
        found = LookedUp(kept=order.kept, form_bits=order.form_bits)
        stage.run(Task(0, order.command, bits=order.error_bits, found=found), order.command)


@dataclass(frozen=True)
class Stalls:
    """How often memory takes a block, the other clients want a turn."""

    blocks: float = 1.0
    reads: float = 0.0
    writes: float = 0.0


class Play:
    """Plays one command: memories are written before and read behind it."""

    def __init__(self, player: Player, world: World, widths: tuple[int, int]) -> None:
        """``widths``: bits of the numbers in the side memory, before and behind."""
        self.player, self.world, self.widths = player, world, widths
        self.p = world.parameters
        vector = self.p.vector
        self.pairs = vector.staging_words // 2, vector.side_words // 2
        self.side_bits = vector.side_bits

    def side_numbers(self, width: int) -> np.ndarray:
        return lifted(self.world.unit.side, width, self.side_bits)

    def inputs(self, order: Order, cycles: int, stalls: Stalls, rounding: tuple[int, int]) -> dict:
        unit, vector, rng = self.world.unit, self.p.vector, self.world.rng
        self.begin = max(*self.pairs, vector.parameter_words)
        self.end = self.begin + cycles
        total = self.end + max(self.pairs) + 8
        run = np.arange(total)
        found: dict[str, np.ndarray] = {}
        sides = np.concatenate(
            [
                self._bits(self.side_numbers(self.widths[0]), self.side_bits),
                self._bits(unit.masks, 1),
            ],
            axis=1,
        )
        lines = {"staging": self._bits(unit.staging, 16), "side": sides}
        for (name, bits), count in zip(lines.items(), self.pairs, strict=True):
            width = (count - 1).bit_length()
            payload = np.zeros((total, width + 2 * bits.shape[1] + 2), np.uint8)
            payload[:count, :width] = np.arange(count)[:, None] >> np.arange(width) & 1
            payload[:count, width:-2] = bits.reshape(count, -1)
            payload[:count, -2:] = 1
            found[f"{name}_write__valid"] = (run < count).astype(np.uint8)
            found[f"{name}_write__payload"] = np.packbits(payload, axis=1, bitorder="little")
            reading = (run >= self.end) & (run < self.end + count)
            found[f"{name}_read__valid"] = reading.astype(np.uint8)
            found[f"{name}_read__payload"] = np.where(reading, run - self.end, 0).astype(np.uint64)
            wants = (rng.random(total) < stalls.reads) & (run < self.end)
            found[f"{name}_other__valid"] = wants.astype(np.uint8)
            found[f"{name}_other__payload"] = rng.integers(0, count, total).astype(np.uint64)
        # writes of another to lines that nobody looks at: of none
        busy = (rng.random(total) < stalls.writes) & (run >= self.begin) & (run < self.end)
        found["staging_write__valid"] |= busy.astype(np.uint8)
        count = vector.parameter_words
        width = record_write(count)["address"].width
        records = np.zeros((total, width + 128), np.uint8)
        records[:count, :width] = np.arange(count)[:, None] >> np.arange(width) & 1
        records[:count, width:] = np.unpackbits(unit.records, axis=1, bitorder="little")
        found["record_write__valid"] = (run < count).astype(np.uint8)
        found["record_write__payload"] = np.packbits(records, axis=1, bitorder="little")
        found["record_other__valid"] = (rng.random(total) < stalls.reads).astype(np.uint8)
        task = {name: 0 for name in line_task().members} | task_of(order)
        packed = pack({k: _spread(v) for k, v in task.items()}, line_task(), 1)
        found["tasks__valid"] = ((run >= self.begin) & (run <= self.begin)).astype(np.uint8)
        found["tasks__payload"] = np.repeat(packed, total, axis=0)
        found["seed"] = np.full(total, rounding[0], np.uint64)
        found["step"] = np.full(total, rounding[1], np.uint64)
        found["blocks__ready"] = (rng.random(total) < stalls.blocks).astype(np.uint8)
        found["settled"] = np.ones(total, np.uint8)
        found["carry_room"] = (rng.random(total) < 1 - stalls.reads).astype(np.uint8)
        found["carry_done"] = (rng.random(total) < 0.1).astype(np.uint8)
        found["peaks__ready"] = (rng.random(total) < 0.5).astype(np.uint8)
        return found

    @staticmethod
    def _bits(values: np.ndarray, bits: int) -> np.ndarray:
        return (values[:, :, None] >> np.arange(bits) & 1).astype(np.uint8).reshape(len(values), -1)

    def play_raw(
        self, order: Order, stalls: Stalls, cycles: int, rounding: tuple[int, int] = (0, 0)
    ) -> dict:
        """Whatever comes of it within ``cycles``."""
        self.given = self.inputs(order, cycles, stalls, rounding)
        return self.player.play(**self.given)

    def run(self, order: Order, stalls: Stalls, rounding: tuple[int, int] = (0, 0)) -> dict:
        shape = order.shape
        blocks = shape.channel_groups * shape.images * shape.tiles_x * shape.tiles_y
        slow = 1 / max(0.05, stalls.blocks) + 8 / (1.01 - max(stalls.reads, stalls.writes))
        most = 800 + int(blocks * 30 * slow)
        cycles = 300 + most // 8  # most commands end by then
        found = self.play_raw(order, stalls, cycles, rounding)
        while cycles < most and not found["fault"].any() and self._too_few(found):
            cycles = min(3 * cycles, most)
            found = self.play_raw(order, stalls, cycles, rounding)
        ended = np.flatnonzero(found["ended"])
        assert not found["fault"].any(), Fault(int(found["fault"].max()))
        assert len(ended) == 1, f"{len(ended)} ends in {cycles} cycles"
        assert ended[0] < self.end
        self.took = int(ended[0]) - self.begin
        return found

    def _too_few(self, found: dict) -> bool:
        """Cycles for an end, and for what may be done behind it."""
        return not found["ended"][: self.end - SETTLED].any()

    def check_untouched(self, found: dict) -> None:
        """Memories are as they were, nothing was sent."""
        assert not plane_writes(found, self.p)
        assert not found["blocks__valid"].any()
        assert not found["peaks__valid"].any()
        self._check_lines(found)

    def check(self, order: Order, found: dict, rounding: tuple[int, int] = (0, 0)) -> None:
        before_planes, before_memory = self.world.chip.planes.copy(), self.world.memory.copy()
        peaks = self.world.unit.peaks
        peaks[:] = 0
        self.world.external.bytes_written = 0
        self.world.run(order, rounding)
        self._check_planes(before_planes, found)
        self._check_stash(before_memory, found)
        self._check_lines(found)
        reports = self._taken(found, "peaks", peak_report())
        task = task_of(order)
        assert len(reports) == task.get("raises", 0)
        for each in reports:
            assert each["address"] == task["peak"]
            assert each["magnitude"] == int(peaks[each["address"]])
        assert not found["side_lost"].any()

    def _taken(self, found: dict, name: str, layout: Any) -> list[dict[str, int]]:
        """What was transferred at the stream ``name``."""
        taken = np.flatnonzero((found[f"{name}__valid"] == 1) & (self.given[f"{name}__ready"] == 1))
        return [fields_of(found[f"{name}__payload"][each], layout) for each in taken]

    def _check_planes(self, planes: np.ndarray, found: dict) -> None:
        size = self.p.block_bits
        written = set()
        for write in plane_writes(found, self.p):
            word = np.array([write["data"] >> bit & 1 for bit in range(size)], np.uint8)
            assert write["address"] not in written
            written.add(write["address"])
            planes[write["address"]] = word.reshape(planes.shape[1:])
        assert np.array_equal(planes, self.world.chip.planes)
        self.planes_written = len(written)

    def _check_stash(self, memory: np.ndarray, found: dict) -> None:
        size = self.p.block_bytes
        written = set()
        for block in self._taken(found, "blocks", write_block(8 * size)):
            assert block["address"] not in written
            written.add(block["address"])
            memory[block["address"] :][:size] = np.frombuffer(
                block["data"].to_bytes(size, "little"), np.uint8
            )
        assert len(written) * size == self.world.external.bytes_written
        assert np.array_equal(memory, self.world.memory)

    def _check_lines(self, found: dict) -> None:
        unit = self.world.unit
        read = 4
        pixels = self.p.array.rows
        rows = np.unpackbits(
            found["staging_data"][self.end + read : self.end + read + self.pairs[0]],
            axis=1,
            bitorder="little",
        )[:, : 2 * 16 * pixels].reshape(-1, pixels, 16)
        numbers = (rows.astype(np.int64) << np.arange(16)).sum(axis=2)
        numbers -= rows[:, :, -1].astype(np.int64) << 16
        assert np.array_equal(numbers, unit.staging)
        layout = side_line(self.p)
        data = found["side_data"][self.end + read : self.end + read + self.pairs[1]]
        bits = np.unpackbits(data, axis=1, bitorder="little")[:, : 2 * layout.size]
        bits = bits.reshape(-1, layout.size)
        word = bits[:, : self.side_bits * pixels].reshape(-1, pixels, self.side_bits)
        sides = (word.astype(np.int64) << np.arange(self.side_bits)).sum(axis=2)
        assert np.array_equal(bits[:, self.side_bits * pixels :], unit.masks)
        assert np.array_equal(sides, self.expected_sides())

    def expected_sides(self) -> np.ndarray:
        """What is written has another width than what was there."""
        before, behind = self.widths
        side = self.world.unit.side
        made = np.zeros(len(side), bool)
        made[self.made] = True
        return np.where(
            made[:, None],
            lifted(side, behind, self.side_bits),
            lifted(side, before, self.side_bits),
        )

    made: slice = slice(0, 0)
    given: dict[str, np.ndarray]


def plane_writes(found: dict, parameters: Parameters) -> list[dict[str, int]]:
    """Words that go to the plane memory, in order."""
    layout, writes = plane_write(parameters), found["plane_write"]
    byte, bit = divmod(layout["valid"].offset, 8)
    valid = writes[:, byte] >> bit & 1 == 1
    return [fields_of(each, layout) for each in writes[valid]]


def _spread(value: Any) -> Any:
    """A value of one beat, as `pack` takes it."""
    if isinstance(value, dict):
        return {name: np.array([each]) for name, each in value.items()}
    return np.array([value])


def play(
    player: Player,
    order: Order,
    world: World,
    stalls: Stalls,
    widths: tuple[int, int] = (8, 8),
    made: slice = slice(0, 0),
    rounding: tuple[int, int] = (0, 0),
) -> Play:
    each = Play(player, world, widths)
    each.made = made
    found = each.run(order, stalls, rounding)
    each.check(order, found, rounding)
    return each


def lines_of(shape: Shape, channels: int) -> int:
    tiles = shape.images * shape.tiles_x * shape.tiles_y
    return shape.channel_groups * tiles * channels
