"""Machines that the ZC706 cannot carry are refused before any tool starts."""

import dataclasses

import pytest

from gen.bitstream.board import require_board
from hw.contract.errors import ParameterError
from hw.contract.parameters import load_parameters, preset_names

POSSIBLE = (1, 2, 4, 5, 8, 10, 20, 25, 40, 50, 100, 125, 200, 250)


@pytest.mark.parametrize("name", preset_names())
def test_presets_fit(name: str) -> None:
    require_board(load_parameters(name))


def test_clocks_that_the_processing_system_makes() -> None:
    for clock in (*range(1, 301), 333, 500, 1000):
        parameters = dataclasses.replace(load_parameters("tiny"), clock_mhz=clock)
        if clock in POSSIBLE:
            require_board(parameters)
        else:
            with pytest.raises(ParameterError, match=f"clock_mhz: got {clock}, .* 200, 250 "):
                require_board(parameters)


def test_more_ports_than_there_are() -> None:
    parameters = load_parameters("zc706")
    memory = dataclasses.replace(parameters.memory, ports=5)
    with pytest.raises(ParameterError, match=r"memory\.ports: got 5"):
        require_board(dataclasses.replace(parameters, memory=memory))
