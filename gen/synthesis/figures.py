"""One part of a machine, synthesized, as the figures that reports and budgets speak of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from amaranth.lib import wiring

from gen.synthesis.area import ModuleArea, module_areas, total_area
from gen.synthesis.depth import TimingPath, logic_depth
from gen.synthesis.flat import flatten
from gen.synthesis.loads import measure_loads
from gen.synthesis.netlist import Netlist
from gen.synthesis.yosys import synthesize
from gen.verilog import emit
from hw.contract.parameters import Parameters
from hw.engine.engine import ConvolutionEngine
from hw.mac.array import MacArray
from hw.mac.flavour import Flavour

__all__ = ["PARTS", "Figures", "measure", "synthesize_part"]


@dataclass(frozen=True)
class Figures:
    """What synthesis says of a part. None: the figure has no meaning for this part.

    See `Area`, `Depth` and `Loads` for what each is; ``notes`` name the nets behind the numbers.
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


def _array(parameters: Parameters) -> wiring.Component:
    return MacArray(parameters, flavour=Flavour.SYNTHESIS)


def _engine(parameters: Parameters) -> wiring.Component:
    # Any hash will do for area, and with the real one a change of a comment would be a change.
    return ConvolutionEngine(parameters, flavour=Flavour.SYNTHESIS, build_hash=0x5A5A_5A5A)


PARTS: dict[str, Callable[[Parameters], wiring.Component]] = {"array": _array, "engine": _engine}
"""The parts that can be synthesized."""

OPERANDS = {
    "array": ("rows", "columns"),
    "engine": ("execute.feeder.window.rows", "execute.columns[", "execute.array.columns"),
}
"""Where the operand bits of a part come from: beginnings of names, see `measure_loads`."""


def synthesize_part(
    part: str, parameters: Parameters, cache: Path, progress: Callable[[str], None]
) -> Figures:
    """Generate, synthesize and measure ``part`` of the machine; minutes for a large one."""
    top = f"synth_{part}"
    progress("generating Verilog")
    verilog = emit(PARTS[part](parameters), top)
    netlist = synthesize(verilog, top, cache, progress)
    progress("measuring")
    products = parameters.bit_products_per_cycle if part == "array" else None
    return measure(netlist, operands=OPERANDS[part], bit_products=products)


def measure(
    netlist: Netlist, *, operands: tuple[str, ...] = (), bit_products: int | None = None
) -> Figures:
    """The figures of ``netlist``; ``bit_products`` is what it multiplies in a cycle."""
    area = total_area(netlist)
    flat = flatten(netlist)
    depth = logic_depth(flat)
    loads = measure_loads(flat, operands)
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
        }
        | ({"most loads of an operand bit": loads.operand.name} if operands else {}),
        paths=depth.paths,
        modules=module_areas(netlist),
    )
