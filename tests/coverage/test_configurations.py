"""What the configuration accepts works: any engine on the emulator, chosen ones in RTL."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.parameters import Parameters
from fractrain.sim.cosim import compile as compilation
from tests.coverage.arrays import arrays, oversized
from tests.coverage.configurations import SMALL, configurations, design_of, layers, simulate
from tests.host.compiler.running import check
from tests.hw.machines import machine

PROGRAMS = 18
EVERY = {"odd-2": 4, "ports-4": 4, "smallest-8": 9}
"""Of them in RTL: 5 programs, with all forms of results; 2 where a cycle takes milliseconds."""
QUICKLY = ["OPT_FAST=-O0", "OPT_SLOW=-O0", "OPT_GLOBAL=-O0"]
"""These models run for seconds: compiling them is what takes the time."""


@given(configurations(), st.integers(0, PROGRAMS - 1), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_any_configuration(p: Parameters, number: int, seed: int) -> None:
    steps, precisions = list(layers(p))[number]
    check(p, steps, precisions, seed)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(each, marks=() if each == "odd-2" else pytest.mark.slow)  # minutes to compile
        for each in EVERY
    ],
)
def test_chosen_configurations_in_rtl(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """S = 2, 4 and 8; smallest and odd buffers; 1, 3 and 4 ports, 1 to 16 bursts outstanding."""
    monkeypatch.setattr(compilation, "optimization", lambda: QUICKLY)
    p = machine(**SMALL[name])
    design = design_of(p)
    assert not oversized(design.verilog)
    assert simulate(p, design, EVERY[name]) > 0


def test_arrays_are_found_in_verilog() -> None:
    text = "module m;\n  reg [1535:0] memory [1023:0];\n  reg flags [15:0];\n  reg [7:0] last;\n"
    assert arrays(text) == {"memory": 1536 * 1024, "flags": 16}
    assert oversized(text) == {"memory": 1536 * 1024}
    for words, large in ((999_999, False), (1_000_000, False), (1_000_001, True)):
        assert bool(oversized(f"  reg bits [{words - 1}:0];")) is large
