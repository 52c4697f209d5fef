"""Runs inside the simulator: whole programs on the whole engine, and all that can go wrong."""

from dataclasses import replace

import cocotb
from cocotb.triggers import RisingEdge

from fractrain.hw.contract import registers as contract
from fractrain.hw.contract.commands import Fault, Format, Load, Memory, Tag, encode
from fractrain.hw.contract.precision import Operand, Precision
from tests.harness import STALLS, Bench, testbench
from tests.harness.axi3_memory import DECERR, OKAY, SLVERR
from tests.hw.engine.machine import Machine, job_seed
from tests.hw.engine.small_programs import (
    COLUMNS_BASE,
    PROGRAM_BASE,
    RESULT_BASE,
    ROWS_BASE,
    SLOT,
    WINDOW,
    convolution,
    matrix_product,
)

PRECISION = Precision(3, 2, 1)


@testbench(cycle_limit=100_000)
@cocotb.parametrize(stalls=STALLS)
async def programs(bench: Bench, stalls: str) -> None:
    """Products and convolutions one after the other, each with another precision."""
    machine = Machine(bench, stalls=stalls, port_stalls=stalls)
    await machine.prepare()
    for _ in range(3):
        bits = [bench.random.randint(1, 5) for _ in range(3)]
        form = bench.random.choice([Format.RAW32, Format.PORT, Format.PLANES])
        await machine.run(
            matrix_product(machine.parameters, Precision(*bits), job_seed(bench), form)
        )
        await machine.run(convolution(machine.parameters, Precision(*bits), job_seed(bench)))
    machine.finish()


@testbench(cycle_limit=30_000)
@cocotb.parametrize(form=[Format.RAW32.value, Format.PORT.value, Format.PLANES.value])
async def formats(bench: Bench, form: int) -> None:
    machine = Machine(bench)
    await machine.prepare()
    for bits in ((1, 1, 1), (4, 7, 1), (16, 16, 16)):
        if form != Format.RAW32 or bits[0] < 16:  # RAW32 has no room for 16 x 16 bits
            job = matrix_product(
                machine.parameters, Precision(*bits), job_seed(bench), Format(form)
            )
            await machine.run(job)


@testbench(cycle_limit=30_000)
async def counters_add_up(bench: Bench) -> None:
    """Every cycle of a program under one cause; bytes as they are asked for."""
    machine = Machine(bench)
    parameters = machine.parameters
    await machine.prepare()
    uncounted = set()  # between the write of START and the interrupt, whatever the program
    for precision in (Precision(1, 1, 1), PRECISION):
        job = convolution(parameters, precision, job_seed(bench))
        machine.fill(job)
        await machine.set_slot(job.precision)
        await machine.write(contract.CONTROL, contract.CLEAR_COUNTERS.insert(1))
        await machine.start(job.words())
        started = machine.monitors[0].cycle
        await machine.interrupt()
        elapsed = machine.monitors[0].cycle - started
        counters = await machine.counters()
        cycles = sum(value for (_, name), value in counters.items() if not name.startswith("BYTES"))
        uncounted.add(elapsed - cycles)
    assert len(uncounted) == 1, uncounted
    assert counters[Tag.ERROR, "BUSY"] == job.passes
    tensors = sum(map(len, job.memory.values()))
    assert counters[Tag.ERROR, "BYTES_READ"] == tensors
    assert counters[Tag.OTHER, "BYTES_READ"] == 32 * len(job.commands)
    assert counters[Tag.ERROR, "BYTES_WRITTEN"] == sum(map(len, job.expected.values()))
    assert counters[Tag.ERROR, "STALL_MEMORY"] > 0
    untouched = [
        value for (tag, _), value in counters.items() if tag in (Tag.FORWARD, Tag.GRADIENT)
    ]
    assert not any(untouched)


