"""What the cycle model repeats of the RTL, which it may not import: sizes, and some latencies."""

from typing import Any

import pytest
from amaranth.hdl import Fragment

from fractrain.hw.axi.block_reader import BlockReader
from fractrain.hw.axi.block_writer import BlockWriter
from fractrain.hw.axi.burst_collector import BurstCollector
from fractrain.hw.contract.commands import (
    COMMAND_BYTES,
    ENGINE_STAGES,
    Channel,
    Command,
    End,
    Narrow,
    Set,
)
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters, load_parameters, preset_names
from fractrain.hw.fetch.commands import LATENCY_COMMANDS, commands_ahead
from fractrain.hw.fetch.stage import TASKS_AHEAD
from fractrain.hw.flow.stream_register import StreamRegister
from fractrain.hw.results.sender import ITEMS, UNSEEN
from fractrain.hw.vector.channel_unit import ChannelUnit
from fractrain.sim.cycles import commands, fetch, read_port, sender, vector, write_port, writer
from fractrain.sim.cycles.kernel import Kernel
from fractrain.sim.cycles.memory import Ddr
from fractrain.sim.cycles.model import predict
from fractrain.sim.cycles.reader import Reader
from fractrain.sim.memory_model import MemoryModel
from tests.hw.machines import machine

IDEAL = MemoryModel.ideal()
MACHINES = {name: load_parameters(name) for name in preset_names()} | {
    "one burst under way": machine(memory__outstanding=1),
    "as many as AXI3 allows": machine(memory__outstanding=8),
    "long queues": machine(queues__commands=64),
}


@pytest.fixture(params=MACHINES)
def parameters(request: pytest.FixtureRequest) -> Parameters:
    return MACHINES[request.param]


def elaborated(component: Any) -> Any:
    """``component``; Amaranth minds if one is made for its numbers only."""
    Fragment.get(component, None)
    return component


def test_writer() -> None:
    assert writer.MARGIN == BlockWriter.MARGIN
    assert writer.FULL_CYCLES == BlockWriter.ADDRESS_LATENCY_CYCLES
    assert write_port.DATA_CYCLES == BlockWriter.DATA_LATENCY_CYCLES
    # a block is too late a cycle after the last one in which it could have followed
    assert writer.PATIENCE_CYCLES == BurstCollector.PATIENCE_CYCLES + 1


def test_room_of_the_writer(parameters: Parameters) -> None:
    """Blocks in a port's store up to which more are taken."""
    kernel = Kernel()
    ports = parameters.memory.ports
    model = writer.Writer(kernel, Ddr(kernel, IDEAL), parameters, IDEAL, ports)
    for port in elaborated(BlockWriter(parameters)).writers:
        assert model._most == port.store_memory.places - port.store_memory.margin


def test_room_of_the_reader(parameters: Parameters) -> None:
    """Granules that have a place in a port's store, and those that its register holds."""
    kernel = Kernel()
    model = Reader(kernel, Ddr(kernel, IDEAL), parameters, IDEAL, parameters.memory.ports)
    rtl = elaborated(BlockReader(parameters))
    assert {port._places for port in model._ports} == {rtl.granules}
    assert len(model._ports) == rtl.port_count
    assert read_port.WAITING == StreamRegister.CAPACITY


def test_channels() -> None:
    """The next one is taken a cycle behind a result."""
    unit = elaborated(ChannelUnit())
    assert vector.CHANNEL_CYCLES == tuple(1 + each for each in unit.most_cycles)


def test_sender() -> None:
    assert sender.ROOM == ITEMS - UNSEEN


def test_commands(parameters: Parameters) -> None:
    """How far commands are asked for ahead, and LOADs are begun."""
    assert commands.PREFETCHED_COMMANDS == LATENCY_COMMANDS
    assert fetch.IN_FLIGHT == TASKS_AHEAD
    kernel = Kernel()
    reader = Reader(kernel, Ddr(kernel, IDEAL), parameters, IDEAL, parameters.memory.ports)
    dispatcher = commands.Dispatcher(kernel, reader, parameters, [], {}, 0, {})
    assert dispatcher._room == commands_ahead(parameters) * COMMAND_BYTES
    assert set(dispatcher.queues) == set(ENGINE_STAGES)


@pytest.mark.parametrize("command", [Set(address=0), Narrow(), Channel(pixels=1, address=0)])
def test_commands_of_a_vector_unit_are_refused(command: Command) -> None:
    refused = "command: got '(SET|NARROW|CHANNEL)', allowed: one of a machine without a vector unit"
    with pytest.raises(ParameterError, match=refused):
        predict(load_parameters("tiny"), [command, End()], {}, IDEAL)
