"""The harness around the convolution engine, with a stand-in that can go wrong on purpose."""

import dataclasses
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from fractrain.gen.verilog import emit
from fractrain.hw.contract.commands import Fault, Tag
from fractrain.hw.contract.engine_fault import EngineFault
from fractrain.hw.contract.errors import MachineError, ParameterError
from fractrain.hw.contract.parameters import Parameters, load_parameters
from fractrain.hw.contract.precision import Precision
from fractrain.hw.contract.registers import STATUS, TABLE_BASE, encode_precision
from fractrain.sim.cosim.compile import Design
from fractrain.sim.cosim.convolution_faults import BusFaults, ErrorRegion, Response
from fractrain.sim.cosim.stalls import BusStalls, Stall
from fractrain.sim.memory_model import MemoryModel
from tests.sim.cosim.convolution_stand_in import FLAW, ConvolutionStandIn, program
from tests.sim.cosim.driven_simulation import DrivenSimulation
from tests.sim.cosim.stand_in_mover import GRANULE, Flaw, Mode

TINY = load_parameters("tiny")
MEMORY_BYTES = 1 << 16
LIMIT = 20_000
DDR = MemoryModel.ddr(TINY)
STALLS = {
    "never": BusStalls(),
    "half": BusStalls.everywhere(0.5),
    "bursts": BusStalls.everywhere(0.6, mean_run_cycles=20),
    "slow answers": BusStalls(r=Stall(0.8), b=Stall(0.9)),
    "slow requests": BusStalls(ar=Stall(0.9), aw=Stall(0.9), w=Stall(0.7)),
    "slow results and registers": BusStalls(port=Stall(0.9), registers=Stall(0.9)),
}


def with_ports(ports: int) -> Parameters:
    return dataclasses.replace(TINY, memory=dataclasses.replace(TINY.memory, ports=ports))


@cache
def stand_in(parameters: Parameters) -> Design:
    return Design("stand_in", emit(ConvolutionStandIn(parameters), "stand_in"))


def simulation(parameters: Parameters = TINY, **options: object) -> DrivenSimulation:
    machine = DrivenSimulation(
        parameters,
        design=stand_in(parameters),
        **{"memory_bytes": MEMORY_BYTES, **options},  # type: ignore[arg-type]
    )
    random = np.random.default_rng(len(machine.memory))
    machine.memory[:] = random.integers(0, 256, len(machine.memory), dtype=np.uint8)
    return machine


def copied(memory: NDArray[np.uint8], first: int, count: int) -> NDArray[np.uint8]:
    """What the memory is after a copy of ``count`` granules from ``first`` on."""
    after, size = memory.copy(), GRANULE * count
    after[first + size : first + 2 * size] = memory[first : first + size]
    return after


def expected_beats(
    memory: NDArray[np.uint8], first: int, count: int, parameters: Parameters
) -> NDArray[np.int64]:
    granules = memory[first : first + GRANULE * count].reshape(count, GRANULE)
    words = granules[:: parameters.memory.ports, -8:].copy().view("<u8")
    turns = np.arange(parameters.results_per_beat, dtype=np.uint64)
    rotated = words << turns | words >> (np.uint64(64) - turns) % np.uint64(64)
    return (rotated << np.uint64(16)).view(np.int64) >> np.int64(16)


@pytest.mark.parametrize("model", [MemoryModel.ideal(), DDR], ids=["ideal", "ddr"])
@pytest.mark.parametrize("stalls", STALLS.values(), ids=STALLS)
def test_copies_are_exact_under_stalls(stalls: BusStalls, model: MemoryModel) -> None:
    ports = TINY.memory.ports
    with simulation() as machine:
        for seed, (first, count) in enumerate([(0, 1), (GRANULE, 40), (4096, 7), (0, 256)]):
            before = machine.memory.copy()
            result = machine.run(
                first,
                program(Mode.COPY, count),
                cycle_limit=LIMIT,
                collect_port=count,
                model=model,
                stalls=stalls,
                seed=seed,
            )
            assert np.array_equal(machine.memory, copied(before, first, count))
            beats = expected_beats(before, first, count, TINY)
            assert np.array_equal(result.port, beats)
            tops = before[first + GRANULE - 1 : first + GRANULE * count : ports * GRANULE] >> 7
            assert np.array_equal(result.port_last, tops == 1)
            assert result.port_beats == len(beats)
            assert sum(result.bytes_read) == sum(result.bytes_written) == GRANULE * count