@testbench(cycle_limit=30_000)
@cocotb.parametrize(bits=[(0, 3, 3), (3, 0, 3), (0, 0, 0)])
async def skips(bench: Bench, bits: tuple[int, int, int]) -> None:
    """No traffic but for the commands, no pass; and the next program is none the worse for it."""
    machine = Machine(bench)
    await machine.prepare()
    await machine.write(contract.CONTROL, contract.CLEAR_COUNTERS.insert(1))
    await machine.run(matrix_product(machine.parameters, Precision(*bits), job_seed(bench)))
    counters = await machine.counters()
    for tag in (Tag.FORWARD, Tag.ERROR, Tag.GRADIENT):
        for name in ("BUSY", "BYTES_READ", "BYTES_WRITTEN"):
            assert counters[tag, name] == 0
    assert not any(monitor.writes for monitor in machine.monitors)
    await machine.run(matrix_product(machine.parameters, PRECISION, job_seed(bench)))
    machine.finish()


@testbench(cycle_limit=30_000)
async def interrupts_and_start(bench: Bench) -> None:
    """The line follows PENDING and ENABLE; START is ignored while a program runs."""
    machine = Machine(bench)
    await machine.prepare()
    job = matrix_product(machine.parameters, PRECISION, job_seed(bench))
    machine.fill(job)
    await machine.set_slot(job.precision)
    await machine.write(contract.INTERRUPT_ENABLE, 0)
    await machine.start(job.words())
    await machine.write(contract.PROGRAM_COMMANDS, 0)  # would be a fault, if it started again
    await machine.write(contract.CONTROL, contract.START.insert(1))
    await machine.write(contract.PROGRAM_COMMANDS, len(job.commands))
    while not (await machine.status())["DONE"]:
        pass
    assert not int(bench.dut.interrupt.value)
    assert await machine.read(contract.INTERRUPT) == 1
    await machine.write(contract.INTERRUPT_ENABLE, 1)
    await machine.interrupt()
    await machine.write(contract.INTERRUPT, 1)
    assert not int(bench.dut.interrupt.value)
    machine.check(job)


Broken = tuple[str, Fault, int | None, list[int], dict[str, int], tuple[int, int, int]]


def broken_programs(machine: Machine, seed: int) -> list[Broken]:
    """Name, fault, index, words, how it is started, and the table's entry."""
    parameters = machine.parameters
    job = matrix_product(parameters, PRECISION, seed)
    rows, columns, multiply, store = 1, 2, 3, 4
    beyond_planes = parameters.buffers.plane_words
    beyond_columns = parameters.buffers.column_words
    bits = (PRECISION.activation, PRECISION.weight, PRECISION.error)

    def changed(number: int, **changes: object) -> list[int]:
        return job.replaced(number, **changes).words()

    def opcode(number: int, byte: int) -> list[int]:
        words = job.words()
        words[number] = words[number] & ~0xFF | byte
        return words

    good = job.words()
    cases: list[tuple[str, Fault, int | None, list[int]]] = [
        ("opcode", Fault.OPCODE, 3, opcode(3, 9)),
        ("slot", Fault.SLOT, 2, changed(columns, slot=parameters.precision.slots)),
        ("count", Fault.COUNT, 3, changed(multiply, images=0)),
        ("no END", Fault.PROGRAM, len(good) - 1, good[:-1]),
        ("plane write", Fault.ADDRESS, rows, changed(rows, destination=beyond_planes - 2)),
        ("column write", Fault.ADDRESS, columns, changed(columns, destination=beyond_columns - 1)),
        ("plane read", Fault.ADDRESS, multiply, changed(multiply, address=beyond_planes - 1)),
        (
            "column read",
            Fault.ADDRESS,
            multiply,
            changed(multiply, column_address=beyond_columns - 1),
        ),
        ("load window", Fault.WINDOW, rows, changed(rows, address=WINDOW[1] + 1 - 32)),
        ("store window", Fault.WINDOW, store, changed(store, address=WINDOW[1] + 1 - 512 + 16)),
        ("load alignment", Fault.ALIGNMENT, rows, changed(rows, address=ROWS_BASE + 8)),
        ("store alignment", Fault.ALIGNMENT, store, changed(store, address=RESULT_BASE + 8)),
    ]
    result: list[Broken] = [(*case, {}, bits) for case in cases]
    result += [
        ("precision", Fault.PRECISION, 1, good, {}, (3, 17, 1)),
        ("program window", Fault.WINDOW, 0, good, {"address": WINDOW[0] - 64}, bits),
        ("program alignment", Fault.ALIGNMENT, 0, good, {"address": PROGRAM_BASE + 8}, bits),
        ("empty", Fault.PROGRAM, 0, good, {"count": 0}, bits),
    ]
    return result


