"""Every pair of lines once in each pass, in order, with its places."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.vector.digit_sets import digit_sets
from fractrain.hw.vector.line_layouts import line_step, tensor_shape
from fractrain.hw.vector.line_walker import LineWalker
from tests.hw.vector.beats import fields_of, pack
from tests.hw.vector.vector_machine import vector_machine
from tests.hw.verilator import Player


@pytest.fixture(scope="module", params=[8, 16])
def player(request: pytest.FixtureRequest) -> Player:
    parameters = vector_machine(request.param)
    return Player(LineWalker(parameters), f"line_walker_{request.param}")


def reference(shape: dict[str, int], sets: list[int], channels: int) -> list[dict[str, int]]:
    """All steps, from docs/whole_step.md."""
    found = []
    tiles = shape["tiles_x"] * shape["tiles_y"]
    blocks = shape["images"] * tiles
    for group in range(shape["channel_groups"]):
        for block in range(blocks):
            image, image_block = divmod(block, tiles)
            y, x = divmod(image_block, shape["tiles_x"])
            final = block == blocks - 1
            for number in sets:
                for pair in range(channels // 2):
                    ends = final and number == sets[-1] and pair == channels // 2 - 1
                    found.append(
                        {
                            "pair": pair,
                            "block": group * blocks + block,
                            "image_block": image_block,
                            "group": group,
                            "image": image,
                            "set": number,
                            "last_x": int(x == shape["tiles_x"] - 1),
                            "last_y": int(y == shape["tiles_y"] - 1),
                            "last_pass": int(number == sets[-1]),
                            "ends_group": int(ends),
                            "ends": int(ends and group == shape["channel_groups"] - 1),
                            "stash_offset": group * shape["stash_group_stride"] + block,
                            "plane_offset": group * shape["plane_group_stride"] + block,
                        }
                    )
    return found


def play(
    player: Player, shape: dict[str, int], mask: int, ready: np.ndarray
) -> tuple[list[dict[str, int]], np.ndarray]:
    """Steps that were taken, and in which cycles it was busy."""
    cycles = len(ready)
    walker: Any = player.design
    layout, step = tensor_shape(), line_step(walker.parameters)
    given = {name: np.full(cycles, shape.get(name, 0)) for name in layout.members}
    start = np.zeros(cycles, np.uint8)
    start[0] = 1
    found = player.play(
        start=start,
        shape=pack(given, layout, cycles),
        sets=np.full(cycles, mask, np.uint64),
        steps__ready=ready.astype(np.uint8),
    )
    taken = np.flatnonzero((found["steps__valid"] == 1) & ready)
    return [fields_of(found["steps__payload"][each], step) for each in taken], found["busy"]


counts = st.fixed_dictionaries(
    {
        "channel_groups": st.integers(1, 4),
        "images": st.integers(1, 4),
        "tiles_y": st.integers(1, 4),
        "tiles_x": st.integers(1, 3),
        "stash_group_stride": st.integers(0, 1 << 20),
        "plane_group_stride": st.integers(0, 1 << 12),
    }
)


@settings(deadline=None, max_examples=60)
@given(counts, st.data())
def test_all_steps(player: Player, shape: dict[str, int], data: st.DataObject) -> None:
    walker: Any = player.design
    channels = walker.parameters.block.channels
    mask = data.draw(st.integers(1, (1 << len(digit_sets(channels))) - 1))
    sets = [number for number in range(mask.bit_length()) if mask >> number & 1]
    wanted = reference(shape, sets, channels)
    rate = data.draw(st.sampled_from((0.3, 0.8, 1.0)))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    ready = rng.random(int(len(wanted) / rate * 1.5) + 200) < rate
    found, busy = play(player, shape, mask, ready)
    assert found == wanted
    if rate == 1.0:
        assert busy.sum() == len(wanted), "a step a cycle"
