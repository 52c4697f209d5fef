"""Synthesis results as a table for people and a document for programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from fractrain.gen.synthesis.budget import Budget
from fractrain.gen.synthesis.figures import Figures
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
DEVICE_FIGURES = ("luts", "flip_flops", "dsps", "bram36", "memory_luts")


def table(results: Mapping[str, Figures], device: Part, budget: Budget | None) -> str:
    """The figures of all parts, then what fills each part and where its limits are."""
    lines = [_header(results, device, budget)]
    for figure, (label, on_device) in ROWS.items():
        total = getattr(device, "luts" if figure == "packed_luts" else figure, None)
        line = f"{label:<36}"
        for part, figures in results.items():
            line += _cell(getattr(figures, figure), total if on_device else None)
            if budget is not None:
                line += f"{_number(budget.get(part, {}).get(figure)):>11}"
        lines.append(line + (f"{total:>11,}" if on_device else ""))
    for part, figures in results.items():
        lines += ["", *_details(part, figures)]
    return "\n".join(lines)


def document(results: Mapping[str, Figures], config: str, device: Part) -> dict[str, Any]:
    """The same as plain data, for JSON."""
    return {
        "config": config,
        "device": {"name": device.device}
        | {each: getattr(device, each) for each in DEVICE_FIGURES},
        "parts": {part: dataclasses.asdict(figures) for part, figures in results.items()},
    }


def _header(results: Mapping[str, Figures], device: Part, budget: Budget | None) -> str:
    line = " " * 36
    for part in results:
        line += f"{part:>11}{'':>9}"
        if budget is not None:
            line += f"{'budget':>11}"
    return line + f"{device.device:>11}"


def _cell(value: float | None, total: float | None) -> str:
    share = f"{100 * value / total:7.1f} %" if value is not None and total else ""
    return f"{_number(value):>11}{share:>9}"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.2f}" if isinstance(value, float) and value % 1 else f"{value:,.0f}"


def _details(part: str, figures: Figures) -> list[str]:
    lines = [f"{part}: {name}: {text}" for name, text in figures.notes.items()]
    lines.append(f"{part}: longest paths, LUT levels:")
    lines += [f"    {path.levels:>3}  {path.start} -> {path.end}" for path in figures.paths]
    lines.append(f"{part}: modules, LUTs each and in all:")
    for module in figures.modules[:MODULES_SHOWN]:
        total = module.each.luts * module.count
        lines.append(
            f"    {module.name:<64} {module.count:>5} x {module.each.luts:>7,} = {total:>9,}"
        )
    return lines