async def _recovers(machine: Machine) -> None:
    await machine.reset()
    await machine.run(
        matrix_product(machine.parameters, PRECISION, machine.bench.random.getrandbits(32))
    )


@testbench(cycle_limit=200_000)
@cocotb.parametrize(stalls=["never", "random"])
async def faults_of_programs(bench: Bench, stalls: str) -> None:
    """Every cause that a program can have: the right one, its command, and a way back."""
    machine = Machine(bench, stalls=stalls)
    await machine.prepare()
    job = matrix_product(machine.parameters, PRECISION, 1)
    for name, fault, index, words, how, bits in broken_programs(machine, 1):
        bench.dut._log.info("fault: %s", name)
        machine.fill(job)
        packed = bits[0] | bits[1] << 8 | bits[2] << 16
        await machine.write(contract.TABLE_BASE + SLOT, packed)
        await machine.start(words, **how)
        await machine.fails(fault, index)
        await _recovers(machine)
    machine.finish()


@testbench(cycle_limit=100_000)
@cocotb.parametrize(response=[SLVERR, DECERR])
async def errors_of_memory(bench: Bench, response: int) -> None:
    machine = Machine(bench)
    await machine.prepare()
    for base, fault, index in (
        (PROGRAM_BASE + 128, Fault.READ_ERROR, None),
        (ROWS_BASE, Fault.READ_ERROR, 1),
        (COLUMNS_BASE, Fault.READ_ERROR, 2),
        (RESULT_BASE + 64, Fault.WRITE_ERROR, 4),
    ):
        job = matrix_product(machine.parameters, PRECISION, job_seed(bench))
        machine.fill(job)
        await machine.set_slot(job.precision)
        machine.respond = lambda address, bad=base: response if address == bad else OKAY
        await machine.start(job.words())
        await machine.fails(fault, index)
        machine.respond = lambda address: OKAY
        await _recovers(machine)
    machine.finish()


@testbench(cycle_limit=100_000)
@cocotb.parametrize(mute=["stuck", "withhold"])
async def stuck_memory(bench: Bench, mute: str) -> None:
    """The watchdog stops the machine; it is not idle until memory has answered after all."""
    machine = Machine(bench)
    await machine.prepare()
    await machine.write(contract.WATCHDOG, 400)
    for at, wait in ((0, 0), (1, 60), (4, None)):
        job = matrix_product(machine.parameters, PRECISION, job_seed(bench))
        machine.fill(job)
        await machine.set_slot(job.precision)
        await machine.start(job.words())
        if wait is None:
            while not int(bench.dut.hp0__awvalid.value):
                await RisingEdge(bench.dut.clk)
        else:
            await bench.cycles(wait)
        for memory in machine.memories:
            setattr(memory, mute, True)
        await machine.fails(Fault.TIMEOUT, at if wait is None else None)
        await machine.write(contract.CONTROL, contract.RESET.insert(1))
        for _ in range(20):
            status = await machine.status()
            assert (status["IDLE"], status["DRAINING"], status["FAULT"]) == (0, 1, 0)
        await machine.write(contract.CONTROL, contract.START.insert(1))  # ignored
        for memory in machine.memories:
            setattr(memory, mute, False)
        await _recovers(machine)
    machine.finish()


@testbench(cycle_limit=200_000)
async def resets_at_any_time(bench: Bench) -> None:
    """A program that is broken off at a random cycle leaves nothing behind."""
    machine = Machine(bench, stalls="rare")
    await machine.prepare()
    for _ in range(40):
        job = convolution(machine.parameters, PRECISION, job_seed(bench))
        machine.fill(job)
        await machine.set_slot(job.precision)
        await machine.start(job.words())
        await bench.cycles(bench.random.randint(1, 300))
        await machine.reset()
    await machine.run(convolution(machine.parameters, PRECISION, job_seed(bench)))
    machine.finish()


