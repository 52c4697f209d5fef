"""Precision: operands, the passes that multiply them, and the ranges of their values."""

import pytest

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import (
    MAX_ACTIVATION_BITS,
    MAX_BITS,
    MAX_ERROR_BITS,
    MAX_WEIGHT_BITS,
    Operand,
    Pass,
    Precision,
    check_bits,
    check_hardware_bits,
    value_range,
)


def test_parse_precision() -> None:
    assert Precision.parse("4,3,16") == Precision(4, 3, 16)
    assert Precision.parse("0, 0, 0") == Precision(0, 0, 0)
    for text in ("4,4", "4,4,4,4", "a,b,c", "4;4;6", ""):
        with pytest.raises(ParameterError, match="three numbers a,w,e"):
            Precision.parse(text)
    with pytest.raises(ParameterError, match="precision: got .4,17,6., allowed: .* each 0..16"):
        Precision.parse("4,17,6")


@pytest.mark.parametrize("name", ["activation", "weight", "error"])
@pytest.mark.parametrize("bits", [-1, MAX_BITS + 1, 4.0, True, "4"])
def test_widths_that_no_machine_has_are_refused(name: str, bits: object) -> None:
    with pytest.raises(ParameterError, match=rf"precision\.{name}: got"):
        Precision(**{"activation": 1, "weight": 1, "error": 1, name: bits})  # type: ignore[arg-type]


def test_each_operand_has_its_bits() -> None:
    precision = Precision(4, 3, 6)
    assert [precision.bits(operand) for operand in Operand] == [4, 3, 6]
    assert str(precision) == "4/3/6"


def test_zero_bits_need_leave() -> None:
    assert check_bits("bits", 0, allow_skip=True) == 0
    with pytest.raises(ParameterError, match=r"1\.\.16"):
        check_bits("bits", 0)
    with pytest.raises(ParameterError, match=r"got 9, allowed: .*1\.\.8"):
        check_bits("bits", 9, maximum=8)


def test_operands_of_the_passes() -> None:
    assert (Pass.FORWARD.row, Pass.FORWARD.column) == (Operand.ACTIVATION, Operand.WEIGHT)
    assert (Pass.ERROR.row, Pass.ERROR.column) == (Operand.ERROR, Operand.WEIGHT)
    assert (Pass.GRADIENT.row, Pass.GRADIENT.column) == (Operand.ACTIVATION, Operand.ERROR)
    assert [operand.signed for operand in Operand] == [False, True, True]


def test_value_ranges() -> None:
    assert value_range(1, True) == (-1, 0) and value_range(1, False) == (0, 1)
    assert value_range(16, True) == (-32768, 32767) and value_range(16, False) == (0, 65535)
    for bits in range(1, MAX_BITS + 1):
        for signed in (False, True):
            low, high = value_range(bits, signed)
            assert high - low + 1 == 2**bits and (low < 0) == signed


def test_what_hardware_mode_takes() -> None:
    """Each width of each operand, from all that can be written."""
    limits = (MAX_ACTIVATION_BITS, MAX_WEIGHT_BITS, MAX_ERROR_BITS)
    assert limits == (8, 8, 12)
    check_hardware_bits([])
    for operand, most in zip(Operand, limits, strict=True):
        for bits in range(MAX_BITS + 1):
            widths = [4, 4, 6]
            widths[operand] = bits
            precision = Precision(*widths)
            if bits <= most:
                check_hardware_bits([precision])
                continue
            message = (
                f"^{operand.name.lower()} bits of {precision}: got {bits}, allowed: at most {most} "
                rf"in hardware mode \(--mode float takes {MAX_BITS}\)$"
            )
            for several in ([precision], [Precision(8, 8, 12), precision], (precision, precision)):
                with pytest.raises(ParameterError, match=message):
                    check_hardware_bits(several)
