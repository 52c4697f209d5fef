"""Machines to test with: presets with single parameters changed."""

from typing import Any

from fractrain.hw.contract.parameters import Parameters, load_parameters, parse_parameters


def machine(preset: str = "tiny", **changes: object) -> Parameters:
    """The ``preset`` with changes such as ``array__spatial_bits=2``, validated."""
    document = load_parameters(preset).to_mapping()
    for path, value in changes.items():
        section, _, key = path.rpartition("__")
        (document[section] if section else document)[key] = value
    return parse_parameters(document, source=f"{preset} with changes")


def small_machine(spatial_bits: int, **changes: Any) -> Parameters:
    """The least array that still has two clusters each way and two blocks side by side.

    Unrolling multiplies the units' size, and the time to compile a model of them, by
    ``spatial_bits`` squared; nothing else about a machine depends on how many there are.
    """
    sizes: dict[str, Any] = {
        "array__spatial_bits": spatial_bits,
        "array__rows": 4,
        "array__columns": 4,
        "array__lanes": 8,
        "array__cluster_rows": 2,
        "array__cluster_columns": 2,
        "block__channels": 4,
    }
    return machine(**(sizes | changes))