@testbench(cycle_limit=30_000)
async def commands_beyond_end(bench: Bench) -> None:
    """They are fetched and forgotten, whatever they are."""
    machine = Machine(bench)
    await machine.prepare()
    job = matrix_product(machine.parameters, PRECISION, job_seed(bench))
    machine.fill(job)
    await machine.set_slot(job.precision)
    await machine.start(job.words() + [bench.random.getrandbits(256) for _ in range(9)])
    await machine.interrupt()
    assert (await machine.status())["DONE"]
    machine.check(job)


@testbench(cycle_limit=60_000)
async def table_changes_between_programs(bench: Bench) -> None:
    """The same words, another cost: cycles follow the table."""
    machine = Machine(bench)
    await machine.prepare()
    for bits in ((2, 2, 1), (6, 4, 1), (1, 1, 1)):
        job = convolution(machine.parameters, Precision(*bits), job_seed(bench))
        await machine.write(contract.CONTROL, contract.CLEAR_COUNTERS.insert(1))
        await machine.run(job)
        assert (await machine.counters())[Tag.ERROR, "BUSY"] == job.passes


def fillers(machine: Machine) -> list[int]:
    """LOADs of a slot with 0 bits, the first of which waits for a token of a STORE: more of them
    than there is room for between the decoder and the gate where it waits."""
    queued, in_gate, in_decoder = machine.parameters.queues.commands, 1, 1
    skipped = Load(
        slot=SLOT + 1, operand=Operand.ACTIVATION, partner=Operand.WEIGHT, memory=Memory.PLANES,
        address=ROWS_BASE, runs=1, words=1, destination=0,
    )  # fmt: skip
    waiting = replace(skipped, wait=2)
    return [encode(waiting), *[encode(skipped)] * 2 * (queued + in_gate + in_decoder)]


@testbench(cycle_limit=30_000)
@cocotb.parametrize(bits=[(5, 4, 1), (1, 1, 1), (0, 3, 3)])
async def table_changes_while_a_program_runs(bench: Bench, bits: tuple[int, int, int]) -> None:
    """Commands that are decoded after the write obey it, those before do not.

    The first part ends when its results have left at the port, which takes none of them before
    the table is written. The fetch stage waits for that end, and so do its queue and the decoder:
    nothing of the second part can have been decoded.
    """
    machine = Machine(bench)
    await machine.prepare()
    first = matrix_product(machine.parameters, PRECISION, job_seed(bench), Format.PORT)
    second = matrix_product(machine.parameters, Precision(*bits), job_seed(bench)).moved(0x800)
    for job in (first, second):
        machine.fill(job)
    store = 4
    words = first.replaced(store, signal=1).words()[:-1]
    await machine.set_slot(PRECISION)
    await machine.set_slot(Precision(0, 0, 0), SLOT + 1)
    machine.port.paused = True
    await machine.start([*words, *fillers(machine), *second.words()])
    while not int(bench.dut.port__valid.value):
        await RisingEdge(bench.dut.clk)
    await bench.cycles(500)
    status = await machine.status()
    assert (status["IDLE"], status["DONE"], status["FAULT"]) == (0, 0, 0)
    await machine.set_slot(second.precision)
    assert not machine.port.items
    machine.port.paused = False
    await machine.interrupt()
    assert (await machine.status())["DONE"]
    machine.check(first)
    machine.check(second)
    assert any(monitor.writes for monitor in machine.monitors) == bool(second.expected)
    machine.finish()


@testbench(cycle_limit=30_000)
async def tokens_end_with_their_program(bench: Bench) -> None:
    """One that nobody took is not there for the next program, which waits for ever."""
    machine = Machine(bench)
    await machine.prepare()
    job = matrix_product(machine.parameters, PRECISION, job_seed(bench))
    load, store = 1, 4
    await machine.run(job.replaced(store, signal=1))
    await machine.start(job.replaced(load, wait=2).words())
    await bench.cycles(3_000)
    status = await machine.status()
    assert (status["IDLE"], status["DONE"], status["FAULT"]) == (0, 0, 0)
    await _recovers(machine)
    machine.finish()
