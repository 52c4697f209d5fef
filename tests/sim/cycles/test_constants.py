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
    Stage,
)
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.numerics import MAX_WEIGHT_BITS
from fractrain.hw.contract.parameters import Parameters, load_parameters, preset_names
from fractrain.hw.feeder.pair_issue import PairIssue
from fractrain.hw.feeder.place_walk import LOOPS
from fractrain.hw.feeder.reader import WindowReader
from fractrain.hw.fetch import plane_reads
from fractrain.hw.fetch.commands import LATENCY_COMMANDS, commands_ahead
from fractrain.hw.fetch.stage import TASKS_AHEAD
from fractrain.hw.flow.stream_register import StreamRegister
from fractrain.hw.results.sender import ITEMS, UNSEEN
from fractrain.hw.sequencer.pass_sequencer import PassSequencer
from fractrain.hw.vector import plane_sender, quantize_command
from fractrain.hw.vector.byte_queue import ByteQueue
from fractrain.hw.vector.channel import ChannelWalk
from fractrain.hw.vector.channel_unit import ChannelUnit
from fractrain.hw.vector.gradient_rows import GradientRows
from fractrain.hw.vector.key_schedule import KeySchedule
from fractrain.hw.vector.line_decoder import LineDecoder
from fractrain.hw.vector.line_path import LinePath
from fractrain.hw.vector.random_bytes import RandomBytes
from fractrain.hw.vector.read_ahead import ReadAhead
from fractrain.hw.vector.result_path import ResultPath
from fractrain.hw.vector.run_walker import RunWalker
from fractrain.hw.vector.spill import Spill
from fractrain.hw.vector.stage import VectorStage
from fractrain.hw.vector.update import INTERVAL
from fractrain.hw.vector.update_command import Update
from fractrain.hw.vector.weight_turn import WeightTurn
from fractrain.hw.vector.write_behind import WriteBehind
from fractrain.sim.cycles import (
    commands,
    fetch,
    read_port,
    result,
    sender,
    turns,
    vector,
    walk,
    weight_commands,
    weight_streams,
    write_port,
    writer,
)
from fractrain.sim.cycles.kernel import Kernel
from fractrain.sim.cycles.memory import Ddr
from fractrain.sim.cycles.model import predict
from fractrain.sim.cycles.reader import Reader
from fractrain.sim.memory_model import MemoryModel
from tests.hw.machines import machine, with_vector

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
    """Of a channel: not more than the unit takes at most, and the walk beside it."""
    most = [ChannelWalk.OWN_CYCLES + each for each in elaborated(ChannelUnit()).most_cycles]
    assert all(a <= b for a, b in zip(vector.CHANNEL_CYCLES, most, strict=True))


@pytest.mark.parametrize("preset", ["tiny", "zc706"])
def test_lines(preset: str) -> None:
    p = with_vector(preset)
    assert vector.OWN_CYCLES == VectorStage.OWN_CYCLES
    assert vector.SHAPE_CYCLES == LineDecoder.INTERVAL_CYCLES
    assert vector.STASH_WORDS == plane_sender.STASH_WORDS
    path, results = elaborated(LinePath(p)), elaborated(ResultPath(p))
    assert vector.PREPARED[p.block.channels] == path.results.sender.prepare_cycles
    assert vector.PEAK_CYCLES + p.array.rows == path.results.peak.collect_cycles
    assert result.LINES_CYCLES + p.array.rows == results.between_cycles
    narrow, join = results.lanes.result_cycles
    assert result.NARROWED_CYCLES == join - narrow
    queue = 2  # and its output register
    assert tuple(each + queue + 1 for each in (narrow, join)) == result.WAY_CYCLES
    assert vector.LINES_OF_BYTES == 2 * ByteQueue.PAIRS
    assert vector.SPILL_LINES == Spill.LINES
    # what the path says of itself is the most that a command takes
    ends = vector.APPLY_END_CYCLES + p.block.channels + vector.PEAK_CYCLES + p.array.rows
    begins = vector.BEGIN_CYCLES + vector.PREPARED[p.block.channels]
    decoder = VectorStage.OWN_CYCLES + LineDecoder.latency_cycles + 1
    assert begins + ends <= path.overhead_cycles + decoder


@pytest.mark.parametrize("preset", ["tiny", "zc706"])
def test_weights(preset: str) -> None:
    p = with_vector(preset)
    assert weight_streams.QUEUED_WORDS == ReadAhead.PLACES
    assert weight_streams.QUEUED_BLOCKS == WriteBehind.PLACES
    assert weight_commands.RUN_WORDS == RunWalker.WORDS
    assert weight_commands.TURNED_BLOCKS == WeightTurn.PLACES
    assert weight_commands.TOGETHER == quantize_command.TOGETHER
    quantize, update = elaborated(quantize_command.Quantize(p)), elaborated(Update(p))
    assert weight_commands.QUANTIZED_PER_CYCLE == quantize.lanes
    latency = quantize.quantizer.latency_cycles + WeightTurn.TURN_CYCLES
    assert weight_commands.QUANTIZE_CYCLES + MAX_WEIGHT_BITS == latency
    assert weight_commands.UPDATE_LANES == update.lanes
    assert weight_commands.UPDATE_INTERVAL == INTERVAL
    assert weight_commands.SUMS_AHEAD == GradientRows.WORDS
    updater = update.unit.updater
    assert weight_commands.MOMENTUM_CYCLES == updater.momentum_cycles
    assert weight_commands.UPDATE_CYCLES == updater.latency_cycles
    # the key and the generator; beside them a few for the way
    random = KeySchedule.latency_cycles + RandomBytes.latency_cycles
    assert random <= weight_commands.RANDOM_CYCLES <= random + 8


def test_turns() -> None:
    """What waits in front of the ports of the on-chip memories."""
    assert fetch.MOVED_AHEAD == plane_reads.WAITING
    assert turns.LINES_HELD == StreamRegister.CAPACITY


def test_walk(parameters: Parameters) -> None:
    """The loops of feeder and sequencer, and what they hold."""
    nests = len(LOOPS), PassSequencer.latency_cycles // 2 - 2
    assert nests == (walk.LOOPS, walk.LOOPS)
    assert walk.ITEMS_AHEAD == StreamRegister.CAPACITY + 1
    # a task in the register in front of the first loop's
    assert walk.TASKS_AHEAD == 1 + StreamRegister.CAPACITY
    assert walk.PASSES_AHEAD == walk.READS_FOUND == StreamRegister.CAPACITY
    stages, register = PairIssue.latency_cycles - 1, StreamRegister.CAPACITY
    assert walk.READS_AHEAD == stages + register + WindowReader.LATENCY_CYCLES


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
    vector = {Stage.VECTOR} if parameters.vector is not None else set()
    assert set(dispatcher.queues) == set(ENGINE_STAGES) | vector


@pytest.mark.parametrize("command", [Set(address=0), Narrow(), Channel(pixels=1, address=0)])
def test_commands_of_a_vector_unit_are_refused(command: Command) -> None:
    refused = "command: got '(SET|NARROW|CHANNEL)', allowed: one of a machine without a vector unit"
    with pytest.raises(ParameterError, match=refused):
        predict(load_parameters("tiny"), [command, End()], {}, IDEAL)
