"""CHANNEL as the functional machine carries it out: records, what goes to memory, at any pace."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fractrain.hw.contract import numerics
from fractrain.hw.contract.commands import Channel, Fault
from fractrain.hw.contract.normalized import Format, inner_format, outer_format
from fractrain.hw.contract.records import Record, pack_records
from fractrain.hw.vector.channel import ChannelWalk, channel_command
from fractrain.hw.vector.channel_program import Act
from fractrain.hw.vector.channel_unit import ChannelUnit
from fractrain.hw.vector.moments import moment_pair
from fractrain.sim.functional.channel import run_channel
from fractrain.sim.functional.vector_memories import VectorMemories
from tests.harness.simulation import Simulation, Sink, simulate
from tests.harness.stalls import STALLS
from tests.hw.vector.machines import machine_with_unit

FORMATS = [*(inner_format(bits) for bits in range(4, 12)), *(outer_format(b) for b in range(4, 9))]
MACHINES = {
    "blocks of 1 record": machine_with_unit(side_bits=11),
    "blocks of 4 records": machine_with_unit("zc706", side_bits=16),
}
Job = tuple[Channel, Format | None]


def random_job(draw: Random, channels: int, *, backward: bool) -> Job:
    form = draw.choice(FORMATS) if backward else None
    command = Channel(
        pixels=max(1, draw.getrandbits(17) >> draw.randrange(17)),
        backward=backward,
        channel_groups=draw.randint(1, 2),
        scale=draw.randrange(8),
        norm=draw.randrange(8, 20),
        chunk=draw.randrange(100, 140),
        moments=draw.randrange(64 - 2 * channels + 1),
        address=draw.randrange(1 << 20) * 64,
    )
    return command, form


def real_moments(draw: Random, job: Job) -> tuple[int, int]:
    """Sums that n pixels can have; ends among them."""
    command, form = job
    n = command.pixels
    low, high = -n << 15, n * ((1 << 15) - 1)
    total = draw.choice((low, high, 0, draw.randint(low, high), draw.randint(-n, n)))
    if form is not None:
        most = n * form.most << 15
        product = draw.choice((-most, most, 0, draw.randint(-most, most)))
        return total, product >> draw.choice((0, 0, 10, 24))
    least = -(-(total**2) // n)
    return total, least + (draw.randint(0, (n << 30) - least) >> draw.choice((0, 0, 20, 40)))


class Memories:
    """What the walk reads and writes, in the functional machine's memories; answers come some
    cycles after the grant."""

    def __init__(self, walk: ChannelWalk, draw: Random) -> None:
        self.draw = draw
        self.held = VectorMemories(walk.parameters, np.random.default_rng(draw.getrandbits(32)))
        rng = np.random.default_rng(draw.getrandbits(32))
        words = len(self.held.records)
        scales = {"gain_shift": np.array([-64, -17, 0, 8, 14, 18, 20, 63])}
        self.held.records[:8] = pack_records(Record.SCALE, scales)
        gains = rng.integers(-(1 << 17), 1 << 17, 92)
        factors = rng.integers(-(1 << 17), 1 << 17, 92)
        self.held.records[8:100] = pack_records(Record.NORM, {"gain": gains, "factor": factors})
        chunks = {
            "mean": rng.integers(-(1 << 19), 1 << 19, words - 100),
            "reciprocal": rng.integers(0, 1 << 17, words - 100),
        }
        self.held.records[100:] = pack_records(Record.CHUNK, chunks)

    def answer(
        self,
        simulation: Simulation,
        sink: Sink,
        ports: tuple[str, str],
        find: Callable[[int], Any],
    ) -> Callable[[], None]:
        """To be called in each cycle; ``ports``: whether there is an answer, and it."""
        pending: deque[tuple[int, int]] = deque()
        seen = 0

        def step() -> None:
            nonlocal seen
            while seen < len(sink.transfers):
                pending.append((simulation.cycle + self.draw.randint(0, 3), sink.items[seen]))
                seen += 1
            due = bool(pending) and pending[0][0] <= simulation.cycle
            valid, word = ports
            simulation.set(**{valid: due})
            if due:
                simulation.set(**{word: find(pending.popleft()[1])})

        return step


def play(walk: ChannelWalk, jobs: list[Job], stalls: str, seed: int) -> None:
    channels, side_bits = walk.parameters.block.channels, walk.sizes.side_bits

    async def body(simulation: Simulation) -> None:
        draw = simulation.random
        memories = Memories(walk, draw)
        held, raised = memories.held, [0]
        blocks = simulation.sink("blocks", stalls=stalls)
        writes = simulation.sink("record_writes", stalls=stalls)
        tasks = simulation.source("tasks", stalls=stalls)
        steps = [
            memories.answer(
                simulation,
                simulation.sink("record_reads", stalls=stalls),
                ("record_answer", "record"),
                lambda address: int.from_bytes(held.records[address].tobytes(), "little"),
            ),
            memories.answer(
                simulation,
                simulation.sink("moment_reads", stalls=stalls),
                ("moment_answer", "moments"),
                lambda address: moment_pair().const(
                    {
                        "total": int(held.moments[address][0]),
                        "product": int(held.moments[address][1]) << raised[0],
                    }
                ),
            ),
        ]
        for command, form in jobs:
            count = command.channel_groups * channels
            for number in range(count):
                held.moments[command.moments + number] = real_moments(draw, (command, form))
            before = simulation.cycle
            # x̂ stands at the top of its word
            raised[0] = 0 if form is None else side_bits - form.bits
            tasks.send(command_value(command, form))
            taken = len(blocks.items), len(writes.items)
            for step in steps:
                step()
            while not simulation.get("ended"):
                await simulation.tick()
                for step in steps:
                    step()
            await simulation.tick()
            for step in steps:
                step()
            if stalls == "never":
                most = walk.unit.most_cycles[command.backward] + walk.OWN_CYCLES
                assert simulation.cycle - before <= count * most + 20
            wanted = run_channel(command, form, held, count).tobytes()
            size = walk.parameters.block_bytes
            found = {each["address"]: each["data"] for each in blocks.items[taken[0] :]}
            assert len(found) == len(blocks.items) - taken[0] == len(wanted) // size
            for place in range(0, len(wanted), size):
                block = found[command.address + place].to_bytes(size, "little")
                assert block == wanted[place : place + size], (command, place)
            records = [(each["address"], each["data"]) for each in writes.items[taken[1] :]]
            assert records == [
                (address, int.from_bytes(held.records[address].tobytes(), "little"))
                for address in range(command.chunk, command.chunk + count)
            ]

    simulate(walk, body, seed=seed, cycle_limit=100_000)


def command_value(command: Channel, form: Format | None) -> dict[str, int]:
    names = channel_command().members
    value = {name: int(getattr(command, name)) for name in names if hasattr(command, name)}
    if form is None:
        return value | {"index": 0, "bits": 0}
    return value | {"index": 0, "bits": form.bits, "end": form.bits - form.fraction == 3}


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("stalls", STALLS)
def test_as_the_functional_machine(name: str, stalls: str) -> None:
    walk = ChannelWalk(MACHINES[name])
    draw = Random(stalls)
    kinds = [False, True, True, False]
    channels = MACHINES[name].block.channels
    play(walk, [random_job(draw, channels, backward=each) for each in kinds], stalls, 7)


def test_longest_chunk_and_single_pixels() -> None:
    walk = ChannelWalk(MACHINES["blocks of 1 record"])
    draw = Random(2)
    jobs = []
    for pixels in (1, (1 << 17) - 1):
        for form in (None, inner_format(11), inner_format(4), outer_format(8)):
            command, _ = random_job(draw, 8, backward=form is not None)
            jobs.append((replace(command, pixels=pixels), form))
    play(walk, jobs, "never", 3)


def test_a_wrong_number_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """x̂ that is not lifted; a D that is taken too late."""
    walk = ChannelWalk(MACHINES["blocks of 1 record"])
    command, _ = random_job(Random(5), 8, backward=True)
    job = replace(command, pixels=1000, scale=6), inner_format(5)
    changed = SimpleNamespace(**vars(numerics) | {"LIFTED_FRACTION": 6})
    monkeypatch.setattr("fractrain.hw.vector.channel.numerics", changed)
    with pytest.raises(AssertionError):
        play(walk, [job], "never", 1)
    monkeypatch.undo()
    monkeypatch.setattr(ChannelUnit, "_keep", _late(ChannelUnit._keep))
    with pytest.raises(AssertionError):
        play(
            ChannelWalk(MACHINES["blocks of 1 record"]),
            [(replace(job[0], backward=False), None)],
            "never",
            1,
        )


def _late(keep: Any) -> Any:
    def wrong(self: ChannelUnit, m: Any) -> None:
        keep(self, m)
        with m.If(self._acts(Act.MEAN)):
            m.d.sync += self.found.dispersion.eq(self.long.value)

    return wrong


REFUSED = {
    "n": ({"pixels": 1 << 17}, Fault.COUNT),
    "running statistics": ({"share": 1}, Fault.COUNT),
    "norm": ({"norm": 249}, Fault.ADDRESS),
    "chunk": ({"chunk": 249}, Fault.ADDRESS),
    "moments": ({"moments": 57}, Fault.ADDRESS),
    "scale": ({"scale": 256, "backward": True}, Fault.ADDRESS),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    """And what is beside it is not."""
    walk = ChannelWalk(MACHINES["blocks of 1 record"])
    fields, fault = REFUSED[name]
    good = Channel(pixels=100, norm=248, chunk=248, moments=56, scale=255)

    async def body(simulation: Simulation) -> None:
        simulation.sink("moment_reads")
        value = command_value(good, None) | {each: int(value) for each, value in fields.items()}
        simulation.source("tasks", value | {"index": 77})
        faults = []
        for _ in range(30):
            if simulation.get("fault"):
                faults.append((simulation.get("fault"), simulation.get("index")))
            assert not simulation.get("moment_reads", "valid")
            await simulation.tick()
        assert faults == [(fault, 77)]
        assert not simulation.get("tasks", "ready")

    async def passes(simulation: Simulation) -> None:
        reads = simulation.sink("moment_reads")
        simulation.source("tasks", command_value(good, None))
        await simulation.until(lambda: reads.items)
        assert not simulation.get("fault") and reads.items == [56]

    simulate(walk, body)
    simulate(ChannelWalk(MACHINES["blocks of 1 record"]), passes)
