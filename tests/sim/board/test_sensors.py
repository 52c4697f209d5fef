"""The simulated board's power sensor: modelled by what the machine does, and called so."""

from collections.abc import Iterator

import pytest

from fractrain.host.board.device import BoardDevice
from fractrain.host.board.power.hwmon import find_channels, find_rails, read_channel
from fractrain.hw.contract.parameters import load_parameters
from fractrain.sim.board import SimulatedBoard
from fractrain.sim.board.sensors import modelled_watts

TINY = load_parameters("tiny")


@pytest.fixture
def board() -> Iterator[SimulatedBoard]:
    with SimulatedBoard(TINY, buffer_bytes=1 << 20) as made:
        yield made


def test_watts() -> None:
    full = 0.7e-12 * TINY.bit_products_per_cycle * 200e6
    assert modelled_watts(TINY, clocked=False, running=True) == 2.33
    assert modelled_watts(TINY, clocked=True, running=False) == pytest.approx(2.33 + 0.16 * full)
    assert modelled_watts(TINY, clocked=True, running=True) == pytest.approx(2.33 + full)


def test_it_is_found_as_any_sensor_and_follows_the_clock(board: SimulatedBoard) -> None:
    (channel,) = find_channels(board)
    (rail,) = find_rails([channel])
    assert (channel.device, channel.label, rail.name) == (
        "simulated",
        "modelled",
        "hwmon0 modelled",
    )
    without_bitstream = read_channel(board, channel).value
    with BoardDevice.open(board) as device:
        clocked = read_channel(board, channel).value
        device.stop_clock()
        assert read_channel(board, channel).value == without_bitstream == 2.33
        device.set_clock()
        assert read_channel(board, channel).value == clocked
    assert clocked == pytest.approx(modelled_watts(TINY, clocked=True, running=False), abs=1e-6)
