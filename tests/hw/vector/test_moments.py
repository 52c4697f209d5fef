"""Moments of both users at once: every sum, in the memory when it is said to be there."""

from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Cat, Signal, Value, ValueLike

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.vector.moments import MOMENT_BITS, MomentUnit, moment_line, moment_pair
from tests.hw.machines import machine
from tests.hw.refusals import assert_refused
from tests.hw.vector.beats import ends_and_random, pack
from tests.hw.vector.machines import machine_with_unit
from tests.hw.verilator import Player, primitive_models

WORDS = 64
CASES = {
    "plain": (machine_with_unit(), False),
    "primitives": (machine_with_unit(), True),
    "x̂ of 16 bits": (machine_with_unit(side_bits=16), False),
}
Line = dict[str, Any]


@pytest.fixture(scope="module", params=list(CASES))
def unit(request: pytest.FixtureRequest) -> tuple[MomentUnit, Player]:
    parameters, primitives = CASES[request.param]
    made = MomentUnit(parameters, primitives=primitives)
    models = primitive_models() if primitives else ""
    name = f"vector_moments_{list(CASES).index(request.param)}"
    return made, Player(made, name, models=models)


def command(rng: np.random.Generator, p: Parameters, user: int, large: bool) -> list[Line]:
    """Lines of a command: of random channels in random order, each once or more."""
    assert p.vector is not None
    channels = p.block.channels
    order = rng.permutation(np.repeat(np.arange(channels), rng.integers(1, 4)))
    alone = rng.random() < 0.4  # each line by itself, as close as they may be
    if alone:
        order = np.tile(rng.permutation(channels)[: MomentUnit.APART_CYCLES], 5)
    half = 1 << p.vector.side_bits - 1
    # the users' places are apart, as tokens keep them
    moments = int(rng.integers(0, WORDS // 2 // channels)) * channels + user * WORDS // 2
    start, correlate = rng.integers(0, 2, 2)
    lines: list[Line] = []
    for place, channel in enumerate(order):
        low, high = (-(1 << 15), (1 << 15) - 1)
        numbers = ends_and_random(rng, low, high, p.array.rows)
        normalized = ends_and_random(rng, -half, half - 1, p.array.rows)
        lines.append(
            {
                "numbers": np.full_like(numbers, low) if large else numbers,
                "normalized": np.full_like(normalized, -half) if large else normalized,
                "correlate": correlate,
                "channel": channel,
                "first": int(alone or channel not in order[:place]),
                "last": int(alone or channel not in order[place + 1 :]),
                "moments": moments,
                "start": int(start and (not alone or channel not in order[:place])),
            }
        )
    return lines


def paced(rng: np.random.Generator, p: Parameters, user: int, count: int, gap: int) -> list[Any]:
    """Lines by cycle, None in between; a channel's last lines of two commands are apart."""
    cycles: list[Any] = []
    for number in range(count):
        for line in command(rng, p, user, large=number == 0):
            alone = line["first"] and line["last"]
            cycles += [None] * (0 if alone else int(rng.integers(0, 3))) + [line]
        cycles += [None] * gap
    return cycles


class Run:
    """Plays lines and reads, and follows what the memory must hold."""

    def __init__(self, unit: MomentUnit, player: Player, seed: int) -> None:
        self.unit, self.p = unit, unit.parameters
        rng = np.random.default_rng(seed)
        first = {
            "numbers": np.zeros(self.p.array.rows, np.int64),
            "normalized": np.zeros(self.p.array.rows, np.int64),
            "correlate": 0, "channel": 0, "first": 1, "last": 1, "moments": 0, "start": 1,
        }  # fmt: skip
        cleared = [first | {"moments": address} for address in range(WORDS)]
        gap = unit.latency_cycles
        of_result = cleared + [None] * gap + paced(rng, self.p, 0, 12, gap)
        waiting = paced(rng, self.p, 1, 10, gap)
        of_vector: list[Any] = [None] * (WORDS + gap)
        self.taken: list[tuple[int, int, Line]] = [
            (cycle, 0, line) for cycle, line in enumerate(of_result) if line
        ]
        # an offer stays until the result stage has no line
        while waiting:
            line = waiting.pop(0)
            while line and len(of_vector) < len(of_result) and of_result[len(of_vector)]:
                of_vector.append(line)
            if line:
                self.taken.append((len(of_vector), 1, line))
            of_vector.append(line)
        self.cycles = max(len(of_result), len(of_vector)) + 2 * gap + WORDS
        reads = rng.integers(0, WORDS, self.cycles)
        reads[-WORDS:] = np.arange(WORDS)
        asks = (rng.random(self.cycles) < 0.7) | (np.arange(self.cycles) >= self.cycles - WORDS)
        self.reads = reads
        self.found = player.play(
            result_valid=self._valid(of_result),
            result=self._packed(of_result, first),
            lines__valid=self._valid(of_vector),
            lines__payload=self._packed(of_vector, first),
            reads__valid=asks.astype(np.int64),
            reads__payload=reads,
        )
        self.granted = asks & (self.found["reads__ready"] == 1)

    def _valid(self, lines: list[Any]) -> np.ndarray:
        valid = np.zeros(self.cycles, np.int64)
        valid[: len(lines)] = [line is not None for line in lines]
        return valid

    def _packed(self, lines: list[Any], nothing: Line) -> np.ndarray:
        full = [line or nothing for line in lines] + [nothing] * (self.cycles - len(lines))
        columns = {name: np.array([line[name] for line in full]) for name in nothing}
        return pack(columns, moment_line(self.p), self.cycles)

    def writes(self) -> list[tuple[int, int, int, tuple[int, int]]]:
        """Cycle from which on a read finds them, user, address, sums of a command and ``start``
        applied to what is there."""
        sums: dict[tuple[int, int], list[int]] = {}
        done = []
        for cycle, user, line in sorted(self.taken, key=lambda each: each[0]):
            key = user, int(line["channel"])
            total, product = (0, 0) if line["first"] else sums[key]
            numbers = line["numbers"].tolist()
            factors = line["normalized"].tolist() if line["correlate"] else numbers
            total += sum(numbers)
            product += sum(v * x for v, x in zip(numbers, factors, strict=True))
            sums[key] = [total, product]
            if line["last"]:
                address = int(line["moments"]) + key[1]
                there = cycle + self.unit.latency_cycles
                done.append((there, user, address, (total, product), bool(line["start"])))
        return done

    def check(self) -> None:
        memory = [(0, 0)] * WORDS
        pending = sorted(self.writes(), key=lambda each: each[0])
        begun = WORDS + self.unit.latency_cycles
        for cycle in range(self.cycles - self.unit.READ_CYCLES):
            while pending and pending[0][0] <= cycle:
                _, _, address, sums, start = pending.pop(0)
                old = (0, 0) if start else memory[address]
                memory[address] = (old[0] + sums[0], old[1] + sums[1])
            at = cycle + self.unit.READ_CYCLES
            assert self.found["answer"][at] == self.granted[cycle]
            if self.granted[cycle] and cycle >= begun:
                word = int.from_bytes(self.found["data"][at].tobytes(), "little")
                pair = moment_pair().from_bits(word)
                assert (pair.total, pair.product) == tuple(
                    (each + (1 << MOMENT_BITS - 1)) % (1 << MOMENT_BITS) - (1 << MOMENT_BITS - 1)
                    for each in memory[self.reads[cycle]]
                )
        assert not pending and self.granted[-WORDS:].all()
        self._check_busy()

    def _check_busy(self) -> None:
        for user in range(2):
            wanted = np.zeros(self.cycles, bool)
            for there, whose, *_ in self.writes():
                if whose == user:
                    wanted[there - self.unit.latency_cycles + 1 : there] = True
            assert np.array_equal(self.found["busy"] >> user & 1, wanted)


@pytest.mark.parametrize("seed", range(4))
def test_two_users(unit: tuple[MomentUnit, Player], seed: int) -> None:
    Run(*unit, seed).check()


def _without_user(*parts: ValueLike) -> Value:
    return (
        Cat(parts[0], 0)
        if isinstance(parts[-1], Signal) and parts[-1].name == "user"
        else Cat(*parts)
    )


def test_sums_that_are_added_to_others_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both users' sums of a channel in one place."""
    monkeypatch.setattr("fractrain.hw.vector.moments.Cat", _without_user)
    made = MomentUnit(machine_with_unit())
    with pytest.raises(AssertionError):
        Run(made, Player(made, "vector_moments_mixed"), 0).check()


def test_refusals() -> None:
    assert_refused(lambda: MomentUnit(machine()), "no vector unit")
