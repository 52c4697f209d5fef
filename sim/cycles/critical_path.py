"""Which unit the others waited for: the way back from the end of a program, along whatever let each
command begin."""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fractrain.hw.contract.commands import SIGNAL, STAGES, WAIT, Command, Stage, opcode_of
from fractrain.sim.cycles.times import NEVER, Times

AT_ONCE = 40.0
"""A pass that begins so soon behind the gate waited for the gate, not for the pass before."""
NEAR = 1.0


@dataclass(frozen=True)
class Part:
    """From ``start`` to ``end`` the program waited for ``command`` of ``stage``, where it did
    ``what``."""

    start: float
    end: float
    command: int
    stage: Stage
    what: str


def critical_path(commands: Sequence[Command], times: Sequence[Times]) -> list[Part]:
    """Parts from the end of the program to its beginning, one behind the other."""
    return _Walk(commands, times).parts()


class _Walk:
    def __init__(self, commands: Sequence[Command], times: Sequence[Times]) -> None:
        self._commands, self._times = commands, times
        self._stages = [opcode_of(each).stage for each in commands]
        self._before = _before(self._stages)
        self._givers = _givers(commands, self._stages)
        self._numbers = [n for n, stage in enumerate(self._stages) if stage is not None]
        self._passes = [
            n
            for n in self._numbers
            if self._stages[n] is Stage.EXECUTE and times[n].started != NEVER
        ]
        self._starts = [times[n].started for n in self._passes]
        self._pass_before = dict(zip(self._passes[1:], self._passes, strict=False))

    def parts(self) -> list[Part]:
        number = max(self._numbers, key=lambda n: self._times[n].ended)
        time = self._times[number].ended
        found: list[Part] = []
        while True:
            step = self._step(number, time)
            part, following = step
            if part.end > part.start:
                found.append(part)
            time = min(time, part.start)
            if following is None:
                return found
            number = following

    # -- one command -----------------------------------------------------------------------

    def _step(self, number: int, time: float) -> tuple[Part, int | None]:
        """What was waited for until ``time``, and the command that was before."""
        stage = self._stages[number]
        assert stage is not None
        times = self._times[number]
        if stage is Stage.EXECUTE and times.started != NEVER:
            begin, before = self._execute(number)
            what = "passes"
        elif stage is Stage.RESULT and times.fed != NEVER and times.fed < time:
            begin, before, what = times.fed, self._convolving(times.fed), "lines"
        elif stage is Stage.FETCH:
            begin, before = self._fetch(number)
            what = "words"
        else:
            begin, before = self._gate(number)
            what = "commands"
        begin = min(begin, time)
        return Part(begin, time, number, stage, what), before

    def _execute(self, number: int) -> tuple[float, int | None]:
        times, last = self._times[number], self._pass_before.get(number)
        if last is None or times.started - times.begun <= AT_ONCE < (
            times.started - self._times[last].worked
        ):
            return self._gate(number)
        return times.started, last

    def _fetch(self, number: int) -> tuple[float, int | None]:
        """Words come in the order of the commands."""
        times, last = self._times[number], self._before[number]
        if last is not None and self._times[last].ended > times.begun:
            return self._times[last].ended, last
        return self._gate(number)

    def _convolving(self, time: float) -> int | None:
        place = bisect.bisect_right(self._starts, time) - 1
        return self._passes[max(place, 0)] if self._passes else None

    def _gate(self, number: int) -> tuple[float, int | None]:
        """Whether a token, the command before or the command stream came last."""
        times = self._times[number]
        if times.begun > times.ready + NEAR and self._givers[number]:
            return times.begun, max(self._givers[number], key=lambda n: self._times[n].ended)
        last = self._before[number]
        if times.queued >= times.ready - NEAR or last is None:
            return self._queued(number)
        return times.begun, last

    def _queued(self, number: int) -> tuple[float, int | None]:
        """The latest command that had to wait for its queue, and what freed that."""
        begin = self._times[number].begun
        for each in range(number, -1, -1):
            if self._times[each].full:
                queued, last = self._times[each].queued, self._before[each]
                while last is not None and self._times[last].begun > queued + NEAR:
                    last = self._before[last]
                return begin, last
        return begin, None


def _before(stages: Sequence[Stage | None]) -> list[int | None]:
    """The command before each in its stage."""
    last: dict[Stage, int] = {}
    found: list[int | None] = []
    for number, stage in enumerate(stages):
        found.append(None if stage is None else last.get(stage))
        if stage is not None:
            last[stage] = number
    return found


def _givers(commands: Sequence[Command], stages: Sequence[Stage | None]) -> list[list[int]]:
    """Commands whose tokens each one takes; the host's are nobody's."""
    given: dict[tuple[Stage, Stage], deque[int]] = {}
    found: list[list[int]] = []
    for number, (command, stage) in enumerate(zip(commands, stages, strict=True)):
        takes: list[int] = []
        if stage is not None:
            for source in _named(WAIT[stage], command.wait):
                if source in STAGES:
                    takes.append(given[source, stage].popleft())
            for target in _named(SIGNAL[stage], command.signal):
                given.setdefault((stage, target), deque()).append(number)
        found.append(takes)
    return found


def _named(parties: Sequence[Stage], bits: int) -> Iterator[Stage]:
    return (each for bit, each in enumerate(parties) if bits >> bit & 1)
