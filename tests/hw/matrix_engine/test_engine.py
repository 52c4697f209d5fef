"""The engine as a whole, through its ports: products, accumulation over commands, skips, faults."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from host.program import MatrixProgram
from hw.contract.errors import MachineError
from hw.contract.layout import pack_matrix
from hw.contract.matrix_commands import Command, Fault, Load, Multiply, Side, encode_all
from hw.contract.matrix_registers import (
    CLEAR_COUNTERS,
    CONTROL,
    COUNTERS,
    FAULT_INDEX,
    RESET,
    STATUS,
    RegisterMap,
    encode_precision,
)
from hw.contract.parameters import Parameters
from hw.contract.precision import Operand, Pass, Precision, value_range
from sim.cosim.engine import EngineSimulation, Program
from sim.cosim.stalls import Stalls
from tests.hw.machines import machine, small_machine

Matrix = np.ndarray


@pytest.fixture(scope="module", params=[1, 2, 4, 8])
def engine(request: pytest.FixtureRequest) -> Iterator[EngineSimulation]:
    parameters = machine() if request.param == 1 else small_machine(request.param)
    with EngineSimulation(parameters) as simulation:
        yield simulation


@pytest.fixture(scope="module")
def bit_serial() -> Iterator[EngineSimulation]:
    with EngineSimulation(machine()) as simulation:
        yield simulation


def random_matrix(
    rng: np.random.Generator, shape: tuple[int, int], bits: int, signed: bool, extreme: bool
) -> Matrix:
    low, high = value_range(bits, signed)
    if extreme:
        return (
            np.where(rng.random(shape) < 0.5, low, high)
            if rng.random() < 0.5
            else (np.full(shape, low if signed else high))
        )
    return rng.integers(low, high, shape, endpoint=True)


def table_write(parameters: Parameters, slot: int, precision: Precision) -> tuple[int, int]:
    return RegisterMap(parameters).table_address(slot), encode_precision(precision)


def run_product(
    engine: EngineSimulation,
    pass_: Pass,
    rows: Matrix,
    columns: Matrix,
    bits: tuple[int, int],
    stalls: Stalls = Stalls(),  # noqa: B008  immutable
    seed: int = 0,
) -> Matrix:
    program = MatrixProgram(pass_, rows, columns, bits, engine.parameters, slot=3)
    widths = {pass_.row: bits[0], pass_.column: bits[1]}
    precision = Precision(*(widths.get(operand, 1) for operand in Operand))
    write = table_write(engine.parameters, 3, precision)
    result = engine.run(
        Program(encode_all(program.commands), program.blocks, program.beats, [write]),
        stalls=stalls,
        seed=seed,
    )
    per_tile = engine.parameters.beats_per_tile
    assert result.last.tolist() == [i % per_tile == per_tile - 1 for i in range(program.beats)]
    return program.collect(result.results)


@pytest.mark.parametrize("bits", [(a, b) for a in (1, 2, 3, 7, 16) for b in (1, 4, 9, 16)])
@pytest.mark.parametrize("extreme", [False, True])
def test_products_at_every_kind_of_precision(
    engine: EngineSimulation, rng: np.random.Generator, bits: tuple[int, int], extreme: bool
) -> None:
    for pass_ in Pass:
        height, width, depth = rng.integers(1, (20, 12, 4 * engine.parameters.array.lanes))
        rows = random_matrix(rng, (height, depth), bits[0], pass_.row.signed, extreme)
        columns = random_matrix(rng, (width, depth), bits[1], pass_.column.signed, extreme)
        assert np.array_equal(run_product(engine, pass_, rows, columns, bits), rows @ columns.T)


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("mean_run", [None, 30.0])
def test_products_under_stalls(
    bit_serial: EngineSimulation,
    rng: np.random.Generator,
    probability: float,
    mean_run: float | None,
) -> None:
    for seed in range(4):
        bits = int(rng.integers(1, 6)), int(rng.integers(1, 6))
        shape = rng.integers(1, 60, 3)
        rows = random_matrix(rng, (shape[0], shape[2] * 4), bits[0], True, False)
        columns = random_matrix(rng, (shape[1], shape[2] * 4), bits[1], True, False)
        stalls = Stalls.everywhere(probability, mean_run)
        product = run_product(bit_serial, Pass.ERROR, rows, columns, bits, stalls, seed)
        assert np.array_equal(product, rows @ columns.T)


def test_a_depth_beyond_the_buffers_is_summed_exactly(bit_serial: EngineSimulation) -> None:
    """36 lanes x 64 words hold two slices of 16 bits; this is 30 slices of extremes."""
    rows, columns = np.full((3, 1080), 65535), np.full((5, 1080), -32768)
    product = run_product(bit_serial, Pass.GRADIENT, rows, columns, (16, 16))
    assert np.array_equal(product, rows @ columns.T)


@pytest.mark.parametrize("spatial_bits", [1, 2])
def test_the_shortest_tiles_and_the_smallest_queues(
    rng: np.random.Generator, spatial_bits: int
) -> None:
    """One beat a tile, room for two tiles: tiles that end in neighbouring cycles all come out."""
    parameters = small_machine(
        spatial_bits,
        array__cluster_columns=1,
        queues__result_tiles=2,
        queues__commands=2,
    )
    with EngineSimulation(parameters) as engine:
        for height, width in ((8, 8), (40, 40), (4, 100)):
            rows = random_matrix(rng, (height, 8), 1, False, False)
            columns = random_matrix(rng, (width, 8), 1, True, False)
            for stalls in (Stalls(), Stalls.everywhere(0.6)):
                product = run_product(engine, Pass.FORWARD, rows, columns, (1, 1), stalls)
                assert np.array_equal(product, rows @ columns.T)


def test_the_default_cycle_limit_leaves_time_for_blocks_of_many_tiles() -> None:
    """A column block of this machine takes sixteen cycles to write, and nothing else takes long."""
    parameters = small_machine(
        1,
        array__rows=16,
        array__columns=1,
        array__lanes=32,
        array__cluster_columns=1,
        block__channels=1,
        buffers__column_words=512,
    )
    rows, columns = np.ones((1, 800), int), -np.ones((1, 800), int)
    with EngineSimulation(parameters) as engine:
        product = run_product(engine, Pass.FORWARD, rows, columns, (1, 16))
    assert product.tolist() == [[-800]]


# -- the array is never idle without cause ---------------------------------------------------


def read_counters(engine: EngineSimulation) -> dict[str, int]:
    return {
        counter.name: engine.read_register(counter.address)
        | engine.read_register(counter.address + 1) << 32
        for counter in COUNTERS
    }


def test_large_product_keeps_the_array_busy(
    bit_serial: EngineSimulation, rng: np.random.Generator
) -> None:
    rows = random_matrix(rng, (320, 144), 4, False, False)
    columns = random_matrix(rng, (160, 144), 4, True, False)
    bit_serial.write_register(CONTROL.address, CLEAR_COUNTERS.insert(1))
    before = bit_serial.cycles
    product = run_product(bit_serial, Pass.FORWARD, rows, columns, (4, 4))
    assert np.array_equal(product, rows @ columns.T)
    elapsed = bit_serial.cycles - before
    counters = read_counters(bit_serial)
    assert counters["BUSY"] == (320 // 8) * (160 // 4) * 4 * 16
    assert counters["BUSY"] / elapsed >= 0.95


def test_every_cycle_is_counted_once(bit_serial: EngineSimulation) -> None:
    rows, columns = np.ones((40, 36), int), np.ones((40, 36), int)
    bit_serial.write_register(CONTROL.address, CLEAR_COUNTERS.insert(1))
    started = bit_serial.cycles
    run_product(bit_serial, Pass.FORWARD, rows, columns, (1, 2), Stalls.everywhere(0.5))
    counters = read_counters(bit_serial)
    kinds = ("BUSY", "STALL_RESULT", "STALL_TOKEN", "IDLE_CYCLES")
    counted = sum(counters[kind] for kind in kinds)
    # the counters are read one after the other, a cycle or two apart, at the end
    assert 0 <= bit_serial.cycles - started - counted <= 2 * 2 * len(COUNTERS)
    assert counters["STALL_RESULT"] > 0 and counters["STALL_TOKEN"] > 0


# -- commands one by one ---------------------------------------------------------------------


def one_tile(
    rng: np.random.Generator, parameters: Parameters, slices: int, bits: tuple[int, int]
) -> tuple[Matrix, Matrix]:
    """Signed operands of exactly one tile and ``slices`` slices."""
    array = parameters.array
    return (
        random_matrix(rng, (array.rows, slices * array.lanes), bits[0], True, False),
        random_matrix(rng, (array.columns, slices * array.lanes), bits[1], True, False),
    )


def loads_and_multiply(
    parameters: Parameters, rows: Matrix, columns: Matrix, bits: tuple[int, int]
) -> tuple[Load, Load, Multiply, np.ndarray]:
    """One tile by hand: everything of ``rows`` and ``columns`` at address 0."""
    packed = [
        pack_matrix(rows, bits[0], True, parameters),
        pack_matrix(columns, bits[1], True, parameters),
    ]
    slices = packed[0].shape[1]
    digits = [parameters.digits(each) for each in bits]
    load_rows = Load(0, Operand.ERROR, Side.ROWS, 0, slices, digits[0])
    load_columns = Load(
        0, Operand.WEIGHT, Side.COLUMNS, 0, slices, digits[1], slices * digits[1], signal=True
    )
    multiply = Multiply(
        0, Operand.ERROR, Operand.WEIGHT, 0, 0, slices, digits[0], digits[1], True, True, wait=True
    )
    blocks = np.concatenate([each[0].reshape(-1, parameters.block_bytes) for each in packed])
    return load_rows, load_columns, multiply, blocks


def tile_of(parameters: Parameters, beats: np.ndarray) -> Matrix:
    array = parameters.array
    return (
        beats.reshape(parameters.beats_per_tile, array.rows, -1)
        .transpose(1, 2, 0)
        .reshape(array.rows, array.columns)
    )


def test_a_tile_may_take_several_commands(
    engine: EngineSimulation, rng: np.random.Generator
) -> None:
    p = engine.parameters
    rows, columns = one_tile(rng, p, 3, (5, 3))
    load_rows, load_columns, whole, blocks = loads_and_multiply(p, rows, columns, (5, 3))
    parts = [
        replace(
            whole,
            row_address=each * whole.row_stride,
            column_address=each * whole.column_stride,
            slices=1,
            start=each == 0,
            finish=each == 2,
            wait=each == 0,
        )
        for each in range(3)
    ]
    write = table_write(p, 0, Precision(1, 3, 5))
    program = Program(
        encode_all([load_rows, load_columns, *parts]), blocks, p.beats_per_tile, [write]
    )
    assert np.array_equal(tile_of(p, engine.run(program).results), rows @ columns.T)


def test_zero_bits_skip_a_command_but_not_its_tokens(
    bit_serial: EngineSimulation, rng: np.random.Generator
) -> None:
    p = bit_serial.parameters
    rows, columns = one_tile(rng, p, 1, (5, 3))
    load_rows, load_columns, multiply, blocks = loads_and_multiply(p, rows, columns, (5, 3))
    skipped: list[Command] = [
        replace(load_rows, slot=1, signal=True),
        replace(multiply, slot=1, signal=True),
    ]
    commands = [*skipped, replace(load_rows, wait=True), load_columns, multiply]
    writes = [table_write(p, 0, Precision(1, 3, 5)), table_write(p, 1, Precision(4, 4, 0))]
    busy = read_counters(bit_serial)["BUSY"]
    result = bit_serial.run(Program(encode_all(commands), blocks, p.beats_per_tile, writes))
    assert np.array_equal(tile_of(p, result.results), rows @ columns.T)
    assert read_counters(bit_serial)["BUSY"] - busy == 15


def test_fewer_bits_read_the_top_planes(engine: EngineSimulation, rng: np.random.Generator) -> None:
    """Operands stored at 8 bits, multiplied at 3 and 5: truncation, without touching the data."""
    p = engine.parameters
    rows, columns = one_tile(rng, p, 2, (8, 8))
    load_rows, load_columns, multiply, blocks = loads_and_multiply(p, rows, columns, (8, 8))
    writes = [table_write(p, 0, Precision(1, 8, 8)), table_write(p, 1, Precision(1, 5, 3))]
    commands = [load_rows, load_columns, replace(multiply, slot=1)]
    result = engine.run(Program(encode_all(commands), blocks, p.beats_per_tile, writes))
    assert np.array_equal(tile_of(p, result.results), (rows >> 5) @ (columns >> 3).T)


# -- faults ----------------------------------------------------------------------------------

Break = Callable[[Load, Load, Multiply], list[Command]]

FAULTS: dict[str, tuple[Fault, int, Break]] = {
    "slot": (Fault.SLOT, 0, lambda r, c, m: [replace(r, slot=200), c, m]),
    "operand": (Fault.SLOT, 2, lambda r, c, m: [r, c, _unchecked(m, column_operand=3)]),
    "precision": (Fault.PRECISION, 1, lambda r, c, m: [r, replace(c, slot=2), m]),
    "count": (Fault.COUNT, 2, lambda r, c, m: [r, c, replace(m, slices=0)]),
    "row load": (Fault.ADDRESS, 0, lambda r, c, m: [replace(r, address=60), c, m]),
    "column load": (Fault.ADDRESS, 1, lambda r, c, m: [r, replace(c, tile_stride=63), m]),
    "row read": (Fault.ADDRESS, 2, lambda r, c, m: [r, c, replace(m, row_address=64)]),
    "column read": (
        Fault.ADDRESS,
        3,
        lambda r, c, m: [r, c, m, replace(m, wait=False, column_address=65535)],
    ),
}


def _unchecked(multiply: Multiply, **changes: int) -> Multiply:
    return replace(multiply, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", FAULTS)
def test_fault_stops_the_machine_and_reset_revives_it(
    bit_serial: EngineSimulation, rng: np.random.Generator, name: str
) -> None:
    fault, index, damage = FAULTS[name]
    p = bit_serial.parameters
    rows, columns = one_tile(rng, p, 1, (5, 3))
    load_rows, load_columns, multiply, blocks = loads_and_multiply(p, rows, columns, (5, 3))
    writes = [
        table_write(p, 0, Precision(1, 3, 5)),
        (RegisterMap(p).table_address(2), 17 << 8),
    ]
    commands = encode_all(damage(load_rows, load_columns, multiply))
    bit_serial.write_register(CONTROL.address, RESET.insert(1))
    with pytest.raises(MachineError, match=fault.description):
        bit_serial.run(Program(commands, blocks, 3 * p.beats_per_tile, writes))
    assert bit_serial.read_register(STATUS.address) == 2 | fault << 8
    assert bit_serial.read_register(FAULT_INDEX.address) == index
    bit_serial.write_register(CONTROL.address, RESET.insert(1))
    commands = encode_all([load_rows, load_columns, multiply])
    result = bit_serial.run(Program(commands, blocks, p.beats_per_tile, writes))
    assert np.array_equal(tile_of(p, result.results), rows @ columns.T)


def test_unknown_opcode_is_refused(bit_serial: EngineSimulation) -> None:
    for opcode in (0, 3, 255):
        command = np.zeros((1, 16), np.uint8)
        command[0, 0] = opcode
        with pytest.raises(MachineError, match="unknown opcode"):
            bit_serial.run(Program(command, np.zeros((0, 4), np.uint8), 0))
        bit_serial.write_register(CONTROL.address, RESET.insert(1))


def test_reset_in_the_middle_of_a_program(
    bit_serial: EngineSimulation, rng: np.random.Generator
) -> None:
    """Results on their way when the reset comes must not turn up in the next program."""
    rows, columns = np.ones((80, 36), int), np.ones((40, 36), int)
    program = MatrixProgram(Pass.FORWARD, rows, columns, (2, 2), bit_serial.parameters, slot=0)
    write = table_write(bit_serial.parameters, 0, Precision(2, 2, 1))
    for limit in (60, 75, 90, 105):
        with pytest.raises(MachineError, match="no end within"):
            bit_serial.run(
                Program(encode_all(program.commands), program.blocks, program.beats, [write]),
                cycle_limit=limit,
            )
        bit_serial.write_register(CONTROL.address, RESET.insert(1))
        product = run_product(bit_serial, Pass.FORWARD, rows, columns, (2, 2))
        assert np.array_equal(product, rows @ columns.T)
