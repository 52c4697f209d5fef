"""The optional section of a configuration: a vector unit."""

import dataclasses

import pytest

from fractrain.hw.contract.commands import FIELDS, Opcode
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import load_parameters, parse_parameters, preset_names
from fractrain.hw.contract.vector_parameters import VECTOR_DEFAULTS, VectorParameters
from tests.hw.machines import machine

SECTION = dataclasses.asdict(VECTOR_DEFAULTS[8])


@pytest.mark.parametrize("preset", preset_names())
def test_presets_say_by_their_name_whether_they_have_one(preset: str) -> None:
    """Gateware, build hash and manifests of those without know nothing of it."""
    parameters = load_parameters(preset)
    assert ("vector" in parameters.to_mapping()) == preset.endswith("-vector")
    if parameters.vector is not None:
        assert parameters.vector == VECTOR_DEFAULTS[parameters.block.channels]
        alone = load_parameters(preset.removesuffix("-vector"))
        assert (parameters.array, parameters.clock_mhz) == (alone.array, alone.clock_mhz)


@pytest.mark.parametrize("preset", preset_names())
def test_defaults_are_those_of_a_block(preset: str) -> None:
    channels = load_parameters(preset).block.channels
    parameters = machine(preset, vector=dataclasses.asdict(VECTOR_DEFAULTS[channels]))
    assert parameters.vector == VECTOR_DEFAULTS[channels]
    assert parse_parameters(parameters.to_mapping()) == parameters


@pytest.mark.parametrize("channels", VECTOR_DEFAULTS)
def test_two_chunks_of_a_stage_lie_side_by_side(channels: int) -> None:
    for images, side, width in ((8, 32, 16), (16, 16, 32), (32, 8, 64)):
        lines = images * side * side * width // (2 * channels)
        vector = VECTOR_DEFAULTS[channels]
        assert 2 * lines == vector.staging_words == vector.side_words


def test_commands_reach_all_of_the_greatest_memories() -> None:
    """Fields of addresses against what a configuration may have."""
    rules = {each.name: each.metadata["rule"] for each in dataclasses.fields(VectorParameters)}
    for name, opcode, field in (
        ("staging_words", Opcode.NARROW, "address"),
        ("side_words", Opcode.FORM, "side"),
        ("parameter_words", Opcode.SET, "destination"),
        ("moment_words", Opcode.NARROW, "moments"),
        ("peak_words", Opcode.APPLY, "peak"),
    ):
        assert rules[name].rule.high == FIELDS[opcode][field].greatest + 1


@pytest.mark.parametrize("name", SECTION)
def test_what_is_wrong_is_refused(name: str) -> None:
    with pytest.raises(ParameterError, match=rf"vector\.{name}: got 0, allowed: a whole number"):
        machine(vector=SECTION | {name: 0})
    with pytest.raises(ParameterError, match=rf"missing key: got '{name}'"):
        machine(vector={key: each for key, each in SECTION.items() if key != name})


def test_planes_must_be_words() -> None:
    with pytest.raises(
        ParameterError, match=r"array\.spatial_bits: got 2, allowed: 1 on a machine"
    ):
        machine(vector=SECTION, array__spatial_bits=2)
