"""Machines to test with: presets with single parameters changed."""

import dataclasses
from typing import Any

from fractrain.hw.contract.parameters import Parameters, load_parameters, parse_parameters
from fractrain.hw.contract.vector_parameters import VECTOR_DEFAULTS


def machine(preset: str = "tiny", **changes: object) -> Parameters:
    """The ``preset`` with changes such as ``array__spatial_bits=2``, validated."""
    return _changed(preset, load_parameters(preset).to_mapping(), changes)


def with_vector(preset: str = "tiny", **changes: object) -> Parameters:
    """The same with a vector unit, of the default sizes but for changes."""
    parameters = load_parameters(preset)
    vector = dataclasses.asdict(VECTOR_DEFAULTS[parameters.block.channels])
    return _changed(preset, parameters.to_mapping() | {"vector": vector}, changes)


def _changed(preset: str, document: dict[str, Any], changes: dict[str, object]) -> Parameters:
    for path, value in changes.items():
        section, _, key = path.rpartition("__")
        (document[section] if section else document)[key] = value
    return parse_parameters(document, source=f"{preset} with changes")
