"""The harness around the engine, with a stand-in for the engine that can go wrong on purpose."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gen.verilog import emit
from hw.contract.errors import DataError, MachineError, ParameterError
from hw.contract.matrix_commands import COMMAND_BYTES, Fault
from hw.contract.parameters import Parameters, load_parameters
from sim.cosim.compile import Design
from sim.cosim.engine import EngineSimulation, Program
from sim.cosim.stalls import Stall, Stalls
from tests.sim.cosim.stand_in import Flaw, Opcode, StandIn, command_word

TINY = load_parameters("tiny")
STALLS = {
    "never": Stalls(),
    "half": Stalls.everywhere(0.5),
    "bursts": Stalls.everywhere(0.6, mean_run_cycles=20),
    "slow commands": Stalls(commands=Stall(0.95)),
    "slow load": Stalls(load=Stall(0.9)),
    "slow results": Stalls(results=Stall(0.9)),
}


def simulation(flaw: Flaw = Flaw.NONE, **options: object) -> EngineSimulation:
    design = Design("stand_in", emit(StandIn(TINY, flaw), "stand_in"))
    return EngineSimulation(TINY, design=design, **options)  # type: ignore[arg-type]


def words(*commands: int) -> NDArray[np.uint8]:
    text = b"".join(each.to_bytes(COMMAND_BYTES, "little") for each in commands)
    return np.frombuffer(text, np.uint8).reshape(-1, COMMAND_BYTES)


def echo_program(counts: list[int], seed: int = 0) -> Program:
    blocks = np.random.default_rng(seed).integers(
        0, 256, (sum(counts), TINY.block_bytes), dtype=np.uint8
    )
    commands = words(*(command_word(Opcode.ECHO, count) for count in counts))
    return Program(commands, blocks, beats=sum(counts))


def echoed(blocks: NDArray[np.uint8], parameters: Parameters) -> NDArray[np.int64]:
    """What the stand-in makes of blocks: each result is its share of the block, repeated."""
    width = parameters.precision.accumulator_bits
    bits = np.unpackbits(blocks, axis=1, bitorder="little")
    shares = bits.reshape(len(blocks), parameters.results_per_beat, -1)
    repeated = np.tile(shares, -(-width // shares.shape[2]))[:, :, :width].astype(np.int64)
    weights = 1 << np.arange(width, dtype=np.int64)
    weights[-1] = -weights[-1]
    return repeated @ weights


@pytest.mark.parametrize("stalls", STALLS.values(), ids=STALLS)
@pytest.mark.parametrize("seed", [0, 1])
def test_results_are_exact_under_stalls(stalls: Stalls, seed: int) -> None:
    counts = [1, 5, 0, 40, 2, 2, 2, 2, 2, 1, 60]
    program = echo_program(counts, seed)
    with simulation() as machine:
        result = machine.run(program, stalls=stalls, seed=seed)
    assert np.array_equal(result.results, echoed(program.blocks, TINY))
    assert result.results.min() < 0 < result.results.max()
    assert np.array_equal(np.flatnonzero(result.last) + 1, np.unique(np.cumsum(counts)))


def test_without_stalls_no_cycle_is_lost() -> None:
    with simulation() as machine:
        result = machine.run(echo_program([100]))
    assert 100 <= result.cycles <= 106  # the stand-in moves one block per cycle


def test_stalls_cost_what_they_should() -> None:
    with simulation() as machine:
        result = machine.run(echo_program([2_000]), stalls=Stalls(load=Stall(0.75)))
    assert 7_000 < result.cycles < 9_000


def test_seed_decides_the_stalls() -> None:
    with simulation() as machine:
        stalls = Stalls.everywhere(0.5)
        cycles = [
            machine.run(echo_program([300]), stalls=stalls, seed=seed).cycles
            for seed in (1, 1, 2, 3)
        ]
    assert cycles[0] == cycles[1]
    assert len(set(cycles)) > 1


def test_state_stays_from_run_to_run_until_reset() -> None:
    with simulation() as machine:
        assert machine.cycles == 0
        machine.run(
            Program(words(), echo_program([]).blocks, 0, writes=[(3 + 5, 77), (9, 2**32 - 1)])
        )
        assert (machine.read_register(8), machine.read_register(9)) == (77, 2**32 - 1)
        before = machine.cycles
        result = machine.run(echo_program([10]))
        assert machine.cycles == before + result.cycles
        with pytest.raises(MachineError):
            machine.run(Program(words(command_word(99)), echo_program([]).blocks, 0))
        machine.reset()
        assert machine.cycles == 0
        assert len(machine.run(echo_program([10])).results) == 10


def test_two_machines_are_independent() -> None:
    with simulation() as one, simulation() as other:
        one.write_register(9, 1)
        other.write_register(9, 2)
        assert (one.read_register(9), other.read_register(9)) == (1, 2)


def test_fault_names_cause_and_cycle() -> None:
    commands = words(command_word(Opcode.ECHO, 3), command_word(99), command_word(Opcode.ECHO, 1))
    program = Program(commands, echo_program([4]).blocks, beats=4)
    with simulation() as machine, pytest.raises(MachineError) as error:
        machine.run(program)
    assert Fault.OPCODE.description in str(error.value)
    assert "after 2 commands" in str(error.value)
    assert "cycle " in str(error.value)


def test_cycle_limit_ends_a_hang_and_says_how_far_it_came() -> None:
    commands = words(command_word(Opcode.ECHO, 3), command_word(Opcode.HANG))
    program = Program(commands, echo_program([3]).blocks, beats=3)
    with simulation() as machine:
        with pytest.raises(MachineError, match="within 500 cycles.*2 of 2 commands.*3 of 3 result"):
            machine.run(program, cycle_limit=500)
        machine.reset()
        with pytest.raises(MachineError, match="no end within"):  # the default is finite, too
            machine.run(program)


def test_too_few_results_is_the_cycle_limit() -> None:
    program = echo_program([3])
    with simulation() as machine, pytest.raises(MachineError, match="3 of 4 result beats"):
        machine.run(Program(program.commands, program.blocks, beats=4))


def test_blocks_left_over_is_an_error() -> None:
    program = Program(words(command_word(Opcode.ECHO, 2)), echo_program([3]).blocks, beats=2)
    with simulation() as machine, pytest.raises(MachineError, match="2 of 3 blocks"):
        machine.run(program)


@pytest.mark.parametrize(
    ("flaw", "message"),
    [
        (Flaw.DROPS_VALID, "cycle [0-9]+: the result stream dropped valid"),
        (Flaw.CHANGES_PAYLOAD, "cycle [0-9]+: the result stream changed its payload"),
        (Flaw.EXTRA_BEAT, "cycle [0-9]+: the result stream sent more beats"),
    ],
)
def test_broken_stream_rules_are_caught(flaw: Flaw, message: str) -> None:
    program = echo_program([50])
    extra = np.zeros((1, TINY.block_bytes), np.uint8)
    program = Program(program.commands, np.concatenate([program.blocks, extra]), 50)
    with simulation(flaw) as machine, pytest.raises(MachineError, match=message):
        machine.run(program, stalls=Stalls(results=Stall(0.5)))


def test_wrong_arguments_are_refused() -> None:
    good = echo_program([1])
    with simulation() as machine:
        with pytest.raises(ParameterError, match="commands"):
            machine.run(Program(good.commands[:, :8], good.blocks, 1))
        with pytest.raises(ParameterError, match="blocks"):
            machine.run(Program(good.commands, good.blocks.astype(np.int16), 1))
        with pytest.raises(ParameterError, match="beats"):
            machine.run(Program(good.commands, good.blocks, -1))
        with pytest.raises(ParameterError, match="register address"):
            machine.read_register(1024)
        with pytest.raises(ParameterError, match="register value"):
            machine.write_register(0, -1)
    with pytest.raises(MachineError, match="closed"):
        machine.run(good)


def test_a_design_with_other_ports_is_refused() -> None:
    design = Design("stand_in", emit(StandIn(TINY), "stand_in"))
    with pytest.raises(ParameterError, match="load__payload"):
        EngineSimulation(load_parameters("zc706"), design=design)


def test_trace_holds_the_signals(tmp_path: Path) -> None:
    file = tmp_path / "trace.vcd"
    with simulation(trace=file) as machine:
        machine.run(echo_program([3]))
    text = file.read_text()
    assert "results__payload" in text
    assert text.count("#") > 10  # time stamps


def test_a_trace_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="trace file"):
        simulation(trace=tmp_path / "missing" / "trace.vcd")
