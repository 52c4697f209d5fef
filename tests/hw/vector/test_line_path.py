"""Whole commands against sim/functional: every word, line and peak, with stalls of all kinds."""

from dataclasses import replace
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
    RowPixels,
    Second,
    Shape,
)
from fractrain.hw.contract.normalized import inner_format, outer_format
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.records import Record
from fractrain.hw.vector.line_layouts import carried_line
from fractrain.sim.functional.pixels import inside, row_width
from tests.hw.vector.beats import fields_of
from tests.hw.vector.line_machine import LineMachine
from tests.hw.vector.line_play import (
    CHUNK,
    NORM,
    SCALE,
    SECOND,
    Play,
    Stalls,
    World,
    lines_of,
    plane_writes,
    play,
    shapes,
)
from tests.hw.vector.line_tasks import Order
from tests.hw.vector.vector_machine import vector_machine
from tests.hw.verilator import Player, primitive_models

CASES = {"cells": (8, True), "plain": (16, False)}


@pytest.fixture(scope="module", params=CASES)
def player(request: pytest.FixtureRequest) -> Player:
    """Blocks of 8 channels with the primitives; of 16 in plain logic, as models of the primitives
    take ten times as long there."""
    channels, primitives = CASES[request.param]
    machine = LineMachine(vector_machine(channels), primitives=primitives)
    models = primitive_models() if primitives else ""
    return Player(machine, f"line_path_{request.param}", models=models)


stalls = st.builds(
    Stalls,
    st.sampled_from((1.0, 0.25, 0.1)),
    st.sampled_from((0.0, 0.3, 0.8)),
    st.just(0.0),
)
RUNS = settings(deadline=None, max_examples=20)
POOL = 1 << 15
"""Bytes."""


@RUNS
@given(st.data())
def test_forming(player: Player, data: st.DataObject) -> None:
    machine: Any = player.design
    p = machine.parameters
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 30)))
    shape = data.draw(shapes(p.block.channels, 256))
    count = lines_of(shape, p.block.channels)
    normalized = data.draw(st.booleans())
    end = data.draw(st.booleans())
    second = data.draw(st.sampled_from(Second))
    flags = {
        name: data.draw(st.booleans(), label=name)
        for name in "planed kept stash_mask stash_activations stash_residual pooled".split()
    }
    stash_normalized = normalized and data.draw(st.booleans())
    bits = data.draw(st.integers(8, 8 if flags["kept"] or second is Second.RESIDUAL else 16))
    kept = None
    if normalized and not end:
        kept = inner_format(data.draw(st.integers(4, 11)))
    elif stash_normalized:
        kept = outer_format(data.draw(st.integers(4, 8)))
    in_place = data.draw(st.booleans())
    side = 0 if in_place else 256
    command = Form(
        shape=0,
        normalized=normalized,
        end=end,
        second=second,
        stash_normalized=stash_normalized,
        residual_bits=bits,
        source=0,
        second_address=0 if second is Second.RESIDUAL else 256,
        norm=NORM,
        chunk=CHUNK,
        second_record=SCALE if second is Second.RESIDUAL else SECOND,
        planes=data.draw(st.integers(0, 20)),
        side=side,
        stash=p.word_bytes * data.draw(st.integers(0, 20)),
        pool=POOL + 4 * p.block.channels * data.draw(st.integers(0, 20)),
        peak=7,
        **flags,
    )
    order = Order(command, shape, kept, form_bits=data.draw(st.integers(0, 8)))
    world = World(p, rng)
    # x̂ of a shortcut has 12 bits
    world.unit.staging[256:] >>= 4
    made = slice(side, side + count) if flags["kept"] else slice(0, 0)
    play(player, order, world, data.draw(stalls), made=made)


@RUNS
@given(st.data())
def test_normalizing(player: Player, data: st.DataObject) -> None:
    machine: Any = player.design
    p = machine.parameters
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 30)))
    shape = data.draw(shapes(p.block.channels, 256))
    stashed = data.draw(st.booleans())
    command = Normalize(
        shape=0,
        source=0,
        destination=data.draw(st.sampled_from((0, 256))),
        chunk=CHUNK,
        stashed=stashed,
        stash=p.word_bytes * 5,
    )
    kept = outer_format(data.draw(st.integers(4, 8))) if stashed else None
    play(player, Order(command, shape, kept), World(p, rng), data.draw(stalls))


