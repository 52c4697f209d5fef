"""Registers that exist several times are in the Verilog as many times, with what keeps them."""

import re
from typing import Any

import pytest
from amaranth.hdl import Signal

from fractrain.gen.designs import ENGINE_NAME, Flavour, make_engine
from fractrain.gen.verilog import emit
from fractrain.hw.contract.parameters import load_parameters

REGISTER = re.compile(r'\(\* keep = "true" \*\)\s+reg (?:\[\d+:0\] )?(\S+) *= ')


def test_every_copy_is_in_the_verilog(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def record(*arguments: Any, **options: Any) -> Signal:
        made.append(Signal(*arguments, **options))
        return made[-1]

    monkeypatch.setattr("fractrain.hw.flow.copies.Signal", record)
    engine = make_engine(load_parameters("tiny"), Flavour.SYNTHESIS)
    text = emit(engine, ENGINE_NAME)
    assert len(made) > 50
    # Some have the name of the port that they drive.
    found = REGISTER.findall(text)
    assert len(found) == len(made), {each.name for each in made} ^ set(found)
