"""UPDATE against the functional machine."""

import functools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.commands import Update as UpdateCommand
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import SUM_BITS, Operand
from fractrain.hw.contract.records import Record, clip_shift
from fractrain.hw.vector.update import FACTORS, Updater
from fractrain.hw.vector.update_command import Update
from fractrain.sim.functional.decoding import Task
from fractrain.sim.golden.step.scales import Multiplier
from fractrain.sim.golden.step.weights import UpdateRule
from tests.harness.stalls import STALLS
from tests.hw.machines import machine
from tests.hw.refusals import assert_refused
from tests.hw.vector.beats import ends_and_random
from tests.hw.vector.memory_bench import (
    BASE,
    SIZE,
    VECTOR,
    Design,
    Stalls,
    Surroundings,
    unit_machine,
)
from tests.hw.vector.test_update import rules

MACHINES = {8: unit_machine(), 16: unit_machine("zc706")}
FORMS = [(8, "plain"), (8, "primitives"), (16, "plain")]
PATTERNS = list(zip(STALLS, [*STALLS[1:], STALLS[0]], strict=True))
"""Of words and of blocks."""
HEADER = dict(slot=0, operand=Operand.ERROR, partner=Operand.ACTIVATION)
VELOCITY = SIZE // 2
RULE = UpdateRule(
    before=3,
    momentum=Multiplier(117_965, 17),
    decay=Multiplier(85_899, 35),
    gradient=Multiplier(100_003, 22),
    rate=Multiplier(104_858, 18),
)


@functools.cache
def design(channels: int, form: str = "plain", lanes: int | None = None) -> Design:
    p, primitives = MACHINES[channels], form == "primitives"
    unit = Update(p, lanes, primitives=primitives)
    return Design(unit, p, f"update_{channels}_{form}_{unit.lanes}", primitives=primitives)


def half_bytes(p: Parameters) -> int:
    return 4 * p.block.channels**2


def update_of(p: Parameters, **fields: Any) -> UpdateCommand:
    given = {
        "a_enable": True,
        "b_enable": True,
        "a_address": BASE,
        "b_address": BASE + half_bytes(p),
        "velocity": VELOCITY,
        "taps": 9,
    }
    return UpdateCommand(**HEADER, **(given | fields))


def run(
    p: Parameters,
    commands: list[UpdateCommand],
    rule: UpdateRule = RULE,
    *,
    absent: bool = False,
    form: str = "plain",
    lanes: int | None = None,
    **around: Any,
) -> Surroundings:
    surroundings = Surroundings(p, **around)
    surroundings.put_numbers(surroundings.base, SIZE)
    # sums of 32 bits after their shift
    most = (1 << SUM_BITS - 1) - 1
    bound = min((((1 << 31) - 1) << rule.before) + (1 << rule.before >> 1) - 1, most)
    sums = surroundings.chip.gradients
    sums[:] = ends_and_random(surroundings.rng, -bound, bound, sums.shape)
    fields = {"before": rule.before}
    for name in FACTORS:
        by = getattr(rule, name)
        fields[f"{name}_mantissa"] = by.mantissa if by else 0
        fields[f"{name}_shift"] = clip_shift(by.shift) if by else 0
    for place in range(VECTOR["parameter_words"]):
        surroundings.put_record(Record.UPDATE, place, **fields)
    items = [
        (command, Task(index, command, bits=8, partner_bits=0 if absent else 8))
        for index, command in enumerate(commands)
    ]
    surroundings.run(design(p.block.channels, form, lanes), items)
    return surroundings


