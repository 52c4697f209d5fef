"""The machine while a program is written: its memories, its tables, its command stream."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from fractrain.host.compiler.whole_step.arena import Arena, Policy
from fractrain.host.compiler.whole_step.changing import changed
from fractrain.host.compiler.whole_step.recording import Recording
from fractrain.host.compiler.whole_step.refusal import require_vector_unit
from fractrain.host.compiler.whole_step.stream import Span
from fractrain.hw.contract.commands import SHAPES, Command, Convolve, Pattern, Shape
from fractrain.hw.contract.parameters import Parameters

MEMORIES = ("planes", "columns", "staging", "side", "records", "moments", "gradients")
LARGE = ("staging", "side", "planes", "columns")
PEAKS = "peaks"


class Chip:
    """Members: an `Arena` for each of `MEMORIES` by its name, and for the
    ``patterns`` and ``shapes``; the
    ``recording`` of commands; places of ``peaks`` by what they are of, ``peak_words`` in all."""

    def __init__(self, p: Parameters) -> None:
        vector = require_vector_unit(p)
        self.p, self.recording = p, Recording()
        self.planes = Arena("plane memory", p.buffers.plane_words)
        self.columns = Arena("column memory", p.buffers.column_words)
        # two lines are a word of the machine, so tensors begin with an even one
        self.staging = Arena("staging memory", vector.staging_words, "lines", grain=2)
        self.side = Arena("side memory", vector.side_words, "lines", grain=2)
        self.records = Arena("parameter memory", vector.parameter_words, "records")
        self.moments = Arena("moments", vector.moment_words, "channels")
        self.gradients = Arena("gradient memory", p.buffers.gradient_words, "beats")
        self.patterns = Arena("pattern table", p.buffers.patterns, "entries")
        self.shapes = Arena("shape table", SHAPES, "entries")
        self.peaks: dict[str, int] = {}
        self.peak_words = 0
        self._numbers: dict[tuple[Pattern, ...], int] = {}
        self._known: dict[int, tuple[tuple[Pattern, ...], int]] = {}

    def use(self, lowest: Collection[str]) -> None:
        """Choose the ``lowest`` words of some large memories, and the oldest of the others."""
        for name in LARGE:
            policy = Policy.LOWEST if name in lowest else Policy.OLDEST
            getattr(self, name).policy = policy

    @property
    def held(self) -> dict[str, int]:
        """Most words of each memory that were held at a time."""
        return {name: getattr(self, name).most for name in MEMORIES}

    def add(
        self,
        command: Command,
        reads: Iterable[Span] = (),
        writes: Iterable[Span] = (),
        *,
        wait_host: bool = False,
        signal_host: bool = False,
    ) -> None:
        self.recording.add(command, reads, writes, wait_host=wait_host, signal_host=signal_host)

    def convolve(
        self, command: Convolve, patterns: tuple[Pattern, ...], reads: Iterable[Span]
    ) -> None:
        """``command`` with its reads, which are written where they are not in the table."""
        key = self._number_of(patterns)
        first = self.patterns.find(key)
        if first is None:
            first = self.patterns.take(len(patterns))
            for number, each in enumerate(patterns):
                self.recording.add(changed(each, entry=first + number))
            self.patterns.give(first, key)
        self.recording.add(changed(command, pattern=first), reads)

    def _number_of(self, patterns: tuple[Pattern, ...]) -> int:
        """Equal patterns have one number. Most are the very same objects, which are not compared
        again."""
        known = self._known.get(id(patterns))
        if known is None:
            number = self._numbers.setdefault(patterns, len(self._numbers))
            known = self._known[id(patterns)] = patterns, number
        return known[1]

    def peak(self, name: str, words: int = 1) -> int:
        """Place of the peak of ``name``, the same every time."""
        if name not in self.peaks:
            self.peaks[name] = self.peak_words
            self.peak_words += words
        return self.peaks[name]

    def shape(self, shape: Shape) -> int:
        """Entry of the shape table, whose number ``shape`` leaves open; written if it is no longer
        there."""
        entry = self.shapes.find(shape)
        if entry is None:
            entry = self.shapes.take(1)
            self.recording.add(changed(shape, entry=entry))
            self.shapes.give(entry, shape)
        return entry
