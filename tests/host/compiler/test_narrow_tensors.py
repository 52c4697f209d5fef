"""Tensors of fewer bits than memory has room for: one program for all of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.host.compiler import Step, compile_program
from fractrain.host.compiler.tensors import KernelLayout, PixelLayout
from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.commands import decode
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Pass, Precision, value_range
from fractrain.sim.functional import Order
from tests.host.compiler.running import check, expected, random_operands, run, three_passes
from tests.hw.machines import machine

WIDE = 8, 4, 12


@st.composite
def layouts(draw: st.DrawFn) -> PixelLayout | KernelLayout:
    p = machine(array__spatial_bits=draw(st.sampled_from([1, 2, 4, 8])))
    bits, channels = draw(st.integers(1, 16)), draw(st.integers(1, 19))
    if draw(st.booleans()):
        filters = draw(st.integers(1, 17))
        groups = -(-filters // p.block.channels) + draw(st.integers(0, 1))
        return KernelLayout(p, filters, channels, draw(st.sampled_from([1, 9])), bits, groups)
    size = draw(st.integers(1, 9)), draw(st.integers(1, 40))
    width = next(each for each in (4, 8, 16, 32, 64) if each >= size[1])
    return PixelLayout(p, draw(st.integers(1, 3)), channels, size, width, bits)


@given(layouts(), st.data())
@settings(deadline=None)
def test_fewer_bits_fill_the_first_planes(
    layout: PixelLayout | KernelLayout, data: st.DataObject
) -> None:
    """They are what a tensor of all bits has there whose lower bits are zero; what lies behind
    them, and only that, stays as it was."""
    bits = data.draw(st.integers(1, layout.bits))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    shape = (
        (layout.images, layout.channels, *layout.size)
        if isinstance(layout, PixelLayout)
        else (layout.filters, layout.channels, layout.taps)
    )
    low, high = value_range(bits, signed=True)
    values = rng.integers(low, high, shape, endpoint=True)
    before = rng.integers(0, 256, layout.words * layout.parameters.word_bytes, np.uint8)
    narrow, wide = before.copy(), before.copy()
    layout.pack(values, narrow, bits)
    layout.pack(values << (layout.bits - bits), wide)
    planes = (-1, layout.digit_stride, layout.parameters.array.spatial_bits)
    for digit, (found, wanted, old) in enumerate(
        zip(*(each.reshape(layout.digits, -1) for each in (narrow, wide, before)), strict=True)
    ):
        for plane in range(planes[2]):
            each = digit * planes[2] + plane
            parts = [
                part.reshape(planes[1], planes[2], -1)[:, plane] for part in (found, wanted, old)
            ]
            np.testing.assert_array_equal(parts[0], parts[1 if each < bits else 2])
    if isinstance(layout, PixelLayout):
        whole = layout.unpack(wide, signed=True)
        np.testing.assert_array_equal(whole, values << (layout.bits - bits))


@given(
    geometry=st.builds(
        Geometry,
        st.integers(1, 3),
        st.integers(1, 20),
        st.integers(1, 20),
        st.tuples(st.integers(3, 18), st.integers(3, 18)),
        st.sampled_from([(1, 1), (3, 3), (2, 3)]),
        st.integers(1, 2),
        st.integers(0, 1),
    ),
    bits=st.tuples(st.integers(1, 8), st.integers(1, 4), st.integers(1, 12)),
    fewer=st.tuples(*[st.integers(0, 3)] * 3),
    spatial=st.sampled_from([1, 1, 2, 4]),
    order=st.sampled_from(Order),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=30, deadline=None)
def test_all_passes_of_narrow_tensors(
    geometry: Geometry,
    bits: tuple[int, int, int],
    fewer: tuple[int, int, int],
    spatial: int,
    order: Order,
    seed: int,
) -> None:
    """In a layout for 8/4/12 bits; the slot reads fewer still, down to none."""
    p = machine(array__spatial_bits=spatial)
    precision = Precision(*(max(b - less, 0) for b, less in zip(bits, fewer, strict=True)))
    stored = dict(zip("awe", bits, strict=True))
    check(p, three_passes(geometry, WIDE), {0: precision}, seed, [order], stored=stored)


@pytest.mark.parametrize("preset", ["tiny", "zc706"])
def test_one_program_serves_every_precision(preset: str) -> None:
    p = machine(preset)
    rng = np.random.default_rng(0)
    program = compile_program(p, three_passes(Geometry(2, 16, 24, (8, 8), (3, 3), 2, 1), WIDE))
    for bits in [(8, 4, 12), (3, 3, 6), (4, 4, 6), (1, 1, 1), (8, 2, 8)]:
        stored = dict(zip("awe", bits, strict=True))
        operands = random_operands(program, rng, stored)
        table = {0: Precision(*bits)}
        results, _ = run(program, operands, table, stored=stored)
        for name, wanted in expected(program, operands, table, stored).items():
            np.testing.assert_array_equal(np.asarray(results[name]), np.asarray(wanted))


@pytest.mark.parametrize("signs", [(True, True), (False, False), (True, False)])
def test_signs_are_those_of_the_tensors(signs: tuple[bool, bool]) -> None:
    """Activations by activations, if need be: commands, bounds and values follow the tensors."""
    geometry = Geometry(2, 5, 7, (6, 9), (3, 3), 1, 1)
    for step in three_passes(geometry, (5, 3, 6)):
        step = dataclasses.replace(step, signs=signs)
        check(machine(), [step], {0: Precision(5, 3, 6)})


def test_a_program_in_other_slots() -> None:
    """The same commands with other entries of the table."""
    p = machine()
    geometry = Geometry(1, 8, 8, (8, 8), (3, 3), 1, 1)
    steps = [
        dataclasses.replace(step, slot=slot)
        for slot, step in enumerate(three_passes(geometry, (4, 4, 4)))
    ]
    program = compile_program(p, steps)
    other = program.in_slots({0: 7, 1: 7, 2: 1})
    assert [step.slot for step in other.steps] == [7, 7, 1]
    assert [step.slot for step in program.steps] == [0, 1, 2]
    table = {1: Precision(3, 4, 4), 7: Precision(2, 2, 2)}
    operands = random_operands(program, np.random.default_rng(0))
    results, _ = run(other, operands, table)
    for name, wanted in expected(other, operands, table).items():
        np.testing.assert_array_equal(np.asarray(results[name]), np.asarray(wanted))
    words = [int.from_bytes(each.tobytes(), "little") for each in other.commands]
    assert list(other.decoded) == [decode(word) for word in words]
    with pytest.raises(ParameterError, match=r"slots: got 32, allowed: 0\.\.31"):
        program.in_slots({1: 32})


def test_refusals() -> None:
    geometry = Geometry(1, 8, 8, (8, 8), (3, 3), 1, 1)
    program = compile_program(machine(), [Step(Pass.FORWARD, geometry, 0, "a", "w", "y")])
    operands = random_operands(program, np.random.default_rng(0), {"a": 3})
    operands["a"][0, 0, 0, 0] = 7
    with pytest.raises(ParameterError, match=r"a\[0, 0, 0, 0\]: got 7, .*0\.\.3 \(2 bits"):
        program.check_operands(operands, {"a": 2})
    with pytest.raises(ParameterError, match=r"bits of a: got 9, .*1\.\.8"):
        program.check_operands(operands, {"a": 9})
    with pytest.raises(ParameterError, match=r"activation bits of slot 0: got 4, .*at most 3"):
        program.check_precisions({0: Precision(4, 8, 8)}, {"a": 3})
    skip = {0: Precision(0, 8, 8)}
    program.check_operands({}, precisions=skip)
    with pytest.raises(ParameterError, match="named a"):
        program.check_operands({"w": operands["w"]})