@st.composite
def updates(draw: st.DrawFn, p: Parameters) -> UpdateCommand:
    size = half_bytes(p)
    places = st.integers(0, VELOCITY // size - 3)
    first, second = draw(st.tuples(places, places).filter(lambda both: both[0] != both[1]))
    taps = draw(st.sampled_from([1, 9, 15]) | st.integers(1, 15))
    # aligned to words only
    off = p.word_bytes * draw(st.integers(0, 2 * size // p.word_bytes - 1))
    tap = st.integers(0, taps - 1) | st.just(15)
    group = st.integers(0, 255) | st.integers(0, 3)
    last = p.buffers.gradient_words - p.beats_per_tile
    return update_of(
        p,
        gradient_address=draw(st.integers(0, last) | st.just(last)),
        a_enable=draw(st.booleans()) or draw(st.booleans()),
        b_enable=draw(st.booleans()) or draw(st.booleans()),
        a_address=BASE + size * first + off,
        b_address=BASE + size * second + off,
        a_group=draw(group),
        b_group=draw(group),
        a_tap=draw(tap),
        b_tap=draw(tap),
        velocity=VELOCITY,
        filter_group=draw(st.integers(0, 255) | st.integers(0, 3)),
        taps=taps,
        rule=draw(st.integers(0, VECTOR["parameter_words"] - 1)),
        tensor=draw(st.integers(0, 65535)),
        peak=draw(st.integers(0, VECTOR["peak_words"] - 2)),
    )


@pytest.mark.parametrize(("channels", "form"), FORMS)
@pytest.mark.parametrize(("words", "blocks"), PATTERNS)
@settings(deadline=None, max_examples=6)
@given(data=st.data())
def test_weights(channels: int, form: str, words: str, blocks: str, data: st.DataObject) -> None:
    p = MACHINES[channels]
    some = data.draw(st.lists(updates(p), min_size=1, max_size=3))
    stalls = Stalls(words=words, blocks=blocks, reads=words, requests=blocks)
    seed, absent = (
        data.draw(st.integers(0, 1 << 20)),
        data.draw(st.sampled_from([False] * 4 + [True])),
    )
    rule = data.draw(st.just(RULE) | rules())
    run(p, some, rule, absent=absent, form=form, seed=seed, stalls=stalls)


@pytest.mark.parametrize("absent", [False, True])
@pytest.mark.parametrize("enabled", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_half_blocks(enabled: tuple[int, int], absent: bool) -> None:
    p = MACHINES[8]
    a, b = map(bool, enabled)
    found = run(p, [update_of(p, a_enable=a, b_enable=b, peak=4)] * 2, absent=absent)
    assert len(found.written) == 2 * sum(enabled) * 2 * half_bytes(p) // p.block_bytes


@pytest.mark.parametrize("taps", range(1, 16))
def test_all_taps(taps: int) -> None:
    p = MACHINES[8]
    run(p, [update_of(p, taps=taps, a_tap=taps - 1, b_group=37, filter_group=3)])


def test_every_shift_of_the_gradient() -> None:
    p = MACHINES[8]
    for before in range(Updater.MOST_PRESHIFT + 1):
        rule = UpdateRule(before, RULE.momentum, RULE.decay, RULE.gradient, RULE.rate)
        run(p, [update_of(p, gradient_address=before)], rule)


def test_weights_are_read_as_the_command_before_has_left_them() -> None:
    """Even where memory is slow to take them."""
    p = MACHINES[8]
    stalls = Stalls(acknowledge=(30, 90), latency=(1, 2))
    run(p, [update_of(p), update_of(p, tensor=7), update_of(p, a_enable=False)], stalls=stalls)


def test_faults() -> None:
    p = MACHINES[8]
    word, size, end = p.word_bytes, half_bytes(p), BASE + SIZE
    good = update_of(p, b_enable=False)
    wrong = [
        update_of(p, gradient_address=p.buffers.gradient_words - p.beats_per_tile + 1),
        update_of(p, gradient_address=65535),
        update_of(p, peak=VECTOR["peak_words"] - 1),
        update_of(p, peak=4095),
        update_of(p, rule=VECTOR["parameter_words"]),
        update_of(p, rule=4095, a_enable=False, b_enable=False),
        update_of(p, a_address=BASE + 4),
        update_of(p, a_address=BASE - word),
        update_of(p, a_address=BASE, velocity=VELOCITY + 8),
        update_of(p, a_address=BASE, velocity=SIZE - size + word),
        update_of(p, a_address=BASE, velocity=(1 << 32) - 1),
        update_of(p, a_address=BASE, velocity=(1 << 32) - BASE),
        update_of(p, b_address=end - size + word),
    ]
    for command in wrong:
        found = run(p, [good, command], stalls=Stalls(blocks="random", words="rare"))
        assert found.own_faults or found.faults


def test_half_blocks_that_are_not_enabled_may_be_anywhere() -> None:
    p = MACHINES[8]
    run(p, [update_of(p, b_enable=False, b_address=3), update_of(p, a_enable=False, a_address=1)])


def test_errors_of_memory() -> None:
    p = MACHINES[8]
    run(p, [update_of(p)], bad_word=20)
    run(p, [update_of(p)], bad_block=9)


@pytest.mark.parametrize("channels", MACHINES)
def test_rate(channels: int) -> None:
    """Of two half-blocks, with what a command takes beside its weights."""
    p = MACHINES[channels]
    stalls = Stalls(acknowledge=(30, 30), latency=(50, 50))
    found = run(p, [update_of(p, tensor=n) for n in range(3)], stalls=stalls)
    weights = 2 * p.block.channels**2
    lanes = design(channels).component.unit.lanes
    assert max(found.cycles) < weights * 4 // lanes + 260


def test_random_bits_count() -> None:
    """Lest the comparison be of nothing: another tensor gives other weights."""
    p = MACHINES[8]
    first, second = (run(p, [update_of(p, tensor=tensor)]).data for tensor in (1, 2))
    assert np.count_nonzero(first != second) > 20


def test_refusals() -> None:
    assert_refused(lambda: Update(machine("tiny")), "vector")
    assert_refused(lambda: Update(MACHINES[8], 8), "a divisor of 4")
