"""Machines to test with: presets with single parameters changed."""

from fractrain.hw.contract.parameters import Parameters, load_parameters, parse_parameters


def machine(preset: str = "tiny", **changes: object) -> Parameters:
    """The ``preset`` with changes such as ``array__spatial_bits=2``, validated."""
    document = load_parameters(preset).to_mapping()
    for path, value in changes.items():
        section, _, key = path.rpartition("__")
        (document[section] if section else document)[key] = value
    return parse_parameters(document, source=f"{preset} with changes")
