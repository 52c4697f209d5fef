"""Machines that a target cannot carry are refused before any tool starts."""

import dataclasses

import pytest

from fractrain.gen.bitstream.target_checks import require_target
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import load_parameters, preset_names

POSSIBLE = (1, 2, 4, 5, 8, 10, 20, 25, 40, 50, 100, 125, 200, 250)
FRACTIONS = (166.667, 166.6667, 1000 / 6, 142.857, 1000 / 7, 111.111, 76.923, 7.937, 1.001)
NEAREST = {
    166: "142.857, 166.667",
    166.67: "166.667, 200",
    166.66: "142.857, 166.667",
    83.3: "76.923, 83.333",
    250.0004: "250",
    300: "250",
    1000: "250",
    14.085: "13.889, 14.286",  # 1000 / 71, which no two dividers make
}


@pytest.mark.parametrize("name", preset_names())
def test_presets_fit(name: str) -> None:
    require_target(load_parameters(name))


def test_clocks_that_the_processing_system_makes() -> None:
    for clock in (*range(1, 301), 333, 500, 1000):
        parameters = dataclasses.replace(load_parameters("tiny"), clock_mhz=clock)
        if clock in POSSIBLE:
            require_target(parameters)
        else:
            with pytest.raises(ParameterError, match=f"clock_mhz: got {clock}, .* nearest: "):
                require_target(parameters)


@pytest.mark.parametrize("clock", FRACTIONS)
def test_clocks_that_are_no_whole_number(clock: float) -> None:
    require_target(dataclasses.replace(load_parameters("tiny"), clock_mhz=clock))


@pytest.mark.parametrize("clock", NEAREST)
def test_nearest_clocks_are_named(clock: float) -> None:
    parameters = dataclasses.replace(load_parameters("tiny"), clock_mhz=clock)
    with pytest.raises(ParameterError) as caught:
        require_target(parameters)
    assert str(caught.value).endswith(f"nearest: {NEAREST[clock]}")


def test_more_ports_than_there_are() -> None:
    parameters = load_parameters("zc706")
    memory = dataclasses.replace(parameters.memory, ports=5)
    with pytest.raises(ParameterError, match=r"memory\.ports: got 5"):
        require_target(dataclasses.replace(parameters, memory=memory))
