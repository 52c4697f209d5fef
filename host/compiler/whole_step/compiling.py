"""The program of a whole training step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import starmap

from fractrain.host.compiler.whole_step.backward import BackwardChunk
from fractrain.host.compiler.whole_step.chip import LARGE, PEAKS, Chip
from fractrain.host.compiler.whole_step.chunk import StageWriter
from fractrain.host.compiler.whole_step.convolving import TENSORS, plane_words
from fractrain.host.compiler.whole_step.durations import Durations
from fractrain.host.compiler.whole_step.encoding import encode_many
from fractrain.host.compiler.whole_step.entering import ChunkPhases
from fractrain.host.compiler.whole_step.forward import ForwardChunk
from fractrain.host.compiler.whole_step.grids import stage_grids
from fractrain.host.compiler.whole_step.groups import Group, Stretch, groups_of
from fractrain.host.compiler.whole_step.limits import check_limits, check_peaks
from fractrain.host.compiler.whole_step.memory_map import PEAK_BYTES, MemoryMap, Region
from fractrain.host.compiler.whole_step.network import Block, ResidualNetwork
from fractrain.host.compiler.whole_step.ordering import in_order
from fractrain.host.compiler.whole_step.overlap import Overlap
from fractrain.host.compiler.whole_step.recognizing import recognize
from fractrain.host.compiler.whole_step.refusal import DoesNotFit
from fractrain.host.compiler.whole_step.tables import usual_tables
from fractrain.host.compiler.whole_step.weights import Quantizing, Updating, weights_peak
from fractrain.host.compiler.whole_step.whole_step import Residency, WholeStep
from fractrain.host.graph.step import StepGraph
from fractrain.hw.contract.commands import COMMAND_BYTES, Report
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters


@dataclass(frozen=True)
class _Way:
    """How much is on the chip at a time, and where: ``in_flight`` chunks forward, ``overlap``
    backward; ``stages``: most in a group of gradients; ``early``: layers are updated before their
    group ends; ``lowest``: memories of which the lowest words are taken, so that long pieces
    stay."""

    lowest: Sequence[str]
    in_flight: int = 2
    overlap: Overlap = Overlap()
    stages: int = 1
    early: bool = True


LOWEST: list[Sequence[str]] = [(), ("staging",), LARGE]
FORWARD = [_Way(lowest, count) for count in (2, 1) for lowest in LOWEST]
OVERLAPS = [
    (*both, ahead)
    for both in ((True, True), (False, True), (True, False), (False, False))
    for ahead in (True, False)
]
SPANNED = 3, 2, 1
BACKWARD = [
    _Way(lowest, overlap=overlap, stages=stages, early=early)
    for overlap in starmap(Overlap, OVERLAPS)
    for stages in SPANNED
    for early in (True, False)
    for lowest in LOWEST
]
"""The better first. With less on the chip the same numbers come out, later."""


def compile_whole_step(p: Parameters, graph: StepGraph, base_address: int = 0) -> WholeStep:
    """The program of ``graph``, a training step in integers, for memory from ``base_address`` on.

    Raises `DoesNotFit` for a machine without a vector unit, for a network that is no residual
    network, and for one that needs more of a memory than there is.
    """
    network = recognize(graph)
    check_limits(p, network)
    grids = stage_grids(p, network)
    memory = MemoryMap(p, network, grids, base_address)
    groups = {each: groups_of(p, memory, each) for each in SPANNED}
    peaks = memory.add_peaks(_Compilation.place_peaks(Chip(p), network))
    check_peaks(p, peaks.size // PEAK_BYTES)
    forward = backward = 0
    while True:
        made = _Compilation(p, memory, groups, peaks)
        try:
            made.forward(FORWARD[forward])
        except DoesNotFit:
            forward += 1
            if forward == len(FORWARD):
                raise
            continue
        try:
            made.backward(BACKWARD[backward])
            break
        except DoesNotFit:
            backward += 1
            if backward == len(BACKWARD):
                raise
    overlap = BACKWARD[backward].overlap
    residency = Residency(FORWARD[forward].in_flight, overlap.next_chunk, overlap.next_segment)
    return made.finish(residency)


class _Compilation:
    """One way to write it."""

    def __init__(
        self,
        p: Parameters,
        memory: MemoryMap,
        groups: Mapping[int, Sequence[Group]],
        peaks: Region,
    ) -> None:
        self.p, self.memory, self.network = p, memory, memory.network
        self.groups = groups
        self.peaks, self.chip = peaks, Chip(p)
        self.writers = [StageWriter(self.chip, memory, each) for each in self.network.stages]
        self.sections: list[tuple[int, str]] = []
        self.place_peaks(self.chip, self.network)

    @staticmethod
    def place_peaks(chip: Chip, network: ResidualNetwork) -> int:
        """Words of all peaks, each of which has its place from now on."""
        for layer in network.layers:
            for operation in (layer.narrow, layer.apply):
                chip.peak(operation.name)
            chip.peak(weights_peak(layer), 2)
        for segment in network.segments:
            insides = (segment.inside, segment.inside_join) if isinstance(segment, Block) else ()
            for each in (*insides, segment.output.form, segment.output.join):
                chip.peak(each.name)
        return chip.peak_words

    # -- forward ---------------------------------------------------------------------------

    def forward(self, way: _Way) -> None:
        """Peaks are cleared, all chunks of each stage formed, weights quantized ahead of them."""
        self.chip.use(way.lowest)
        self.chip.planes.step = 0
        self._report()
        weights = Quantizing(self.writers[0], self.network.segments)
        for writer in self.writers:
            self._begin_section(f"forward, {writer.stage.name}")
            chunks = (ForwardChunk(writer, n, weights).phases() for n in range(len(writer.chunks)))
            _take_turns(chunks, way.in_flight)

    def _report(self) -> None:
        """Peaks go to memory, and are 0."""
        words = self.chip.peak_words
        command = Report(address=self.peaks.address, blocks=self.peaks.size // self.p.block_bytes)
        self.chip.add(command, writes=[(PEAKS, 0, words), ("report", 0, 1)])

    # -- backward --------------------------------------------------------------------------

    def backward(self, way: _Way) -> None:
        """Group by group, and in each chunk by chunk; weights descend behind their gradients."""
        self.chip.use(way.lowest)
        self.chip.planes.step = self._step() if way.overlap.recalls_ahead else 0
        updating = Updating(self.writers[0], early=way.early)
        chunks = [
            each for group in self.groups[way.stages] for each in self._chunks(group, updating, way)
        ]
        tasks = [ChunkPhases(each) for _, each in chunks]
        begun: Group | None = None
        for place, ((group, chunk), task) in enumerate(zip(chunks, tasks, strict=True)):
            if group is not begun:
                self._begin_section(f"back to {group.name}")
                begun = group
            following = None
            if way.overlap.next_chunk and place + 1 < len(tasks):
                following = tasks[place + 1]
                after = chunks[place + 1][1]
                if way.overlap.recalls_ahead and (after is chunk.onward or after.is_apart(chunk)):
                    chunk.following = following
            task.enter()
            updating.begin(group)
            task.go_on()
            if following is not None and chunk.following is None:
                following.enter()
            task.go_on()
            if following is not None:
                following.enter()
        updating.write()
        self._report()

    def _step(self) -> int:
        """Words of the longest tensor of a chunk, if `TENSORS` of them fit."""
        slots, longest = self.network.graph.slots, 0
        for writer in self.writers:
            for layer in (each for seg in writer.stage.segments for each in seg.layers):
                bits = max(slots[layer.slot].widest.activation, slots[layer.slot].widest.error)
                layout = writer.grid.layout(len(writer.chunks[0]), bits)
                longest = max(longest, plane_words(layout))
        return longest if TENSORS * longest <= self.p.buffers.plane_words else 0

    def _chunks(
        self, group: Group, updating: Updating, way: _Way
    ) -> Iterator[tuple[Group, BackwardChunk]]:
        """Those of the first stretch, each followed by those of the next one that it is made of;
        the first of these goes on with its E."""

        def made(stretch: Stretch, number: int) -> BackwardChunk:
            stage = stretch.stage.number
            below = self.writers[stage - 1] if stage else None
            return BackwardChunk(self.writers[stage], below, stretch, number, updating, way.overlap)

        def follow(chunk: BackwardChunk, stretches: Sequence[Stretch]) -> Iterator[BackwardChunk]:
            yield chunk
            if not stretches:
                return
            images = self.writers[stretches[0].stage.number].chunks
            below = [
                made(stretches[0], number)
                for number, each in enumerate(images)
                if each.start in chunk.images
            ]
            chunk.onward = below[0]
            for each in below:
                yield from follow(each, stretches[1:])

        first, *others = group.stretches
        for number in range(len(self.writers[first.stage.number].chunks)):
            for each in follow(made(first, number), others):
                yield group, each

    def _begin_section(self, name: str) -> None:
        self.sections.append((len(self.chip.recording), name))

    # -- all of it -------------------------------------------------------------------------

    def finish(self, residency: Residency) -> WholeStep:
        durations = Durations(self.p, *usual_tables(self.network.graph))
        program = in_order(self.chip.recording.entries, durations)
        commands = program.commands
        sections = [(program.first_pass(first), name) for first, name in self.sections]
        try:
            encoded = encode_many(commands)
        except ParameterError as error:
            raise DoesNotFit(f"{error.name} of a whole step", error.given, error.allowed) from None
        region = self.memory.add(len(commands) * COMMAND_BYTES)
        return WholeStep(
            self.p,
            self.memory,
            tuple(commands),
            encoded,
            region.address,
            self.peaks,
            self.chip.peaks,
            residency,
            self.chip.held,
            tuple(sections),
        )


def _take_turns(ways: Iterator[Iterator[None]], count: int) -> None:
    """``count`` of ``ways`` at a time, a phase of each in turn."""
    running: list[Iterator[None] | None] = [next(ways, None) for _ in range(count)]
    while any(each is not None for each in running):
        for place, each in enumerate(running):
            while each is not None and next(each, True) is True:
                each = running[place] = next(ways, None)