@RUNS
@given(st.data())
def test_recomputing(player: Player, data: st.DataObject) -> None:
    machine: Any = player.design
    p = machine.parameters
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 30)))
    shape = data.draw(shapes(p.block.channels, 512))
    kept = inner_format(data.draw(st.integers(4, 8)))
    world = World(p, rng)
    most = kept.most
    world.unit.side[:] = rng.integers(-most, most + 1, world.unit.side.shape) & 255
    command = Recompute(shape=0, side=0, norm=NORM, planes=3)
    order = Order(command, shape, kept, form_bits=data.draw(st.integers(0, 8)))
    play(player, order, world, data.draw(stalls), widths=(kept.bits, kept.bits))


@RUNS
@given(st.data())
def test_applying(player: Player, data: st.DataObject) -> None:
    machine: Any = player.design
    p = machine.parameters
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 30)))
    shape = data.draw(shapes(p.block.channels, 512).flatmap(lambda each: _filled(each, p)))
    end = data.draw(st.booleans())
    kept = (outer_format if end else inner_format)(data.draw(st.integers(4, 8)))
    world = World(p, rng)
    world.unit.side[:] = rng.integers(-kept.most, kept.most + 1, world.unit.side.shape) & 255
    command = Apply(
        shape=0,
        end=end,
        source=0,
        side=0,
        chunk=CHUNK,
        planes=1,
        tensor=data.draw(st.integers(0, (1 << 16) - 1)),
        first_image=data.draw(st.sampled_from((0, 5, (1 << 32) - 4))),
        peak=3,
    )
    rounding = data.draw(st.integers(0, (1 << 63) - 1)), data.draw(st.integers(0, (1 << 48) - 1))
    order = Order(command, shape, kept, error_bits=data.draw(st.integers(1, 12)))
    widths = kept.bits, kept.bits
    play(player, order, world, data.draw(stalls), widths, rounding=rounding)


