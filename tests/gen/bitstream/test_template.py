"""Values go into the places of a template, all of them and nowhere else."""

import pytest

from fractrain.gen.bitstream.template import fill, tcl_list


def test_fill() -> None:
    assert fill("set a @{a}; puts $a ${b}", "x.tcl", a=5) == "set a 5; puts $a ${b}"


@pytest.mark.parametrize(
    ("text", "values"),
    [("@{a}", {}), ("a", {"a": 1}), ("@{a} @{b}", {"a": 1}), ("me@here.org @{a}", {"a": 1})],
)
def test_places_and_values_must_be_the_same(text: str, values: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"x\.tcl has places"):
        fill(text, "x.tcl", **values)


def test_tcl_list() -> None:
    assert tcl_list(["a.v", "Synth 8-327", "", "$x [y]"]) == "{a.v} {Synth 8-327} {} {$x [y]}"
    for wrong in ("a}", "{", "a\nb", "\\"):
        with pytest.raises(ValueError, match="cannot stand in a Tcl list"):
            tcl_list([wrong])
