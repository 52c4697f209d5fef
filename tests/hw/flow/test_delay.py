"""Delays of a register that synthesis keeps are not kept themselves."""

from collections.abc import Callable

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Const, Module, Signal

from fractrain.hw.flow.copies import copies, copy_to
from fractrain.hw.flow.delay import delayed, stepped

DELAYS: dict[str, Callable[[Module, Signal], Signal]] = {
    "delayed": lambda m, value: delayed(m, value, 2, name="later"),
    "stepped": lambda m, value: stepped(m, value, 2, Const(1), name="later")[-1],
}


@pytest.mark.parametrize("delay", DELAYS.values(), ids=DELAYS)
def test_a_delay_of_a_copy_is_no_copy(delay: Callable[[Module, Signal], Signal]) -> None:
    m = Module()
    value, result = Signal(3), Signal(3)
    (copy,) = copies(1, name="copy", width=3)
    copy_to(m, [copy], value)
    m.d.comb += result.eq(~delay(m, copy))
    text = rtlil.convert(m, ports=[value, result])
    assert text.count(r"attribute \keep") == 1
