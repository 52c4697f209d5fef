"""One part of a machine, synthesized: the figures of reports and budgets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from fractrain.gen.synthesis.area import Area, ModuleArea, area_below, module_areas, total_area
from fractrain.gen.synthesis.depth import TimingPath, logic_depth
from fractrain.gen.synthesis.flat import flatten
from fractrain.gen.synthesis.loads import measure_loads
from fractrain.gen.synthesis.netlist import Netlist
from fractrain.gen.synthesis.parts import PARTS, Part
from fractrain.gen.synthesis.split import joined, separate
from fractrain.gen.synthesis.yosys import synthesize
from fractrain.hw.contract.parameters import Parameters

__all__ = ["Figures", "measure", "synthesize_part"]

MACHINE, UNIT = "machine", "vector unit"


@dataclass(frozen=True)
class Figures:
    """Figures of a synthesized part; None: without meaning for this part.

    `Area`, `Depth` and `Loads` define them; ``notes`` name the nets behind the numbers. ``areas``
    are the shares of a machine with a vector unit: `MACHINE`, which is all else, and `UNIT`.
    """

    luts: int
    packed_luts: int
    flip_flops: int
    dsps: int
    bram36: float
    memory_luts: int
    luts_per_bit_product: float | None
    logic_levels: int
    levels_after_memory: int
    loads_per_operand_bit: int | None
    loads_of_any_net: int
    notes: dict[str, str]
    paths: tuple[TimingPath, ...]
    modules: list[ModuleArea]
    areas: dict[str, Area] = field(default_factory=dict)


def synthesize_part(
    part: str, parameters: Parameters, cache: Path, progress: Callable[[str], None]
) -> Figures:
    """Generate, synthesize and measure ``part`` of the machine; minutes for a large one.

    A vector unit in it is synthesized by itself (`gen.synthesis.split`). Errors as `synthesize`.
    """
    chosen = PARTS[part]
    unit = chosen.unit if parameters.vector is not None else ""
    progress("generating Verilog")
    verilog = chosen.verilog(parameters)
    if unit:
        netlist = _in_two(verilog, chosen, cache, progress)
    else:
        netlist = synthesize(verilog, chosen.top, cache, progress)
    progress("measuring")
    products = parameters.bit_products_per_cycle if part == "array" else None
    return measure(
        netlist,
        operands=chosen.operands,
        resets=chosen.resets,
        bit_products=products,
        unit=unit,
    )


def _in_two(verilog: str, part: Part, cache: Path, progress: Callable[[str], None]) -> Netlist:
    """``part`` with its vector unit, each mapped by itself and kept by its own text."""
    machine, unit = separate(verilog, part.unit)

    def tell(what: str) -> Callable[[str], None]:
        return lambda stage: progress(f"{what}, {stage}")

    inside = synthesize(unit, part.unit, cache, tell(f"{UNIT} (1 of 2)"))
    rest = synthesize(machine, part.top, cache, tell(f"{MACHINE} (2 of 2)"), box=part.unit)
    return joined(rest, inside)


def measure(
    netlist: Netlist,
    *,
    operands: tuple[str, ...] = (),
    resets: tuple[str, ...] = ("rst",),
    bit_products: int | None = None,
    unit: str = "",
) -> Figures:
    """The figures of ``netlist``; ``bit_products`` is what it multiplies in a cycle, ``unit`` the
    module that is its vector unit, ``operands`` and ``resets`` are as `Part` has them."""
    area = total_area(netlist)
    flat = flatten(netlist)
    depth = logic_depth(flat)
    loads = measure_loads(flat, operands, resets)
    return Figures(
        luts=area.luts,
        packed_luts=area.packed_luts,
        flip_flops=area.flip_flops,
        dsps=area.dsps,
        bram36=area.bram36,
        memory_luts=area.memory_luts,
        luts_per_bit_product=round(area.luts / bit_products, 4) if bit_products else None,
        logic_levels=depth.levels,
        levels_after_memory=depth.levels_after_direct,
        loads_per_operand_bit=loads.operand.loads if operands else None,
        loads_of_any_net=loads.any_net.loads,
        notes={
            "most loads": loads.any_net.name,
            "loads of the reset": f"{loads.reset.loads:,}",
        }
        | ({"most loads of an operand bit": loads.operand.name} if operands else {})
        | (
            {"levels, paths over the unit's ports left out": _inside(netlist, unit)} if unit else {}
        ),
        paths=depth.paths,
        modules=module_areas(netlist),
        areas=_areas(netlist, area, unit) if unit else {},
    )


def _areas(netlist: Netlist, area: Area, unit: str) -> dict[str, Area]:
    inside = area_below(netlist, unit)
    return {MACHINE: area - inside, UNIT: inside}


def _inside(netlist: Netlist, unit: str) -> str:
    """Levels of the paths that stay on one side: no piece was mapped in sight of the other."""
    modules = netlist.modules
    alone = replace(modules[unit], ports={}, inputs=frozenset())
    rest = {
        name: replace(each, children=[child for child in each.children if child.type != unit])
        for name, each in modules.items()
    }
    sides = {
        MACHINE: Netlist(netlist.top, rest),
        UNIT: Netlist(unit, {**modules, unit: alone}),
    }
    levels = {side: logic_depth(flatten(each)).levels for side, each in sides.items()}
    return ", ".join(f"{side} {number}" for side, number in levels.items())
