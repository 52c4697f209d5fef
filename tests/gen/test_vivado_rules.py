"""What Vivado wants of the Verilog: arrays that it takes and that say which RAM they want,
plain names, no lists of initial values."""

import re

import pytest

from fractrain.gen.synthesis.parts import PARTS
from fractrain.hw.contract.parameters import WHOLE_STEP_PRESET, load_parameters, preset_names
from fractrain.sim.cosim.convolution import convolution_design
from tests.coverage.arrays import arrays, oversized

LONGEST_LINE = 20_000

ARRAY = re.compile(
    r'(?:\(\* ram_style = "(\w+)" \*\)\s+)?^  reg (?:\[\d+:0\] )?(\S+) +\[\d+:0\];', re.MULTILINE
)


PRESETS = [
    # its text takes minutes to make
    pytest.param(name, marks=pytest.mark.slow) if name == WHOLE_STEP_PRESET else name
    for name in preset_names()
]


@pytest.fixture(scope="module", params=PRESETS)
def verilog(request: pytest.FixtureRequest) -> str:
    """The engine of a preset. Its memories are those of every flavour."""
    return convolution_design(load_parameters(request.param)).verilog


def test_arrays(verilog: str) -> None:
    found = ARRAY.findall(verilog)
    assert len(found) > 20 and {name for _, name in found} == arrays(verilog).keys()
    assert not oversized(verilog)
    for style, name in found:
        assert style in ("block", "distributed"), name


def test_memories_read_without_a_clock_are_in_luts(verilog: str) -> None:
    """Nothing but LUTs can be; and no array has writes to a part of a word."""
    unclocked = []
    for module in re.split(r"^(?=module )", verilog, flags=re.MULTILINE):
        styles = {name: style for style, name in ARRAY.findall(module)}
        if not styles:
            continue
        read = re.findall(r"^  assign \S+ = (\S+?) ?\[[^\[\]]+\];", module, re.MULTILINE)
        unclocked += [styles[name] for name in read if name in styles]
        names = "|".join(map(re.escape, styles))
        assert not re.search(rf"^ +(?:{names}) ?\[[^\]]+\]\[", module, re.MULTILINE)
    assert set(unclocked) == {"distributed"}


def test_no_initial_contents_no_dots_no_endless_lines(verilog: str) -> None:
    assert not re.search(r"^ *initial\b", verilog, re.MULTILINE)
    assert not re.findall(r"^module \\", verilog, re.MULTILINE)
    assert max(map(len, verilog.splitlines())) < LONGEST_LINE


def test_what_is_shared_is_kept(verilog: str) -> None:
    """As many modules as stand for many instances; the parts of the array among them."""
    kept = re.findall(r'^\(\* keep_hierarchy = "yes" \*\)\nmodule (\w+)', verilog, re.MULTILINE)
    for each in ("mac_cluster_", "mac_unit_", "mac_drain_", "column_part_", "result_narrow_"):
        assert any(name.startswith(each) for name in kept), each
    instances = re.findall(r"^  (\w+) \S+ ?\($", verilog, re.MULTILINE)
    for name in kept:
        assert instances.count(name) > 0


def test_synthesis_sees_the_same_attributes() -> None:
    """`make synth` reads the Verilog that the flows read."""
    text = PARTS["top"].verilog(load_parameters("tiny"))
    assert text.count('(* keep_hierarchy = "yes" *)') >= 3
    assert text.count('(* keep = "true" *)') > 20
