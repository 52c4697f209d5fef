"""What stops a machine with a vector unit behind the decoder: statistics that it does not have, and
errors of memory; what a reset leaves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fractrain.hw.contract.commands import (
    NO_GROUP,
    Channel,
    Convolve,
    End,
    Fault,
    Fill,
    Move,
    Narrow,
    Normalize,
    Pattern,
    Spill,
    encode,
)
from fractrain.hw.contract.precision import Operand
from fractrain.sim.functional.fault import FaultError
from fractrain.sim.functional.words import BrokenBytes
from tests.sim.functional.test_vector_faults import bench, fault_of, fault_of_run


def test_statistics_that_the_channel_unit_does_not_have() -> None:
    """Running ones among them; as many pixels as no factor of a DSP slice holds."""
    good = Channel(pixels=(1 << 17) - 1, address=0)
    assert fault_of_run(good) is None
    for backward in (False, True):
        for wrong in ({"pixels": 1 << 17}, {"share": 1}, {"share": 255}):
            command = replace(good, backward=backward, **wrong)
            assert fault_of(encode(command)) is None
            assert fault_of_run(command) == (Fault.COUNT, 1), command


def test_memory_that_answers_with_errors() -> None:
    """Reads or writes or both, of any byte of what a command moves, and of no other."""
    for command, first, last, write in (
        (Fill(address=64, lines=2), 64, 127, False),
        (Spill(address=64, lines=2), 64, 127, True),
    ):
        fault = Fault.WRITE_ERROR if write else Fault.READ_ERROR
        for region, wanted in (
            ((0, 63, True, True), None),
            ((128, 255, True, True), None),
            ((first, first, True, True), (fault, 1)),
            ((last, 200, not write, write), (fault, 1)),
            ((0, 1000, write, not write), None),
        ):
            made = bench()
            made.machine.inject((BrokenBytes(*region),))
            assert fault_of_run(command, made=made) == wanted


def test_a_reset_forgets_shapes() -> None:
    made = bench()
    assert fault_of_run(Normalize(shape=0), made=made) is None
    made.machine.reset()
    with pytest.raises(FaultError, match="shape 0, which was not written"):
        made.run(Normalize(shape=0), End())


def test_words_of_which_nothing_is_kept_may_be_anywhere() -> None:
    """As in the RTL: they are not written."""
    nowhere = NO_GROUP << 4 | NO_GROUP
    assert fault_of_run(Move(destination=65535, groups=nowhere)) is None
    for groups in (NO_GROUP << 4, NO_GROUP, 0):
        assert fault_of_run(Move(destination=65535, groups=groups)) == (Fault.ADDRESS, 1)


def test_column_addresses_count_modulo_their_bits() -> None:
    convolve = Convolve(
        slot=0,
        operand=Operand.ACTIVATION,
        partner=Operand.WEIGHT,
        row_signed=False,
        column_signed=True,
        pattern=0,
        pairs=1,
        address=0,
        column_address=1,
        column_slice_stride=65535,
        slices=2,
    )
    for address, fault in ((1, None), (0, (Fault.ADDRESS, 2))):
        command = replace(convolve, column_address=address)
        assert fault_of_run(Pattern(entry=0), command, Narrow()) == fault
