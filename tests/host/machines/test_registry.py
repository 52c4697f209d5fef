"""Machines by name."""

import pytest

from fractrain.host.machines import MACHINES, build_machine
from fractrain.hw.contract.errors import ParameterError
from fractrain.sim.machines import BitFusion, Eyeriss


@pytest.mark.parametrize("name", MACHINES)
def test_each_has_its_name_and_defaults(name: str) -> None:
    machine = build_machine(name, dict.fromkeys(("im2col", "pes", "packing", "memory")))
    assert machine.name == name
    assert hash(machine) == hash(build_machine(name, {}))


def test_options() -> None:
    assert build_machine("bit-fusion", {"im2col": True}) == BitFusion(im2col=True)
    given = {"pes": (12, 14), "clock_mhz": 200.0, "dram_picojoules": 6.0, "memory": None}
    assert build_machine("eyeriss", given) == Eyeriss(12, 14, 200.0, dram_picojoules=6.0)
    array = build_machine("packed-dsp", {"packing": (4, 3, 2), "dsps": 100})
    assert (array.packing, array.dsps) == ((4, 3, 2), 100)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "option", "value", "having"),
    [
        ("eyeriss", "im2col", True, "bit-fusion"),
        ("bit-fusion", "clock_mhz", 200.0, "eyeriss or recursive-dsp"),
        ("zc706", "pes", (12, 14), "eyeriss"),
        ("recursive-dsp", "memory", "port", "zc706"),
    ],
)
def test_options_of_other_machines_are_refused(
    name: str, option: str, value: object, having: str
) -> None:
    with pytest.raises(ParameterError, match=f"--{option.replace('_', '-')}: .*with {having}"):
        build_machine(name, {option: value})
