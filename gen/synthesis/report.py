"""Synthesis results as a table and as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from fractrain.gen.synthesis.area import Area
from fractrain.gen.synthesis.budget import Budget
from fractrain.gen.synthesis.figures import Figures
from fractrain.hw.contract.tables import terminal_table
from fractrain.hw.targets.target import Part

__all__ = ["document", "table"]

# figure → its name in the table, and whether the device has a number of it
ROWS = {
    "luts": ("LUT", True),
    "packed_luts": ("LUT, packed (estimate)", True),
    "flip_flops": ("FF", True),
    "dsps": ("DSP48", True),
    "bram36": ("BRAM36", True),
    "memory_luts": ("LUT used as memory", True),
    "luts_per_bit_product": ("LUTs per bit-product", False),
    "logic_levels": ("logic levels between registers", False),
    "levels_after_memory": ("levels after unregistered BRAM/DSP", False),
    "loads_per_operand_bit": ("loads per operand bit, at most", False),
    "loads_of_any_net": ("loads of any net, at most", False),
}
MODULES_SHOWN = 12
AREAS = ("luts", "packed_luts", "flip_flops", "dsps", "bram36", "memory_luts")
DEVICE_FIGURES = ("luts", "flip_flops", "dsps", "bram36", "memory_luts")


def table(results: Mapping[str, Figures], device: Part, budget: Budget | None) -> str:
    """The figures of all parts, then the contents and the limiting nets of each."""
    heads = [""]
    for part in results:
        heads += [part, "of it", "budget"] if budget is not None else [part, "of it"]
    rows = [_row(name, results, device, budget) for name in ROWS]
    lines = [terminal_table([*heads, device.device], rows)]
    for part, figures in results.items():
        if figures.areas:
            lines += ["", _shares(part, figures, device)]
    for part, figures in results.items():
        lines += ["", *_details(part, figures)]
    return "\n".join(lines)


def _row(
    name: str, results: Mapping[str, Figures], device: Part, budget: Budget | None
) -> list[str]:
    """One figure of all parts, as a share of the device's resource if there is one."""
    label, on_device = ROWS[name]
    total = getattr(device, "luts" if name == "packed_luts" else name) if on_device else None
    cells = [label]
    for part, figures in results.items():
        value = getattr(figures, name)
        share = f"{100 * value / total:.1f} %" if value is not None and total else ""
        cells += [_number(value), share]
        if budget is not None:
            cells.append(_number(budget.get(part, {}).get(name)))
    return [*cells, f"{total:,}" if total is not None else ""]


def _shares(part: str, figures: Figures, device: Part) -> str:
    """What the machine and its vector unit take of ``part``, and both together."""
    areas = figures.areas | {"together": sum(figures.areas.values(), Area())}
    rows = [
        [name, *(cell for each in AREAS for cell in _share(getattr(area, each), each, device))]
        for name, area in areas.items()
    ]
    heads = [head for each in AREAS for head in (ROWS[each][0], "of it")]
    return terminal_table([f"{part}: areas", *heads], rows)


def _share(value: float, figure: str, device: Part) -> tuple[str, str]:
    total = getattr(device, "luts" if figure == "packed_luts" else figure)
    return _number(value), f"{100 * value / total:.1f} %"


def document(results: Mapping[str, Figures], config: str, device: Part) -> dict[str, Any]:
    """The same as plain data, for JSON."""
    return {
        "config": config,
        "device": {"name": device.device}
        | {each: getattr(device, each) for each in DEVICE_FIGURES},
        "parts": {part: _plain(figures) for part, figures in results.items()},
    }


def _plain(figures: Figures) -> dict[str, Any]:
    areas = {
        name: {each: getattr(area, each) for each in AREAS} for name, area in figures.areas.items()
    }
    return dataclasses.asdict(figures) | {"areas": areas}


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.2f}" if isinstance(value, float) and value % 1 else f"{value:,.0f}"


def _details(part: str, figures: Figures) -> list[str]:
    lines = [f"{part}: {name}: {text}" for name, text in figures.notes.items()]
    lines.append(f"{part}: longest paths, LUT levels:")
    lines += [f"    {path.levels:>3}  {path.start} -> {path.end}" for path in figures.paths]
    modules = [
        (each.name, f"{each.count:,}", f"{each.each.luts:,}", f"{each.each.luts * each.count:,}")
        for each in figures.modules[:MODULES_SHOWN]
    ]
    heads = (f"{part}: modules", "number", "LUTs each", "in all")
    return [*lines, terminal_table(heads, modules)]