def _filled(shape: Shape, p: Parameters) -> st.SearchStrategy[Shape]:
    """With rows that APPLY takes."""
    width = row_width(shape, p.array.rows)
    if shape.tiles_x > 1:
        return st.just(replace(shape, row_pixels=RowPixels.WHOLE, valid_x=p.array.rows))
    parts = st.sampled_from([width, width // 2, width // 4])
    return parts.map(lambda valid: replace(shape, valid_x=valid))


@RUNS
@given(st.data())
def test_carrying(player: Player, data: st.DataObject) -> None:
    """Every line once, in order, with its place, its pixels and its x̂; nothing else happens."""
    machine: Any = player.design
    p = machine.parameters
    channels, pixels = p.block.channels, p.array.rows
    world = World(p, np.random.default_rng(data.draw(st.integers(0, 1 << 30))))
    shape = data.draw(shapes(channels, 256))
    masked, totals = data.draw(st.booleans()), data.draw(st.booleans())
    spread = data.draw(st.booleans())
    source = 17 if spread else 16
    shift = data.draw(st.integers(-64, 63))
    world.put(Record.SCALE, SCALE, stream_shift=[shift])
    command = Carry(
        shape=0,
        spread=spread,
        source=source,
        destination=256,
        scale=SCALE,
        masked=masked,
        totals=totals,
        side_address=2,
    )
    each = Play(player, world, (8, 8))
    found = each.run(Order(command, shape, masked=masked), data.draw(stalls))
    each.check_untouched(found)
    layout = carried_line(p)
    count = lines_of(shape, channels)
    there = found["carries"] == 1
    carried = [fields_of(line, layout) for line in found["carried"][there]]
    assert set(found["stream_shift"][there].tolist()) == {shift & 127}
    assert len(carried) == count
    blocks = count // channels // shape.channel_groups
    within = inside(shape, np.arange(blocks), pixels)
    weights = 1 << np.arange(pixels, dtype=object)
    for number, line in enumerate(carried):
        group, rest = divmod(number, blocks * channels)
        block, channel = divmod(rest, channels)
        counts = within[block] & (world.unit.masks[2 + number] > 0 if masked else True)
        assert line["count"] == int((counts * weights).sum())
        assert line["target"] == 256 + number
        assert line["channel"] == group * channels + channel
        assert line["last"] == (number == count - 1)
        numbers = world.unit.staging[source + number] & 0xFFFF
        if spread:
            image = block // (blocks // shape.images)
            values = world.unit.staging[source + image * shape.channel_groups + group]
            numbers = np.repeat(values[channel] & 0xFFFF, pixels)
        assert line["numbers"] == sum(int(e) << 16 * i for i, e in enumerate(numbers))
        if masked or totals:
            x = world.unit.side[2 + number]
            assert line["normalized"] == sum(int(e) << 8 * i for i, e in enumerate(x))


ONE = Shape(entry=0)
INNER = inner_format(8)
FAULTS = {
    "odd source": (Normalize(shape=0, source=1, chunk=CHUNK), {}, Fault.ADDRESS),
    "source": (Normalize(shape=0, source=508, chunk=CHUNK), {}, Fault.ADDRESS),
    "destination": (Normalize(shape=0, destination=510, chunk=CHUNK), {}, Fault.ADDRESS),
    "odd destination": (Normalize(shape=0, destination=5, chunk=CHUNK), {}, Fault.ADDRESS),
    "side": (Recompute(shape=0, side=506, norm=NORM), {}, Fault.ADDRESS),
    "odd side": (Recompute(shape=0, side=3, norm=NORM), {}, Fault.ADDRESS),
    "kept": (Form(shape=0, kept=True, side=506, norm=NORM), {}, Fault.ADDRESS),
    "records": (Normalize(shape=0, chunk=250), {}, Fault.ADDRESS),
    "scale": (
        Form(shape=0, normalized=False, second=Second.RESIDUAL, second_record=256),
        {},
        Fault.ADDRESS,
    ),
    "planes": (Recompute(shape=0, norm=NORM, planes=-7), {"plane_stride": 1}, Fault.ADDRESS),
    "far planes": (Recompute(shape=0, norm=NORM), {"plane_stride": 65535}, Fault.ADDRESS),
    "carried": (Carry(shape=0, destination=506), {}, Fault.ADDRESS),
    "short rows": (Apply(shape=0, chunk=CHUNK), {"valid_x": 15}, Fault.COUNT),
    "rows of halves": (
        Apply(shape=0, chunk=CHUNK),
        {"row_pixels": RowPixels.HALF, "tiles_x": 2},
        Fault.COUNT,
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults(player: Player, name: str) -> None:
    """One fault, and no end; what is beyond is not written."""
    machine: Any = player.design
    p = machine.parameters
    command, fields, fault = FAULTS[name]
    if name == "planes":  # the last one is beyond
        command = replace(command, planes=p.buffers.plane_words + command.planes)
    world = World(p, np.random.default_rng(1))
    shape = Shape(**(ONE.__dict__ | {"row_pixels": RowPixels.WHOLE} | fields))
    each = Play(player, world, (8, 8))
    found = each.play_raw(Order(command, shape, INNER, form_bits=8, error_bits=8), Stalls(), 1200)
    assert found["fault"].max() == fault
    assert (found["fault"] > 0).sum() == 1
    assert not found["ended"].any()
    words = p.buffers.plane_words
    assert all(write["address"] < words for write in plane_writes(found, p))


@pytest.mark.parametrize("kind", ["form", "shortcut", "recompute", "apply"])
def test_time(player: Player, kind: str) -> None:
    """A line a cycle, two for a shortcut, and what a command takes beside."""
    machine: Any = player.design
    p = machine.parameters
    images = 128 // p.block.channels
    shape = Shape(
        entry=0,
        images=images,
        channel_groups=2,
        plane_stride=2 * images,
        plane_group_stride=images,
    )
    lines = lines_of(shape, p.block.channels)
    form = Form(shape=0, chunk=CHUNK, norm=NORM, planed=True)
    end = Form(
        shape=0,
        end=True,
        second=Second.SHORTCUT,
        second_address=256,
        chunk=CHUNK,
        norm=NORM,
        second_record=SECOND,
        planed=True,
    )
    command = {
        "form": form,
        "shortcut": end,
        "recompute": Recompute(shape=0, norm=NORM),
        "apply": Apply(shape=0, chunk=CHUNK),
    }[kind]
    world = World(p, np.random.default_rng(2))
    world.unit.staging[256:] >>= 4
    order = Order(command, shape, None if kind == "shortcut" else INNER, 8, 8)
    made = slice(0, lines) if kind == "recompute" else slice(0, 0)
    took = play(player, order, world, Stalls(), made=made).took
    beats = 2 * lines if kind == "shortcut" else lines
    if kind == "apply":  # pairs wait for random bytes, and begin every other cycle
        beats += 3 * -(-lines // 32)
    assert took - beats <= machine.path.overhead_cycles
    assert took > beats
