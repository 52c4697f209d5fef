"""All forms of the plane dot product are proved equal, at the sizes of both presets.

Each is proved to be ``Σ_k a[k] & b[k]``, `PlaneDot.latency_cycles` ago: the trees level by
level, the word-wide count by canonical decision diagrams. The proofs start from the Verilog
that is emitted; a wrong bit in it makes them fail.
"""

import re

import pytest

from fractrain.hw.mac.cells import Lut6Cells
from fractrain.hw.mac.plane_dot import PlaneDot
from fractrain.hw.shared_module import ModuleLibrary
from tests.hw.mac.counting_proof import prove_by_diagrams, prove_by_levels
from tests.hw.mac.pipeline_netlist import read_pipeline

PRESETS = (36, 144)


def emit(lanes: int, style: str) -> tuple[str, int]:
    dot = PlaneDot(lanes, style)
    return ModuleLibrary().emit(dot, "dot"), dot.latency_cycles


def words_order(lanes: int) -> list[int]:
    """Lanes that the word-wide count adds early next to each other: it folds bytes last."""

    def key(lane: int) -> tuple[int, ...]:
        word, position = divmod(lane, 64)
        byte, bit = divmod(position, 8)
        return (byte & 1, byte & 2, byte & 4, word // 2, bit & 4, word, bit)

    return sorted(range(lanes), key=key)


@pytest.mark.parametrize("lanes", PRESETS)
@pytest.mark.parametrize("style", ["lut6", "inferred"])
def test_tree_counts(lanes: int, style: str) -> None:
    verilog, latency = emit(lanes, style)
    assert prove_by_levels(read_pipeline(verilog, "dot"), lanes) == latency


@pytest.mark.parametrize("lanes", PRESETS)
def test_words_count(lanes: int) -> None:
    verilog, latency = emit(lanes, "words")
    assert prove_by_diagrams(read_pipeline(verilog, "dot"), words_order(lanes)) == latency


# Every table, and bits of it that matter: with S high a carry chain ignores DI, and the full
# adder's upper inputs are tied low.
MUTATIONS = [
    (Lut6Cells.PRODUCTS_SUM, 0),
    (Lut6Cells.PRODUCTS_SUM, 63),
    (Lut6Cells.PRODUCTS_CARRY, 27),
    (Lut6Cells.PARITY, 5),
    (Lut6Cells.HALVES, 32 + 6),
    (Lut6Cells.HALVES, 31),
    (Lut6Cells.FULL_ADDER, 7),
    (Lut6Cells.FULL_ADDER, 32 + 4),
]


@pytest.mark.parametrize(("table", "bit"), MUTATIONS)
def test_one_wrong_bit_of_a_lut_fails(table: int, bit: int) -> None:
    verilog, _ = emit(144, "lut6")
    right, wrong = (f"64'h{each:016x}" for each in (table, table ^ 1 << bit))
    assert right in verilog
    mutated = verilog.replace(right, wrong, 1)
    with pytest.raises(AssertionError, match="does not count|is not counted"):
        prove_by_levels(read_pipeline(mutated, "dot"), 144)


def test_one_wrong_connection_fails() -> None:
    verilog, _ = emit(144, "lut6")
    mutated, replaced = re.subn(r"\.I0\(a\[5\d\]\)", ".I0(a[7])", verilog, count=1)
    assert replaced
    with pytest.raises(AssertionError):
        prove_by_levels(read_pipeline(mutated, "dot"), 144)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("mask_2 = 64'h3333333333333333", "mask_2 = 64'h3333333333333331"),
        ("[31:0] + ", "[26:0] + "),
        ("= a & b", "= a | b"),
    ],
)
def test_one_wrong_piece_of_the_words_fails(right: str, wrong: str) -> None:
    verilog, _ = emit(36, "words")
    assert right in verilog
    with pytest.raises(AssertionError, match=r"bit \d of the total"):
        prove_by_diagrams(read_pipeline(verilog.replace(right, wrong, 1), "dot"), words_order(36))
