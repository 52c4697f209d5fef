"""Whole steps as programs of the compiler, on any machine with a vector unit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fractrain.host.compiler.whole_step import DoesNotFit, WholeStep, compile_whole_step
from fractrain.host.compiler.whole_step.memory_map import Region
from fractrain.host.compiler.whole_step.sheets import LATE
from fractrain.host.graph.machine_records import StepRecords, StepResults
from fractrain.host.graph.step import StepGraph
from fractrain.host.machine.vector_machine import StepLaunch, VectorMachine
from fractrain.host.machine_step.machine import Masters, PooledSums, StepOrder
from fractrain.host.machine_step.placing import RecordPlaces
from fractrain.host.machine_step.records import StepColumns
from fractrain.hw.contract.errors import MachineError, ParameterError
from fractrain.hw.contract.numerics import MULTIPLIER_BITS

Bytes = NDArray[np.uint8]

UPDATE_FACTORS = "gradient", "momentum", "decay", "rate"


@dataclass(frozen=True)
class _Compiled:
    graph: StepGraph
    step: WholeStep
    places: RecordPlaces


class CompiledMachine:
    """A `WholeStepMachine` of ``machine``.

    A graph is compiled when it is first asked for. The program of one is in memory at a time, with
    its weights: steps of other graphs (another number of images) take them along.
    """

    def __init__(self, machine: VectorMachine) -> None:
        self.machine = machine
        self._compiled: dict[int, tuple[StepGraph, _Compiled | DoesNotFit]] = {}
        self._current: _Compiled | None = None
        self._waiting: dict[str, Masters] | None = None
        """Weights that no memory has yet."""
        self._order: StepOrder | None = None
        """Of the program at work."""

    def refusal(self, graph: StepGraph) -> DoesNotFit | None:
        """Why steps of ``graph`` are no program of this machine; None if they are."""
        found = self._find(graph)
        return found if isinstance(found, DoesNotFit) else None

    def refuses(self, order: StepOrder) -> DoesNotFit | None:
        """Why this step is none of the machine's, though others of its graph are: an update has a
        factor beyond those that its multipliers take. None if it is."""
        least, updates = self.machine.least_update_shift, order.records.updates
        if least is None:
            return None
        for name in UPDATE_FACTORS:
            if f"{name}_mantissa" not in updates.fields:
                continue
            mantissas, shifts = (updates.fields[f"{name}_{part}"] for part in ("mantissa", "shift"))
            beyond = np.flatnonzero((mantissas != 0) & (shifts < least))
            if beyond.size:
                place = int(beyond[0])
                size = MULTIPLIER_BITS - 1 - int(np.broadcast_to(shifts, len(updates.keys))[place])
                given = f"2^{size} or more for {updates.keys[place]}"
                what = f"{name} factor of an update of a whole step"
                return DoesNotFit(what, given, f"below 2^{MULTIPLIER_BITS - least}")
        return None

    def compiled(self, graph: StepGraph) -> WholeStep:
        """The program of ``graph``; raises `DoesNotFit`."""
        return self._of(graph).step

    # -- weights ---------------------------------------------------------------------------

    def write_weights(self, weights: Mapping[str, Masters]) -> None:
        """New weights and momenta; memory gets them when a step begins."""
        self._waiting = dict(weights)

    def read_weights(self) -> Mapping[str, Masters]:
        """Those after the last step."""
        if self._waiting is not None:
            return self._waiting
        if self._current is None:
            raise MachineError("the machine was given no weights")
        step = self._current.step
        for place in step.memory.weights.values():
            self._seen(Region(place.master, 2 * place.velocity))
        weights, momenta = step.read_weights(self._memory(step))
        return {name: (weights[name], momenta[name]) for name in weights}

    # -- a step ----------------------------------------------------------------------------

    def forward(self, order: StepOrder) -> Iterator[PooledSums]:
        """Start the step; the pooled sums of each chunk when they are there."""
        self._abandon()
        compiled = self._of(order.graph)
        step = compiled.step
        self._enter(compiled)
        memory = self._memory(step)
        compiled.places.write(memory, order.records)
        self._written(*(region for _, region in step.memory.sheets.values()))
        step.pack_images(memory, order.images)
        self._written(Region(step.memory.pixels.address, step.memory.pixels.size))
        self.machine.start(self._launch(step, order))
        self._order = order
        for images in step.chunks:
            if not self.machine.wait():
                self._order = None
                raise MachineError(f"the step ended before it gave the sums of image {images[0]}")
            self._seen(_pooled(step, images))  # the machine may be at work on the others
            yield PooledSums(images.start, step.read_pooled(memory, images))

    def backward(self, errors: NDArray[np.int16], records: StepColumns) -> StepResults:
        """The way back and the updates."""
        if self._current is None or self._order is None:
            raise MachineError("the way back of a step that was not forward")
        step, table, places = self._current.step, self._order.table, self._current.places
        memory = self._memory(step)
        step.pack_error_lines(memory, errors.astype(np.int64))
        places.write(memory, records)
        self._written(step.memory.spread, step.memory.sheets[LATE][1])
        self.machine.give(1)
        more = self.machine.wait()
        if more:
            self._abandon()
            raise MachineError("the step gave the host a token behind its last chunk")
        self._order = None
        self._seen(*step.memory.pooled.values(), *step.memory.statistics.values(), step.peak_region)
        return step.read_results(memory, table)

    # -- programs --------------------------------------------------------------------------

    def _find(self, graph: StepGraph) -> _Compiled | DoesNotFit:
        known = self._compiled.get(id(graph))
        if known is None:
            known = self._compiled[id(graph)] = graph, self._compile(graph)
        return known[1]

    def _compile(self, graph: StepGraph) -> _Compiled | DoesNotFit:
        machine = self.machine
        try:
            step = compile_whole_step(machine.parameters, graph, machine.base_address)
        except DoesNotFit as refused:
            return refused
        try:
            machine.memory(step.memory_bytes)
        except ParameterError as error:
            return DoesNotFit(error.name, error.given, error.allowed)
        return _Compiled(graph, step, RecordPlaces(step))

    def _of(self, graph: StepGraph) -> _Compiled:
        found = self._find(graph)
        if isinstance(found, DoesNotFit):
            raise found
        return found

    def _enter(self, compiled: _Compiled) -> None:
        """Program and weights into memory, unless they are there; if that fails, they are not."""
        step = compiled.step
        if compiled is not self._current:
            self._waiting = dict(self.read_weights())
            self._current = None
            step.pack_program(self._memory(step))
            step.pack_records(self._memory(step), StepRecords())  # those that are always the same
            self._written(Region(step.program_address, step.encoded.nbytes))
            self._current = compiled
        if self._waiting is None:
            return
        step.pack_weights(
            self._memory(step),
            {name: each[0] for name, each in self._waiting.items()},
            {name: each[1] for name, each in self._waiting.items()},
        )
        for place in step.memory.weights.values():
            self._written(Region(place.master, 2 * place.velocity))
        self._waiting = None

    def _launch(self, step: WholeStep, order: StepOrder) -> StepLaunch:
        precisions, kept = step.tables(order.table)
        return StepLaunch(
            step.program_address,
            len(step.commands),
            step.memory_bytes,
            precisions,
            kept,
            order.seed,
            order.step,
        )

    def _abandon(self) -> None:
        """Stop a step that had no way back; its weights are as they were."""
        if self._order is not None:
            self._order = None
            self.machine.stop()

    # -- memory ----------------------------------------------------------------------------

    def _memory(self, step: WholeStep) -> Bytes:
        return self.machine.memory(step.memory_bytes)

    def _written(self, *regions: Region) -> None:
        for each in regions:
            self.machine.written(each.address - self.machine.base_address, each.size)

    def _seen(self, *regions: Region) -> None:
        for each in regions:
            self.machine.seen(each.address - self.machine.base_address, each.size)


def _pooled(step: WholeStep, images: range) -> Region:
    """Pooled sums of some images of the last segment."""
    memory = step.memory
    region = memory.pooled[memory.network.segments[-1].name]
    each = region.size // memory.images
    return Region(region.address + images.start * each, len(images) * each)
