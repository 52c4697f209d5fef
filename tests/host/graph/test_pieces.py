"""What becomes one piece, and which of its convolutions are carried out."""

import pytest

from fractrain.host.graph.geometry import Geometry
from fractrain.host.graph.operations import Convolve, Operation, Rectify
from fractrain.host.graph.pieces import Piece, cut
from fractrain.host.graph.skipping import find_running
from fractrain.host.graph.tensor import Fixed, Kind, Tensor
from fractrain.hw.contract.precision import Pass, Precision

GEOMETRY = Geometry(1, 2, 2, (4, 4), (1, 1))
TABLE = [Precision(4, 4, 4), Precision(0, 0, 0)]


def real(name: str) -> Tensor:
    return Tensor(name, GEOMETRY.activations, Kind.REAL)


def convolve(name: str, row: Tensor, slot: int = 0) -> Convolve:
    weights = Tensor("w", GEOMETRY.weights, Kind.PARAMETER)
    operands = row, weights, real(f"{name}.y")
    return Convolve(name, slot, Pass.FORWARD, GEOMETRY, *operands, (Fixed(4), Fixed(4)), name)


def names(operations: list[Operation]) -> list[list[str]]:
    return [
        [part.name for part in each.convolutions] if isinstance(each, Piece) else [each.name]
        for each in cut(operations)
    ]


def test_a_convolution_that_reads_anothers_result_begins_a_new_piece() -> None:
    one, other = convolve("one", real("x")), convolve("other", real("x"))
    after = convolve("after", other.result)
    last = convolve("last", after.result)
    rectify = Rectify("relu", None, last.result, real("y"), real("mask"))
    assert names([one, other, after, last, rectify, one]) == [
        *(["one", "other"], ["after"], ["last"], ["relu"], ["one"]),
    ]
    assert names([one, other]) == [["one", "other"]]
    assert names([]) == []


@pytest.mark.parametrize("stored", [False, True])
def test_what_lacks_an_operand_or_is_skipped_does_not_run(stored: bool) -> None:
    memory = Tensor("memory", GEOMETRY.activations, Kind.ACTIVATIONS)
    top = Tensor("top", GEOMETRY.activations, Kind.ACTIVATIONS, planes_of=memory)
    piece = [convolve("runs", top), convolve("lacks", real("x")), convolve("skipped", top, 1)]
    given = {"memory" if stored else "top", "w"}
    found = find_running(piece, TABLE, given, stored=stored)
    assert [each.name for each in found] == ["runs"]
    assert not list(find_running(piece, TABLE, given, stored=not stored))
