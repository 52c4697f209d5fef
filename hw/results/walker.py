"""Walks through the tiles and beats of STORE tasks, one beat per step."""

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.results.layouts import beat_facts, store_task

__all__ = ["TileWalker"]


class TileWalker(wiring.Component):
    """Gives each beat its facts: what happens to it.

    Members
    -------
    tasks : In(stream of `store_task`)
    available : In(1)        there is a beat
    stop : In(1)             begin nothing more
    calm : In(1)             a cycle ago the pipeline behind was empty
    claim : Out(1)           a beat is taken
    begun : Out(stream of `beat_facts`)     a beat, or the mark of a skipped task, which has no beat
                             and is the end of its task
    busy : Out(1)            a task is at work

    Timing: a task's first beat is on offer `latency_cycles` after the task; a beat per cycle, also
    from tile to tile and from task to task.

    A sum is kept `GradientSum.LOOP_STEPS` beats after its word was read, so no word may come again
    earlier. Inside a task none comes twice. Tasks that begin at a multiple of that distance, with
    as many beats or more, are safe, too. A task that adds, if it or a task before it may not be
    safe (``odd``), begins only when the pipeline is empty, after a bubble of a few cycles.
    """

    latency_cycles = 1

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        super().__init__(
            {
                "tasks": In(stream.Signature(store_task(parameters))),
                "available": In(1),
                "stop": In(1),
                "calm": In(1),
                "claim": Out(1),
                "begun": Out(stream.Signature(beat_facts(parameters))),
                "busy": Out(1),
            }
        )
        self.task = Signal(store_task(parameters), reset_less=True)
        self.valid = Signal()
        self.first_beat = Signal()
        self.last_beat = Signal()
        self.tile_address = Signal.like(self.task.address, reset_less=True)
        self.gradient_address = Signal.like(self.begun.payload.gradient_address, reset_less=True)
        self.ends = {name: Signal(name=f"last_{name}") for name in ("x", "y", "image")}

    def elaborate(self, platform: object) -> Module:
        m = Module()
        careful = self._careful(m)
        begins, load = Signal(), Signal()
        tile_done, done = Signal(), Signal()
        tasks, begun = self.tasks, self.begun
        m.d.comb += [
            begun.valid.eq(self.valid & (self.available | self.task.skip) & ~careful & ~self.stop),
            begins.eq(begun.valid & begun.ready),
            self.claim.eq(begins & begun.payload.beat),
            tile_done.eq(begins & self.last_beat),
            done.eq(tile_done & begun.payload.end),
            load.eq(done | ~self.valid),
            tasks.ready.eq(load),
            self.busy.eq(self.valid),
        ]
        with m.If(load):
            m.d.sync += [self.valid.eq(tasks.valid), self.task.eq(tasks.payload)]
        self._count_beats(m, load, begins)
        self._count_tiles(m, load, tile_done)
        self._advance_addresses(m, load, begins, tile_done)
        self._describe(m)
        return m

    def _careful(self, m: Module) -> Value:
        """The task at work has to wait: until it is calm."""
        careful, odd_kept = Signal(), Signal()
        odd_keeps = self.task.keep & self.task.odd & self.valid
        new = self.tasks.payload
        with m.If(self.tasks.ready):
            m.d.sync += careful.eq(new.add & (new.odd | odd_keeps | odd_kept))
        with m.Elif(self.calm):
            m.d.sync += careful.eq(0)
        with m.If(odd_keeps):
            m.d.sync += odd_kept.eq(1)
        with m.Elif(self.calm):
            m.d.sync += odd_kept.eq(0)
        return careful

    def _count_beats(self, m: Module, load: Value, begins: Value) -> None:
        beats = self.parameters.beats_per_tile
        if beats == 1:
            m.d.comb += [self.first_beat.eq(1), self.last_beat.eq(1)]
            return
        left = Signal(range(beats))  # beats after this one
        with m.If(load):
            skip = self.tasks.payload.skip
            m.d.sync += [self.first_beat.eq(1), self.last_beat.eq(skip), left.eq(beats - 1)]
        with m.Elif(begins):
            m.d.sync += [
                self.first_beat.eq(self.last_beat),
                self.last_beat.eq(left == 1),
                left.eq(Mux(self.last_beat, beats - 1, left - 1)),
            ]

    def _count_tiles(self, m: Module, load: Value, tile_done: Value) -> None:
        """Three nested counts; each has the number that is left, this one included."""
        carry: Value = tile_done
        for name, end in self.ends.items():
            count, one = (
                ("images", "one_image") if name == "image" else (f"tiles_{name}", f"one_{name}")
            )
            left = Signal.like(self.task[count], name=f"left_{name}")
            with m.If(load):
                m.d.sync += [left.eq(self.tasks.payload[count]), end.eq(self.tasks.payload[one])]
            with m.Elif(carry):
                with m.If(end):
                    m.d.sync += [left.eq(self.task[count]), end.eq(self.task[one])]
                with m.Else():
                    m.d.sync += [left.eq(left - 1), end.eq(left == 2)]
            carry = carry & end

    def _advance_addresses(self, m: Module, load: Value, begins: Value, tile_done: Value) -> None:
        new = self.tasks.payload
        stride = self.task.tile_stride * Const(self.parameters.word_bytes)
        with m.If(load):
            m.d.sync += self.tile_address.eq(new.address)
        with m.Elif(tile_done):
            m.d.sync += self.tile_address.eq(self.tile_address + stride)
        with m.If(load):
            m.d.sync += self.gradient_address.eq(new.gradient_address)
        with m.Elif(begins):
            m.d.sync += self.gradient_address.eq(self.gradient_address + 1)

    def _describe(self, m: Module) -> None:
        facts, task = self.begun.payload, self.task
        ends = self.ends
        common = store_task(self.parameters).members.keys() & facts.shape().members.keys()
        own: dict[str, Value] = {
            "gradient_address": self.gradient_address,
            "address": self.tile_address,
            "outside": (task.outside_x & ends["x"].replicate(len(task.outside_x)))
            | (task.outside_y & ends["y"].replicate(len(task.outside_y))),
            "beat": ~task.skip,
            "first": self.first_beat,
            "last": self.last_beat,
            "end": self.last_beat & ends["x"] & ends["y"] & ends["image"],
        }
        for name in common - own.keys():
            own[name] = task[name]
        m.d.comb += [facts[name].eq(own[name]) for name in facts.shape().members]
