"""Command words become tasks with the shape of their entry; what is not there is refused."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.commands import (
    Apply,
    Carry,
    Fault,
    Form,
    Normalize,
    Recompute,
    Second,
    Shape,
    encode,
)
from fractrain.hw.contract.normalized import inner_format
from fractrain.hw.vector.line_decoder import LineDecoder, found_command
from fractrain.hw.vector.line_layouts import line_task, tensor_shape
from tests.hw.vector.beats import fields_of
from tests.hw.vector.line_tasks import Order, task_of
from tests.hw.verilator import Player

SPACE = 4
"""Cycles between commands: as long as one takes."""
LINES, RECORD, BYTE = st.integers(0, 65535), st.integers(0, 4095), st.integers(0, (1 << 32) - 1)
FLAG, ENTRY = st.booleans(), st.integers(0, 15)
COMMANDS = st.one_of(
    st.builds(
        Normalize,
        shape=ENTRY,
        source=LINES,
        destination=LINES,
        chunk=RECORD,
        stashed=FLAG,
        stash=BYTE,
    ),
    st.builds(
        Form,
        shape=ENTRY,
        normalized=FLAG,
        end=FLAG,
        second=st.sampled_from(Second),
        planed=FLAG,
        kept=FLAG,
        stash_normalized=FLAG,
        stash_mask=FLAG,
        stash_activations=FLAG,
        stash_residual=FLAG,
        pooled=FLAG,
        residual_bits=st.integers(8, 16),
        source=LINES,
        second_address=LINES,
        norm=RECORD,
        chunk=RECORD,
        second_record=RECORD,
        planes=LINES,
        side=LINES,
        stash=BYTE,
        pool=BYTE,
        peak=RECORD,
    ),
    st.builds(Recompute, shape=ENTRY, side=LINES, norm=RECORD, planes=LINES),
    st.builds(
        Carry,
        shape=ENTRY,
        spread=st.sampled_from((False, False, True)),
        source=LINES,
        destination=LINES,
        scale=RECORD,
        masked=FLAG,
        side_address=LINES,
        totals=FLAG,
    ),
    st.builds(
        Apply,
        shape=ENTRY,
        end=FLAG,
        source=LINES,
        side=LINES,
        chunk=RECORD,
        planes=LINES,
        tensor=LINES,
        first_image=BYTE,
        peak=RECORD,
    ),
    st.builds(
        Shape,
        entry=ENTRY,
        channel_groups=st.integers(1, 255),
        images=st.integers(1, 4095),
        tiles_y=st.integers(1, 255),
        stash_stride=st.integers(0, (1 << 24) - 1),
        residual_plane=st.integers(0, 31),
    ),
)


@pytest.fixture(scope="module")
def player() -> Player:
    return Player(LineDecoder(), "line_decoder")


def play(player: Player, words: list[dict[str, int]]) -> dict[str, np.ndarray]:
    layout, cycles = found_command(), SPACE * len(words) + 8
    numbers = [layout.const(each).as_value().value for each in words]
    size = -(-layout.size // 8)
    payload = np.zeros((cycles, size), np.uint8)
    valid = np.zeros(cycles, np.uint8)
    for index, number in enumerate(numbers):
        payload[SPACE * index] = np.frombuffer(number.to_bytes(size, "little"), np.uint8)
        valid[SPACE * index] = 1
    ready = np.ones(cycles, np.uint8)
    return player.play(commands__valid=valid, commands__payload=payload, tasks__ready=ready)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(COMMANDS, st.integers(4, 11), st.integers(1, 8), st.integers(1, 12), FLAG),
        min_size=1,
        max_size=30,
    )
)
def test_tasks(player: Player, given: list[tuple[Any, int, int, int, bool]]) -> None:
    words = [
        {
            "command": encode(command),
            "bits": bits,
            "kept_bits": kept,
            "form_bits": form,
            "masked": int(masked),
        }
        for command, kept, form, bits, masked in given
    ]
    found = play(player, words)
    unit: Any = player.design
    shapes: dict[int, Shape] = {}
    layout = line_task()
    for index, (command, kept, form, bits, masked) in enumerate(given):
        at = SPACE * index + unit.latency_cycles
        if isinstance(command, Shape):
            shapes[command.entry] = command
            assert found["shaped"][at]
            assert not found["tasks__valid"][at]
            continue
        refused = command.shape not in shapes
        assert found["fault"][at] == (Fault.COUNT if refused else Fault.NONE)
        assert found["tasks__valid"][at] == (not refused)
        if refused:
            continue
        order = Order(command, shapes[command.shape], inner_format(kept), form, bits, masked)
        wanted = dict.fromkeys(layout.members, 0) | task_of(order)
        task = fields_of(found["tasks__payload"][at], layout)
        task["entry"] = fields_of(task["entry"], tensor_shape())
        relevant = {name: each for name, each in wanted.items() if _counts(name, wanted)}
        assert {name: task[name] for name in relevant} == relevant


def _counts(name: str, task: dict[str, Any]) -> bool:
    """What the line path looks at."""
    needs = {
        "second_source": task["shortcut"],
        "side_source": task["residual"] or task["recomputes"] or task["applies"],
        "normalized_bits": task["normalizes"] or task["recomputes"],
        "kept_bits": task["stash_normalized"],
    }
    return bool(needs.get(name, True))
