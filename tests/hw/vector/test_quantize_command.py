"""QUANTIZE against the functional machine."""

import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.commands import Quantize as QuantizeCommand
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand
from fractrain.hw.contract.records import Record
from fractrain.hw.vector.quantize_command import Quantize
from fractrain.sim.functional.decoding import Task
from tests.harness.stalls import STALLS
from tests.hw.machines import machine
from tests.hw.refusals import assert_refused
from tests.hw.vector.memory_bench import (
    BASE,
    SIZE,
    VECTOR,
    Design,
    Stalls,
    Surroundings,
    unit_machine,
)

MACHINES = {8: unit_machine(), 16: unit_machine("zc706")}
WORDS = VECTOR["parameter_words"]
HEADER = dict(slot=0, operand=Operand.WEIGHT, partner=Operand.ACTIVATION)
DESTINATION = BASE + SIZE // 2
TOP = (1 << 17) - 1


@functools.cache
def design(channels: int, form: str = "plain") -> Design:
    p, primitives = MACHINES[channels], form == "primitives"
    unit = Quantize(p, primitives=primitives)
    return Design(unit, p, f"quantize_{channels}_{form}", primitives=primitives)


def quantize_of(**fields: int) -> QuantizeCommand:
    return QuantizeCommand(
        **HEADER, **({"source": BASE, "destination": DESTINATION, "plane_stride": 9} | fields)
    )


def run(
    p: Parameters,
    commands: list[tuple[QuantizeCommand, int]],
    shift: int = 24,
    form: str = "plain",
    **around: object,
) -> Surroundings:
    """``commands`` with their bits; all records have ``shift``."""
    surroundings = Surroundings(p, **around)
    surroundings.put_numbers(surroundings.base, SIZE // 2)
    rng = surroundings.rng
    for place in range(WORDS):
        mantissa = int(rng.choice([1 << 16, TOP, 100_003, 0], p=[0.2, 0.3, 0.45, 0.05]))
        surroundings.put_record(Record.SCALE, place, mantissa=mantissa, shift=shift, before=5)
    items = [
        (command, Task(index, command, bits=bits)) for index, (command, bits) in enumerate(commands)
    ]
    surroundings.run(design(p.block.channels, form), items)
    return surroundings


@st.composite
def commands(draw: st.DrawFn, p: Parameters, most: int) -> tuple[QuantizeCommand, int]:
    blocks, bits = draw(st.integers(1, most)), draw(st.integers(1, 8))
    source = BASE + p.word_bytes * draw(st.integers(0, 16))
    stride = draw(st.integers(blocks, blocks + 3))
    units = (SIZE // 2 - p.block_bytes * stride * bits) // p.block_bytes
    destination = DESTINATION + p.block_bytes * draw(st.integers(0, units))
    scale = draw(st.integers(0, WORDS - 1))
    fields = dict(source=source, destination=destination, blocks=blocks, plane_stride=stride)
    return quantize_of(scale=scale, **fields), bits


PATTERNS = list(zip(STALLS, [*STALLS[1:], STALLS[0]], strict=True))
"""Of words and of blocks."""
FORMS = [(8, "plain"), (8, "primitives"), (16, "plain")]


@pytest.mark.parametrize(("channels", "form"), FORMS)
@pytest.mark.parametrize(("words", "blocks"), PATTERNS)
@settings(deadline=None, max_examples=3)
@given(data=st.data())
def test_planes(channels: int, form: str, words: str, blocks: str, data: st.DataObject) -> None:
    p = MACHINES[channels]
    some = data.draw(st.lists(commands(p, 6 if channels == 8 else 3), min_size=1, max_size=2))
    shift = data.draw(st.sampled_from([-64, 7, 8, 9, 20, 24, 28, 38, 45, 49, 50, 63]))
    stalls = Stalls(words=words, blocks=blocks, reads=words, requests=blocks)
    run(p, some, shift, form, seed=data.draw(st.integers(0, 1 << 20)), stalls=stalls)


@pytest.mark.parametrize("bits", range(1, 9))
def test_all_bits(bits: int) -> None:
    run(MACHINES[8], [(quantize_of(blocks=3, plane_stride=5), bits)], 31 - bits + 16)


@pytest.mark.parametrize("channels", MACHINES)
def test_weights_a_cycle(channels: int) -> None:
    """The lanes work all the time, at 8 bits as well."""
    p = MACHINES[channels]
    blocks = 12
    found = run(
        p,
        [(quantize_of(blocks=blocks, plane_stride=blocks), 8)],
        stalls=Stalls(acknowledge=(1, 1), latency=(20, 20)),
    )
    assert found.cycles[0] < blocks * p.block_bits // design(channels).component.unit.lanes + 100


def test_faults() -> None:
    p = MACHINES[8]
    word, end = p.word_bytes, BASE + SIZE
    good = (quantize_of(blocks=1), 3)
    block = word * 32
    wrong = [
        quantize_of(scale=WORDS),
        quantize_of(scale=4095),
        quantize_of(source=BASE + 8),
        quantize_of(source=BASE - word),
        quantize_of(source=end - block, blocks=2),
        quantize_of(source=end - block + word),
        quantize_of(destination=DESTINATION + word // 2),
        quantize_of(destination=end - word, blocks=2),
        quantize_of(destination=end - word, plane_stride=1),
        quantize_of(destination=(1 << 32) - word, blocks=2),
        quantize_of(destination=DESTINATION, blocks=1, plane_stride=(1 << 24) - 1),
    ]
    for command in wrong:
        found = run(p, [good, (command, 4)], stalls=Stalls(blocks="random", words="rare"))
        assert found.own_faults or found.faults


def test_words_beyond_the_address_space_do_not_wrap() -> None:
    """The window ends with the address space, and the weights begin again at its start."""
    p = MACHINES[8]
    base = (1 << 32) - SIZE
    source = (1 << 32) - p.word_bytes * 32
    command = quantize_of(source=source, destination=base, blocks=2)
    found = run(p, [(command, 2)], base=base)
    assert found.faults and not found.own_faults


def test_planes_beyond_the_address_space_do_not_wrap() -> None:
    p = MACHINES[8]
    base = (1 << 32) - SIZE
    destination = (1 << 32) - 2 * p.block_bytes
    command = quantize_of(source=base, destination=destination, blocks=2, plane_stride=2)
    found = run(p, [(command, 2)], base=base)
    assert found.own_faults and not found.faults


def test_errors_of_memory() -> None:
    p = MACHINES[8]
    run(p, [(quantize_of(blocks=3, plane_stride=4), 4)], bad_word=40)
    run(p, [(quantize_of(blocks=3, plane_stride=4), 4)], bad_block=6)


def test_refusals() -> None:
    assert_refused(lambda: Quantize(machine("tiny")), "vector")
    assert_refused(lambda: Quantize(MACHINES[8], 3), "lanes")
    assert_refused(lambda: Quantize(MACHINES[8], 8), "a divisor of 4")
