"""Area of a mapped netlist: cells of each module times how often the module exists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fractrain.gen.synthesis.cells import cell_kind
from fractrain.gen.synthesis.netlist import Netlist

__all__ = ["Area", "ModuleArea", "area_below", "area_of_cells", "module_areas", "total_area"]


@dataclass(frozen=True)
class Area:
    """What a set of cells occupies.

    luts : LUTs, one for each cell that is one (LUT6_2, too), those used as memory included
    packed_luts : estimate of the LUTs after packing, see `_pairs`
    half_brams : block RAMs in units of 18 Kb; one of 36 Kb is two
    """

    luts: int = 0
    packed_luts: int = 0
    flip_flops: int = 0
    dsps: int = 0
    half_brams: int = 0
    memory_luts: int = 0

    @property
    def bram36(self) -> float:
        """Block RAMs of 36 Kb."""
        return self.half_brams / 2

    def __add__(self, other: Area) -> Area:
        return Area(*(a + b for a, b in zip(self._values(), other._values(), strict=True)))

    def __sub__(self, other: Area) -> Area:
        return self + other * -1

    def __mul__(self, count: int) -> Area:
        return Area(*(value * count for value in self._values()))

    def _values(self) -> tuple[int, ...]:
        return (
            self.luts,
            self.packed_luts,
            self.flip_flops,
            self.dsps,
            self.half_brams,
            self.memory_luts,
        )


@dataclass(frozen=True)
class ModuleArea:
    """A module, how often it exists, and the area of one, without the modules in it."""

    name: str
    count: int
    each: Area


def total_area(netlist: Netlist) -> Area:
    """Area of the whole design."""
    return sum((part.each * part.count for part in module_areas(netlist)), Area())


def area_below(netlist: Netlist, module: str) -> Area:
    """Area of one ``module`` of ``netlist`` with all the modules in it."""
    return total_area(Netlist(module, netlist.modules))


def module_areas(netlist: Netlist) -> list[ModuleArea]:
    """Area of every module, the greatest total of LUTs first."""
    parts = [
        ModuleArea(name, count, area_of_cells(netlist.modules[name].cell_counts))
        for name, count in netlist.instance_counts.items()
    ]
    return sorted(parts, key=lambda part: (-part.each.luts * part.count, part.name))


def area_of_cells(counts: Mapping[str, int]) -> Area:
    """Area of cells given as type → number."""
    kinds = [(cell_kind(cell_type), number) for cell_type, number in counts.items()]
    luts = sum(kind.luts * number for kind, number in kinds)
    by_inputs = [0] * 7
    for kind, number in kinds:
        by_inputs[kind.inputs] += number
    return Area(
        luts=luts,
        packed_luts=luts - _pairs(by_inputs),
        flip_flops=sum(kind.flip_flops * number for kind, number in kinds),
        dsps=sum(kind.dsps * number for kind, number in kinds),
        half_brams=sum(kind.half_brams * number for kind, number in kinds),
        memory_luts=sum(kind.memory_luts * number for kind, number in kinds),
    )


def _pairs(by_inputs: list[int]) -> int:
    """Pairs of functions that share a LUT: ``by_inputs[n]`` functions have n inputs.

    A LUT6 holds two functions of up to five inputs in all. Shared inputs are ignored, so a placer
    may find more pairs; it may also find fewer, as it does not pair functions that are far apart.
    """
    left = list(by_inputs)
    pairs = 0
    for larger, smaller in ((4, 1), (3, 2), (3, 1), (2, 2), (2, 1), (1, 1)):
        same = larger == smaller
        found = left[larger] // 2 if same else min(left[larger], left[smaller])
        left[larger] -= found
        left[smaller] -= found
        pairs += found
    return pairs
