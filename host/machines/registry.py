"""Every modelled machine by its name, and the options that it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fractrain.host.machines.ours import PRESET, Zc706
from fractrain.hw.contract.errors import ParameterError
from fractrain.sim.machines import (
    DOUBLE_PUMPED_DSP,
    PACKED_DSP,
    RECURSIVE_DSP,
    BitFusion,
    DspArray,
    Eyeriss,
    Machine,
)


@dataclass(frozen=True)
class Offered:
    """A machine as it is offered: what it is, the names of its options, and what makes it of
    those that are given."""

    about: str
    options: tuple[str, ...]
    build: Callable[..., Machine]


def _eyeriss(pes: tuple[int, int] | None = None, **given: Any) -> Machine:
    if pes is not None:
        given |= {"height": pes[0], "width": pes[1]}
    return Eyeriss(**given)


def _dsp(array: DspArray, about: str) -> Offered:
    options = ("packing", "dsps", "clock_mhz", "dram_bits_per_cycle")
    return Offered(about, options, lambda **given: replace(array, **given))


MACHINES: Mapping[str, Offered] = {
    "bit-fusion": Offered("Bit Fusion, configuration bf_e", ("im2col",), BitFusion),
    "eyeriss": Offered(
        "Eyeriss, 16-bit integers, row-stationary",
        ("pes", "clock_mhz", "dram_picojoules"),
        _eyeriss,
    ),
    RECURSIVE_DSP.name: _dsp(RECURSIVE_DSP, "one array of DSPs for all layers, after EDD"),
    PACKED_DSP.name: _dsp(PACKED_DSP, "packed DSP48E1 multipliers at one clock"),
    DOUBLE_PUMPED_DSP.name: _dsp(DOUBLE_PUMPED_DSP, "the same at twice the clock of the logic"),
    PRESET: Offered("the machine of this project", ("memory",), Zc706),
}


def build_machine(name: str, given: Mapping[str, Any]) -> Machine:
    """The machine ``name`` with the options that are ``given``, without those that are None.

    Raises `ParameterError` for an option that belongs to other machines.
    """
    offered = MACHINES[name]
    chosen = {key: value for key, value in given.items() if value is not None}
    for key, value in chosen.items():
        if key not in offered.options:
            having = [each for each, other in MACHINES.items() if key in other.options]
            option = f"--{key.replace('_', '-')}"
            raise ParameterError(option, value, f"with {' or '.join(having)} only")
    return offered.build(**chosen)
