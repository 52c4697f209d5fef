"""The corner turn: the planes of every tile, in order, whenever beats come and room is there."""

from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import MAX_BITS
from fractrain.hw.results.turn import CornerTurn
from tests.harness.simulation import Simulation, simulate
from tests.harness.stalls import STALLS, stall_pattern
from tests.hw.machines import machine

STEPS = 3
MACHINES = {
    "4 beats": machine(),
    "1 beat": machine(array__cluster_columns=1),
    "2 beats, S = 2": machine(
        array__cluster_columns=2, array__spatial_bits=2, array__accumulator="behavioural"
    ),
    "8 beats, S = 8": machine(
        array__cluster_columns=8, array__spatial_bits=8, array__accumulator="behavioural"
    ),
}


@dataclass
class Tile:
    """Results by beat, and the facts that every beat of it carries."""

    beats: list[list[int]]
    facts: dict[str, int]


def random_tile(draw: Random, parameters: Parameters, bits: int) -> Tile:
    planes, word = parameters.array.spatial_bits, parameters.word_bytes
    beats = [
        [draw.getrandbits(MAX_BITS) for _ in range(parameters.results_per_beat)]
        for _ in range(parameters.beats_per_tile)
    ]
    facts = {
        "planes": 1,
        "top_plane": bits - 1,
        "blocks": -(-bits // planes) * planes,
        "address": draw.getrandbits(20) * word,
        "digit_stride": draw.randint(1, 1 << 8),
        "end": draw.random() < 0.5,
        "signal": draw.randrange(4),
        "tag": draw.randrange(4),
        "index": draw.getrandbits(32),
    }
    return Tile(beats, facts)


def blocks_of(parameters: Parameters, tile: Tile) -> list[tuple[dict[str, int], int]]:
    """Items and blocks, from the contract: plane p of row m, column n is at bit m * columns + n of
    block p % S of digit p // S; column n is cluster n // beats of beat n % beats."""
    array, facts, beats = parameters.array, tile.facts, parameters.beats_per_tile
    result = []
    for plane in range(facts["blocks"]):
        digit, place = divmod(plane, array.spatial_bits)
        bit, block = facts["top_plane"] - plane, 0
        for row in range(array.rows if bit >= 0 else 0):
            for column in range(array.columns):
                cluster, beat = divmod(column, beats)
                value = tile.beats[beat][row * parameters.column_clusters + cluster]
                block |= (value >> bit & 1) << row * array.columns + column
        word = facts["address"] + digit * facts["digit_stride"] * parameters.word_bytes
        item = {name: facts[name] for name in ("signal", "tag", "index")} | {
            "block": 1,
            "end": facts["end"] and plane == facts["blocks"] - 1,
            "address": (word + place * parameters.block_bytes) % (1 << 32),
        }
        result.append((item, block))
    return result


class Play:
    """The register before the corner turn, which moves with ``step``, and the sender behind it."""

    def __init__(self, turn: CornerTurn, tiles: list[Tile], beats: str, room: str) -> None:
        self.turn, self.parameters = turn, turn.parameters
        self.waiting: list[tuple[dict[str, Any], bool]] = [
            (
                {"results": beat, "facts": tile.facts | {"last": number == len(tile.beats) - 1}},
                number == len(tile.beats) - 1,
            )
            for tile in tiles
            for number, beat in enumerate(tile.beats)
        ]
        self.stalls = beats, room
        self.last_beats: list[int] = []
        """Cycles in which a tile's last beat was taken."""
        self.issued: list[int] = []
        """Cycles in which a block was issued."""
        self.items: list[dict[str, int]] = []
        self.blocks: list[int] = []

    async def run(self, simulation: Simulation, count: int) -> None:
        draw = simulation.random
        beats, room = (stall_pattern(name, draw) for name in self.stalls)
        here: tuple[dict[str, Any], bool] | None = None
        room_now, was_issued = True, False
        while len(self.blocks) < count:
            step = simulation.get("step")
            assert step in (0, (1 << STEPS) - 1)
            taken = here is not None and bool(step)
            following = here
            if step or here is None:
                following = self.waiting.pop(0) if self.waiting and not next(beats) else None
            room_next = not next(room)
            simulation.set(
                valid=here is not None,
                completes_next=following is not None and following[1],
                room=room_now,
                room_next=room_next,
                **(here[0] if here else {}),
            )
            if here is not None and here[1] and taken:
                self.last_beats.append(simulation.cycle)
            block = 0
            for group in simulation.get("blocks"):
                block |= group
            if was_issued:
                self.blocks.append(block)
            else:
                assert block == 0
            was_issued = bool(simulation.get("issue"))
            assert room_now or not was_issued
            if was_issued:
                assert simulation.get("busy")
                item = simulation.get("item")
                self.items.append({name: item[name] for name in item.shape().members})
                self.issued.append(simulation.cycle)
            here, room_now = following, room_next
            await simulation.tick()
        assert not simulation.get("busy")


def check(parameters: Parameters, tiles: list[Tile], beats: str, room: str) -> Play:
    turn = CornerTurn(parameters, STEPS)
    wanted = [each for tile in tiles for each in blocks_of(parameters, tile)]
    play = Play(turn, tiles, beats, room)

    async def body(simulation: Simulation) -> None:
        await play.run(simulation, len(wanted))

    simulate(turn, body)
    assert play.items == [item for item, _ in wanted]
    assert play.blocks == [block for _, block in wanted]
    return play


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("beats", STALLS)
@pytest.mark.parametrize("room", STALLS)
def test_tiles(name: str, beats: str, room: str) -> None:
    draw = Random(f"{name} {beats} {room}")
    parameters = MACHINES[name]
    tiles = [random_tile(draw, parameters, draw.randint(1, MAX_BITS)) for _ in range(8)]
    check(parameters, tiles, beats, room)


@pytest.mark.parametrize("name", MACHINES)
def test_every_width_after_every_other(name: str) -> None:
    """One plane behind sixteen and the other way round: all pairs of neighbours, in short."""
    draw = Random(name)
    widths = list(range(1, MAX_BITS + 1))
    order = [bits for pair in zip(widths, reversed(widths), strict=True) for bits in pair]
    check(
        MACHINES[name],
        [random_tile(draw, MACHINES[name], bits) for bits in order],
        "never",
        "never",
    )


@pytest.mark.parametrize("bits", [1, 3, 4, 5, MAX_BITS])
@pytest.mark.parametrize("name", MACHINES)
def test_rate(name: str, bits: int) -> None:
    """A tile in as many cycles as it has beats or blocks, whichever are more."""
    draw, parameters = Random(1), MACHINES[name]
    tiles = [random_tile(draw, parameters, bits) for _ in range(6)]
    play = check(parameters, tiles, "never", "never")
    blocks, latency = tiles[0].facts["blocks"], play.turn.latency_cycles
    interval = max(blocks, parameters.beats_per_tile)
    first = play.last_beats[0] + latency
    assert play.issued == [
        first + interval * tile + block for tile in range(len(tiles)) for block in range(blocks)
    ]
    assert play.last_beats == [play.last_beats[0] + interval * tile for tile in range(len(tiles))]