@pytest.mark.parametrize("ports", [1, 2, 4])
def test_every_number_of_ports(ports: int) -> None:
    parameters = with_ports(ports)
    with simulation(parameters, base_address=0x1000_0000) as machine:
        before = machine.memory.copy()
        result = machine.run(
            0x1000_0000, program(Mode.COPY, 60), cycle_limit=LIMIT, collect_port=None
        )
        assert np.array_equal(machine.memory, copied(before, 0, 60))
    assert result.bytes_read == result.bytes_written == (60 * GRANULE // ports,) * ports
    assert result.port_beats == 60 // ports and len(result.port) == 0


@pytest.mark.parametrize("ports", [1, 4])
@pytest.mark.parametrize(
    ("mode", "factor", "share"), [(Mode.READ, 1, 0.97), (Mode.WRITE, 1, 0.90), (Mode.COPY, 2, 0.87)]
)
def test_bandwidth_is_that_of_the_model(ports: int, mode: Mode, factor: int, share: float) -> None:
    """Ports move 8 bytes per cycle each way, unless the DDR has less."""
    parameters, count = with_ports(ports), 3_000
    with simulation(parameters, memory_bytes=1 << 20) as machine:
        rates = []
        for model in (MemoryModel.ideal(), DDR):
            result = machine.run(
                0, program(mode, count), cycle_limit=200_000, collect_port=None, model=model
            )
            moved = sum(result.bytes_read) + sum(result.bytes_written)
            assert moved == count * GRANULE * factor
            rates.append(moved / result.cycles)
    most = 8 * ports * factor
    assert rates[0] == pytest.approx(most, rel=0.01)
    assert rates[1] == pytest.approx(min(most, share * 4264 / 200), rel=0.02)


@pytest.mark.parametrize(("read", "write"), [(1, 1), (4, 4), (50, 4), (4, 50)])
def test_latencies_are_those_of_the_model(read: int, write: int) -> None:
    """One granule, read and written, takes both latencies, the beats and what the rest takes."""
    with simulation() as machine:
        model = MemoryModel(read_latency_cycles=read, write_latency_cycles=write)
        cycles = [
            machine.run(0, program(mode, 1), cycle_limit=LIMIT, collect_port=1, model=model).cycles
            for mode in (Mode.READ, Mode.WRITE)
        ]
    # the address is taken in cycle 1 and the last of 16 beats is 15 cycles after the first, or
    # the last beat is written in cycle 16; the interrupt comes two cycles after the answer
    assert cycles == [1 + read + 15 + 2, 16 + write + 2]


def test_a_program_that_is_advanced_in_steps_is_the_same() -> None:
    with simulation() as machine:
        before = machine.memory.copy()
        whole = machine.run(0, program(Mode.COPY, 20), cycle_limit=LIMIT, collect_port=20)
        running = machine.start(0, program(Mode.COPY, 20), cycle_limit=LIMIT, collect_port=20)
        steps = 0
        while not machine.advance(7):
            steps += 1
        result = machine.finish(running)
        assert steps == (whole.cycles - 1) // 7
        assert result.cycles == whole.cycles
        assert np.array_equal(result.port, whole.port)
        assert np.array_equal(machine.memory, copied(before, 0, 20))
        assert whole.counters[Tag.FORWARD]["BUSY"] == result.counters[Tag.FORWARD]["BUSY"] > 0
        assert result.counters[Tag.ERROR]["BYTES_READ"] == 0


def test_seed_decides_the_stalls() -> None:
    with simulation() as machine:
        cycles = [
            machine.run(
                0,
                program(Mode.COPY, 64),
                cycle_limit=LIMIT,
                collect_port=None,
                stalls=BusStalls.everywhere(0.5),
                seed=seed,
            ).cycles
            for seed in (1, 1, 2, 3)
        ]
    assert cycles[0] == cycles[1]
    assert len(set(cycles)) > 1


def test_registers_keep_what_is_written() -> None:
    with simulation() as machine:
        for stalls in (BusStalls(), BusStalls(registers=Stall(0.8))):
            machine.configure(stalls=stalls)
            for address in (30, 500, 1023):
                machine.write_register(address, address * 4_000_037 % 2**32)
            for address in (30, 500, 1023):
                assert machine.read_register(address) == address * 4_000_037 % 2**32
        machine.driver.table.write(3, Precision(4, 5, 6))
        assert machine.read_register(TABLE_BASE + 3) == encode_precision(Precision(4, 5, 6))


@pytest.mark.parametrize("response", Response)
@pytest.mark.parametrize(
    ("reads", "writes", "cause"),
    [(True, False, Fault.READ_ERROR), (False, True, Fault.WRITE_ERROR)],
)
def test_error_answers_become_faults_and_a_reset_mends_them(
    response: Response, reads: bool, writes: bool, cause: Fault
) -> None:
    at = 5 * GRANULE + 40 + writes * 16 * GRANULE
    with simulation() as machine:
        before = machine.memory.copy()
        machine.inject(BusFaults((ErrorRegion(at, at, response, reads, writes),)))
        with pytest.raises(EngineFault, match=cause.description) as error:
            machine.run(0, program(Mode.COPY, 16), cycle_limit=LIMIT, collect_port=16)
        assert error.value.cause is cause
        assert f"command {error.value.index}," in str(error.value)
        assert 0 < error.value.cycles < 200
        if writes:
            assert np.array_equal(machine.memory[at & ~7 : (at & ~7) + 8], before[at & ~7 :][:8])
        machine.inject(BusFaults())
        machine.run(0, program(Mode.COPY, 16), cycle_limit=LIMIT, collect_port=16)
        assert np.array_equal(machine.memory, copied(machine.memory, 0, 16))


@pytest.mark.parametrize("requests", [False, True])
def test_a_stuck_bus_is_the_cycle_limit_until_it_is_told(requests: bool) -> None:
    with simulation() as machine:
        machine.inject(BusFaults(stuck_from=150, stuck_requests=requests))
        with pytest.raises(MachineError, match=r"no end within 5000 .* [1-9]\d* bytes read"):
            machine.run(0, program(Mode.COPY, 200), cycle_limit=5_000, collect_port=None)
        with pytest.raises(MachineError, match="is not idle .* only a reset of the simulation"):
            machine.run(0, program(Mode.COPY, 1), cycle_limit=LIMIT, collect_port=1)
        machine.inject(BusFaults())
        machine.driver.stop()
        result = machine.run(0, program(Mode.COPY, 200), cycle_limit=5_000, collect_port=None)
        late = []
        for until in (1_000, 1_500):
            machine.inject(BusFaults(stuck_from=0, stuck_until=until, stuck_requests=requests))
            run = machine.run(0, program(Mode.COPY, 200), cycle_limit=5_000, collect_port=None)
            late.append(run.cycles)
        assert late[0] > max(1_000, result.cycles)
        assert late[1] - late[0] == 500


def test_cycle_limit_ends_a_hang_and_says_how_far_it_came() -> None:
    with simulation() as machine:
        with pytest.raises(MachineError, match=r"within 500 cycles: STATUS .* FORWARD_BUSY 5"):
            machine.run(0, program(Mode.HANG, 0), cycle_limit=500)
        machine.reset()
        assert machine.cycles == 0
        machine.run(0, program(Mode.COPY, 1), cycle_limit=500, collect_port=1)


FLAWS = {
    Flaw.SIZE: "AR of hp0: burst with beats",
    Flaw.TYPE: "AW of hp0: burst that is not INCR",
    Flaw.ALIGNMENT: "AR of hp0: burst that does not begin",
    Flaw.BOUNDARY: "AR of hp0: burst that crosses",
    Flaw.AR_DROPS: "AR of hp0: dropped valid",
    Flaw.AW_CHANGES: "AW of hp0: changed its payload",
    Flaw.W_DROPS: "W of hp0: dropped valid",
    Flaw.W_CHANGES: "W of hp0: changed its payload",
    Flaw.LAST_EARLY: "W of hp0: WLAST",
    Flaw.LAST_MISSING: "W of hp0: WLAST",
    Flaw.ID: "W of hp0: WID",
    Flaw.PORT_DROPS: "port: dropped valid",
    Flaw.PORT_CHANGES: "port: changed its payload",
}


@pytest.mark.parametrize(("flaw", "message"), FLAWS.items(), ids=[each.name for each in FLAWS])
def test_broken_rules_are_caught(flaw: Flaw, message: str) -> None:
    with simulation() as machine:

        def run() -> None:
            work, stalls = program(Mode.COPY, 64), BusStalls.everywhere(0.5)
            machine.run(0, work, cycle_limit=LIMIT, collect_port=64, stalls=stalls)

        machine.write_register(FLAW, flaw)
        with pytest.raises(MachineError, match=rf"cycle \d+: {message}"):
            run()
        with pytest.raises(MachineError, match=message):  # it stays so until the reset
            machine.read_register(STATUS.address)
        machine.reset()
        run()


def test_every_flaw_has_a_test() -> None:
    assert set(FLAWS) == set(Flaw) - {Flaw.NONE}


@pytest.mark.parametrize(
    ("base", "first", "channel"),
    [(0, MEMORY_BYTES - 2 * GRANULE, "AR"), (8192, 0, "AR"), (0, MEMORY_BYTES - 6 * GRANULE, "AW")],
)
def test_addresses_outside_the_memory_are_caught(base: int, first: int, channel: str) -> None:
    with simulation(base_address=base) as machine:
        with pytest.raises(MachineError, match=f"{channel} of hp.: burst that leaves the memory"):
            machine.run(first, program(Mode.COPY, 4), cycle_limit=LIMIT, collect_port=4)


def test_more_beats_than_collected_are_an_error() -> None:
    with simulation() as machine, pytest.raises(MachineError, match="more result beats"):
        machine.run(0, program(Mode.COPY, 8), cycle_limit=LIMIT, collect_port=3)


def test_two_machines_are_independent() -> None:
    with simulation() as one, simulation() as other:
        one.write_register(30, 1)
        other.write_register(30, 2)
        before = other.memory.copy()
        one.run(0, program(Mode.COPY, 8), cycle_limit=LIMIT, collect_port=8)
        assert (one.read_register(30), other.read_register(30)) == (1, 2)
        assert np.array_equal(other.memory, before)


def test_wrong_arguments_are_refused() -> None:
    for options in ({"memory_bytes": 100}, {"memory_bytes": 0}, {"base_address": 4}):
        with pytest.raises(ParameterError, match=next(iter(options))):
            simulation(**options)
    with simulation() as machine:
        with pytest.raises(ParameterError, match="cycle_limit"):
            machine.run(0, program(Mode.COPY, 1), cycle_limit=0)
        with pytest.raises(ParameterError, match="register address"):
            machine.read_register(1024)
        with pytest.raises(ParameterError, match="register value"):
            machine.write_register(0, -1)
        with pytest.raises(ParameterError, match="slot"):
            machine.driver.table.write(TINY.precision.slots, Precision(1, 1, 1))
    with pytest.raises(ParameterError, match="regions"):
        BusFaults((ErrorRegion(0, 0),) * 9)
    with pytest.raises(MachineError, match="closed"):
        machine.run(0, program(Mode.COPY, 1), cycle_limit=1)


def test_a_design_with_other_ports_is_refused() -> None:
    with pytest.raises(ParameterError, match="hp2__"):
        DrivenSimulation(with_ports(3), design=stand_in(TINY))


def test_a_long_run_says_how_far_it_is_and_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fractrain.sim.cosim.convolution.SLICE_CYCLES", 50)
    told: list[int] = []
    with simulation() as machine, simulation(watch=told.append) as watched:
        quiet = machine.run(0, program(Mode.COPY, 8), cycle_limit=LIMIT, collect_port=8)
        loud = watched.run(0, program(Mode.COPY, 8), cycle_limit=LIMIT, collect_port=8)
        assert loud.cycles == quiet.cycles and np.array_equal(loud.port, quiet.port)
        assert told == list(range(told[0], loud.cycles, 50)) and told[0] <= 50
        del told[:]

    def stop(cycles: int) -> None:
        raise KeyboardInterrupt

    with simulation(watch=stop) as machine, pytest.raises(KeyboardInterrupt):
        machine.run(0, program(Mode.COPY, 8), cycle_limit=LIMIT, collect_port=8)
