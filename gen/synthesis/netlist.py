"""A mapped netlist as Yosys's ``write_json`` gives it: modules that contain cells and modules."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from fractrain.gen.synthesis.cells import cell_kind
from fractrain.hw.contract.errors import DataError

__all__ = ["Bit", "Instance", "Module", "Netlist", "parse_netlist", "read_netlist"]

Bit = int | str
"""A net of one module (a number), or the constant ``0``, ``1``, ``x`` or ``z``."""


@dataclass(frozen=True)
class Instance:
    """A cell or a module, placed in a module; ``pins`` are lists of bits, lowest first."""

    name: str
    type: str
    parameters: Mapping[str, int | str]
    pins: Mapping[str, list[Bit]]
    outputs: frozenset[str]


@dataclass(frozen=True)
class Module:
    """One module: its ports, what it contains, and the names its source gave to nets."""

    name: str
    ports: Mapping[str, list[Bit]]
    inputs: frozenset[str]
    cells: list[Instance]
    children: list[Instance]
    net_names: Mapping[int, str] = field(repr=False)

    @cached_property
    def cell_counts(self) -> Counter[str]:
        """Cells in the module itself, by type."""
        return Counter(cell.type for cell in self.cells)


@dataclass(frozen=True)
class Netlist:
    """A hierarchy of modules below ``top``."""

    top: str
    modules: Mapping[str, Module]

    @cached_property
    def instance_counts(self) -> dict[str, int]:
        """How often each module exists in the whole design; the top exists once."""
        counts: Counter[str] = Counter()
        counts[self.top] = 1
        for name in self._parents_first():
            for child in self.modules[name].children:
                counts[child.type] += counts[name]
        return dict(counts)

    @cached_property
    def cell_counts(self) -> Counter[str]:
        """Cells of the whole design, by type."""
        total: Counter[str] = Counter()
        for name, count in self.instance_counts.items():
            for cell_type, number in self.modules[name].cell_counts.items():
                total[cell_type] += number * count
        return total

    def _parents_first(self) -> Iterator[str]:
        """The modules below the top, each after all that contain it."""
        order: list[str] = []
        seen: set[str] = set()

        def visit(name: str) -> None:
            if name not in seen:
                seen.add(name)
                for child in self.modules[name].children:
                    visit(child.type)
                order.append(name)

        visit(self.top)
        return reversed(order)


def read_netlist(path: Path, top: str, box: str = "") -> Netlist:
    """Read Yosys's JSON file; the rest as `parse_netlist`."""
    return parse_netlist(json.loads(path.read_text(encoding="utf-8")), top, box)


def parse_netlist(document: Mapping[str, Any], top: str, box: str = "") -> Netlist:
    """The netlist in the parsed JSON ``document``: the modules at and below ``top``.

    ``box`` is a module that is left to be put in (`joined`): placed, but not among the modules.
    `DataError` if there is no such module, or it contains a cell that is not of the 7 series.
    """
    # The cell library itself is in there too, as modules marked as boxes.
    designs = {
        name: content
        for name, content in document["modules"].items()
        if not {"blackbox", "whitebox"} & content.get("attributes", {}).keys()
    }
    if top not in designs:
        raise DataError(f"the netlist has no module {top}")
    modules: dict[str, Module] = {}
    pending = [top]
    while pending:
        name = pending.pop()
        if name not in modules and name != box:
            modules[name] = _parse_module(name, designs[name], designs.keys() | {box})
            pending += [child.type for child in modules[name].children]
    return Netlist(top, modules)


def _parse_module(name: str, content: Mapping[str, Any], designs: Any) -> Module:
    instances = [_parse_instance(each, cell) for each, cell in content["cells"].items()]
    cells = [each for each in instances if each.type not in designs and not _is_note(each)]
    for cell in cells:
        cell_kind(cell.type)
    ports = content["ports"]
    return Module(
        name=name,
        ports={port: each["bits"] for port, each in ports.items()},
        inputs=frozenset(port for port, each in ports.items() if each["direction"] == "input"),
        cells=cells,
        children=[each for each in instances if each.type in designs],
        net_names=_net_names(content.get("netnames", {})),
    )


def _parse_instance(name: str, cell: Mapping[str, Any]) -> Instance:
    directions = cell["port_directions"]
    return Instance(
        name=name,
        type=cell["type"],
        parameters={key: _parameter(value) for key, value in cell["parameters"].items()},
        pins=cell["connections"],
        outputs=frozenset(port for port, way in directions.items() if way == "output"),
    )


def _is_note(instance: Instance) -> bool:
    """Cells that are remarks of Yosys, not hardware."""
    return instance.type in ("$scopeinfo", "$print", "$check")


def _parameter(value: object) -> int | str:
    """Numbers are written as strings of binary digits; anything else is text."""
    text = str(value)
    return int(text, 2) if text and set(text) <= {"0", "1"} else text


def _net_names(names: Mapping[str, Any]) -> dict[int, str]:
    """The name of each net: the source's own rather than Yosys's (``$``), the shorter one."""
    found: dict[int, str] = {}
    for name in sorted(names, key=lambda each: ("$" in each, len(each), each), reverse=True):
        bits = names[name]["bits"]
        for index, bit in enumerate(bits):
            if isinstance(bit, int):
                found[bit] = f"{name}[{index}]" if len(bits) > 1 else name
    return found
