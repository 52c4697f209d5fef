"""Hand-made netlists in the form of Yosys's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fractrain.gen.synthesis.netlist import Netlist, parse_netlist

OUTPUT_PINS = {"O", "O5", "O6", "Q", "CO", "P", "DOADO", "DOBDO", "DOA", "DOB", "DOC", "DOD"}


def cell(
    cell_type: str, parameters: Mapping[str, str] | None = None, **pins: Any
) -> dict[str, Any]:
    """A cell; every pin is a bit or a list of bits. Pins named like outputs are outputs."""
    return {
        "type": cell_type,
        "parameters": dict(parameters or {}),
        "port_directions": {
            name: "output" if name in OUTPUT_PINS or name.startswith("out") else "input"
            for name in pins
        },
        "connections": {
            name: bits if isinstance(bits, list) else [bits] for name, bits in pins.items()
        },
    }


def lut(output: int, *inputs: int) -> dict[str, Any]:
    """A LUT of as many inputs as are given."""
    pins = {f"I{index}": bit for index, bit in enumerate(inputs)}
    return cell(f"LUT{len(inputs)}", O=output, **pins)


def flip_flop(data: int | str, output: int, clock: int = 2) -> dict[str, Any]:
    """An FDRE that is always enabled and never reset."""
    return cell("FDRE", C=clock, D=data, CE="1", R="0", Q=output)


def module(
    cells: list[dict[str, Any]],
    inputs: Mapping[str, list[Any]] | None = None,
    outputs: Mapping[str, list[Any]] | None = None,
    names: Mapping[str, list[Any]] | None = None,
) -> dict[str, Any]:
    """A module; ``names`` are named nets beside the ports."""
    ports = {name: ("input", bits) for name, bits in (inputs or {}).items()}
    ports |= {name: ("output", bits) for name, bits in (outputs or {}).items()}
    nets = {name: bits for name, (_, bits) in ports.items()} | dict(names or {})
    return {
        "attributes": {},
        "ports": {name: {"direction": way, "bits": bits} for name, (way, bits) in ports.items()},
        "cells": {f"cell{index}": each for index, each in enumerate(cells)},
        "netnames": {name: {"bits": bits} for name, bits in nets.items()},
    }


def netlist(top: dict[str, Any], **modules: dict[str, Any]) -> Netlist:
    """The design ``top`` with the modules it uses."""
    return parse_netlist({"modules": {"top": top, **modules}}, "top")
