"""The vector unit's components as they are synthesized, and the page with their figures."""

import re
from pathlib import Path

import pytest

from fractrain.gen.synthesis import vector
from fractrain.gen.synthesis.vector import COMPONENTS, HEADS, VectorPart, figures_of, table
from fractrain.gen.verilog import emit
from fractrain.hw.vector.key_schedule import KeySchedule
from tests.gen.test_vivado_rules import ARRAY

PAGE = Path(__file__).parents[3] / "docs" / "vector_unit.md"


def rows() -> dict[str, list[str]]:
    """The page's table: by the component's name, what is in its columns."""
    area = PAGE.read_text("utf-8").partition("## Area")[2]
    found = re.findall(r"^\| `(\w+)` \| (.+) \|$", area, re.MULTILINE)
    return {name: text.split(" | ") for name, text in found}


def slices(verilog: str, top: str) -> int:
    """DSP slices of the module ``top`` and all below it, of a shared module as often as it is
    there."""
    texts = dict(re.findall(r"^module (\w+)(.*?)^endmodule", verilog, re.MULTILINE | re.DOTALL))

    def of(module: str) -> int:
        kinds = re.findall(r"^  (\w+) (?:#\(|\S+ \()", texts[module], re.MULTILINE)
        inside = sum(of(kind) for kind in kinds if kind in texts)
        return kinds.count("DSP48E1") + inside

    return of(top)


def test_the_page_has_every_component() -> None:
    assert list(rows()) == list(COMPONENTS)
    for name, columns in rows().items():
        assert len(columns) == len(HEADS) - 1 and columns[0] == COMPONENTS[name].text
        most = 5 if name == "channel_walk" else 4  # its sequencer's steps, with what asks for them
        assert int(columns[HEADS.index("levels") - 1]) <= most, name


@pytest.mark.parametrize("name", COMPONENTS)
def test_its_slices_are_those_of_the_verilog(name: str) -> None:
    """And every memory says what it is made of, and begins with nothing in it."""
    top = f"vector_{name}"
    verilog = emit(COMPONENTS[name].make(), top)
    assert int(rows()[name][HEADS.index("DSP") - 1]) == slices(verilog, top)
    assert all(style in ("distributed", "block") for style, _ in ARRAY.findall(verilog))
    assert not re.search(r"^ *initial\b", verilog, re.MULTILINE)


def test_a_table_of_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The smallest component, through Yosys."""
    monkeypatch.setattr(vector, "CACHE", tmp_path)
    monkeypatch.setitem(COMPONENTS, "smallest", VectorPart(KeySchedule, "a key"))
    found = figures_of("smallest")
    assert found.flip_flops >= 4 * 64 and found.dsps == 0 and found.logic_levels <= 4
    last = table(["smallest"]).splitlines()[-1]
    assert last.startswith("| `smallest` | a key | ") and last.count("|") == len(HEADS) + 1
