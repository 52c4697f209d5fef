"""Where the words of a LOAD go, worked out ahead of their arrival."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import (
    FIELDS,
    GROUP_BITS,
    HALF_BLOCKS,
    NO_GROUP,
    Memory,
    Opcode,
)
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.fetch.requests import sum_bits
from fractrain.hw.flow.expander import Expander
from fractrain.hw.flow.layouts import CHIP_ADDRESS_BITS
from fractrain.hw.flow.stream_register import StreamRegister
from fractrain.hw.flow.tasks import command_view, digit_bits, field_bits, tail_bits

__all__ = ["LoadPlaces", "load_place", "load_target", "target_of"]

STRIDES = ("destination_digit_stride", "destination_run_stride")
COUNTS = ("runs", "words")


def load_target(parameters: Parameters) -> data.StructLayout:
    """What the write side needs of a LOAD before its words arrive."""
    names = ("destination", *STRIDES, *COUNTS, "memory", "transposed", "groups")
    return data.StructLayout(
        {
            **field_bits(Opcode.LOAD, *names),
            "digits": digit_bits(parameters),
            "tail": tail_bits(parameters),
            "skip": 1,
        }
    )


def target_of(task: data.View, parameters: Parameters) -> Value:
    """The `load_target` of a `stage_task`; a skipped one has a single word, which does not come."""
    command = command_view(Opcode.LOAD, task.command)
    parts: list[Value] = []
    for name in load_target(parameters).members:
        value = command[name] if name in FIELDS[Opcode.LOAD] else task[name]
        counted = name in (*COUNTS, "digits")
        parts.append(Mux(task.skip, 1, value)[: len(value)] if counted else value)
    return Cat(parts)


def load_place(parameters: Parameters) -> data.StructLayout:
    """Where the next word goes.

    address : of the word in its memory
    columns, transposed : of the LOAD
    low, high : the half is kept, in lane group ``low_group``, ``high_group``; not in planes
    both : ``low & high``
    planes : the planes that exist; the others are replaced by zeros
    takes : a word comes, and nothing is wrong with its place
    refused : the word would be written beyond the memory
    skip : no word comes, a task without words ends
    last : the last word of its task
    """
    flags = ("columns", "transposed", "low", "high", "both")
    fates = ("takes", "refused", "skip", "last")
    return data.StructLayout(
        {
            "address": CHIP_ADDRESS_BITS,
            **dict.fromkeys(flags + fates, 1),
            "low_group": GROUP_BITS,
            "high_group": GROUP_BITS,
            "planes": parameters.array.spatial_bits,
        }
    )


class LoadPlaces(wiring.Component):
    """For every word of a LOAD, its place.

    Members
    -------
    targets : In(stream of `load_target`)
    places : Out(stream of `load_place`)

    Timing: a place per cycle, ``latency_cycles`` after its target, without a gap between targets.
    """

    LOOPS = 3
    latency_cycles = LOOPS * (Expander.latency_cycles + StreamRegister.latency_cycles) + 2

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        address = sum_bits(parameters, CHIP_ADDRESS_BITS, *STRIDES)
        target = load_target(parameters).members
        digit_stride, run_stride = STRIDES
        common = {
            "address": address,
            **{name: target[name] for name in ("memory", "transposed", "groups", "skip")},
        }
        runs = {run_stride: target[run_stride], **{name: target[name] for name in COUNTS}}
        ahead = {"planes": parameters.array.spatial_bits, "kept": HALF_BLOCKS, "final": 1}
        self.digit = data.StructLayout(
            {**common, **runs, digit_stride: target[digit_stride], "tail": target["tail"]}
        )
        self.run = data.StructLayout({**common, **runs, **ahead})
        self.word = data.StructLayout(
            {**common, **ahead, "step": 1, "pair": range(HALF_BLOCKS // 2)}
        )
        self.unchecked = data.StructLayout({**load_place(parameters).members, "sum": address})
        super().__init__(
            {
                "targets": In(stream.Signature(load_target(parameters))),
                "places": Out(stream.Signature(load_place(parameters))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        runs_bits, words_bits = field_bits(Opcode.LOAD, *COUNTS).values()
        digit_stride, run_stride = STRIDES
        digits = Expander(self.digit, digit_bits(self.parameters), {"address": digit_stride})
        runs = Expander(self.run, runs_bits, {"address": run_stride})
        words = Expander(self.word, words_bits, {"address": "step", "pair": 1})
        digit_done = StreamRegister(runs.i.payload.shape())
        run_done = StreamRegister(words.i.payload.shape())
        found = StreamRegister(self.unchecked)
        leaving = StreamRegister(load_place(self.parameters))
        m.submodules.digits, m.submodules.digit_done = digits, digit_done
        m.submodules.runs, m.submodules.run_done = runs, run_done
        m.submodules.words, m.submodules.found = words, found
        m.submodules.exit = leaving
        self._enter(m, digits)
        self._look_ahead(m, digits, digit_done)
        wiring.connect(m, digit_done.o, runs.i)
        self._begin_run(m, runs, run_done)
        wiring.connect(m, run_done.o, words.i)
        self._find(m, words, found)
        self._check(m, found, leaving)
        wiring.connect(m, leaving.o, wiring.flipped(self.places))
        return m

    def _enter(self, m: Module, digits: Expander) -> None:
        target, item = self.targets.payload, digits.i.payload.item
        for name in self.digit.members:
            m.d.comb += item[name].eq(target["destination" if name == "address" else name])
        m.d.comb += [
            digits.i.payload.count.eq(target.digits),
            digits.i.valid.eq(self.targets.valid),
            self.targets.ready.eq(digits.i.ready),
        ]

    def _pass_on(self, m: Module, outer: Expander, inner: StreamRegister) -> None:
        """Connect two loops, as far as the items have the same fields."""
        source, target = outer.o.payload.item, inner.i.payload.item
        for name in target.shape().members:
            if name in source.shape().members and name != "final":
                m.d.comb += target[name].eq(source[name])
        m.d.comb += [inner.i.valid.eq(outer.o.valid), outer.o.ready.eq(inner.i.ready)]

    def _look_ahead(self, m: Module, digits: Expander, done: StreamRegister) -> None:
        """What all words of a digit have in common."""
        digit, last, run = digits.o.payload.item, digits.o.payload.last, done.i.payload
        groups = [digit.groups.word_select(half, GROUP_BITS) for half in range(HALF_BLOCKS)]
        columns = digit.memory == Memory.COLUMNS
        self._pass_on(m, digits, done)
        m.d.comb += [
            run.count.eq(digit.runs),
            run.item.final.eq(last),
            run.item.kept.eq(Cat((group != NO_GROUP) & columns for group in groups)),
        ]
        for plane in range(self.parameters.array.spatial_bits):
            m.d.comb += run.item.planes[plane].eq(~last | (plane < digit.tail))

    def _begin_run(self, m: Module, runs: Expander, done: StreamRegister) -> None:
        run, word = runs.o.payload, done.i.payload
        self._pass_on(m, runs, done)
        m.d.comb += [
            word.count.eq(run.item.words),
            word.item.step.eq(run.item.memory == Memory.PLANES),
            word.item.pair.eq(0),
            word.item.final.eq(run.item.final & run.last),
        ]

    def _find(self, m: Module, words: Expander, found: StreamRegister) -> None:
        """The pair of lane groups of every word."""
        item, place = words.o.payload.item, found.i.payload
        groups = item.groups.word_select(item.pair, 2 * GROUP_BITS)
        kept = item.kept.word_select(item.pair, 2)
        m.d.comb += [
            place.sum.eq(item.address),
            place.columns.eq(item.memory == Memory.COLUMNS),
            place.transposed.eq(item.transposed),
            place.low.eq(kept[0]),
            place.high.eq(kept[1]),
            place.skip.eq(item.skip),
            place.last.eq(item.final & words.o.payload.last),
            place.low_group.eq(groups[:GROUP_BITS]),
            place.high_group.eq(groups[GROUP_BITS:]),
            place.planes.eq(item.planes),
            found.i.valid.eq(words.o.valid),
            words.o.ready.eq(found.i.ready),
        ]

    def _check(self, m: Module, found: StreamRegister, leaving: StreamRegister) -> None:
        """A register behind the comparisons, then the verdict.

        A word without kept halves may be anywhere.
        """
        buffers = self.parameters.buffers
        checked, place = Signal(self.unchecked), leaving.i.payload
        beyond_columns, beyond_planes, refused = Signal(), Signal(), Signal()
        m.d.comb += found.o.ready.eq(leaving.i.ready | ~leaving.i.valid)
        with m.If(found.o.ready):
            m.d.sync += [
                leaving.i.valid.eq(found.o.valid),
                checked.eq(found.o.payload),
                beyond_columns.eq(found.o.payload.sum >= buffers.column_words),
                beyond_planes.eq(found.o.payload.sum >= buffers.plane_words),
            ]
        for name in load_place(self.parameters).members:
            if name not in ("address", "both", "takes", "refused"):
                m.d.comb += place[name].eq(checked[name])
        kept = checked.low | checked.high
        m.d.comb += [
            refused.eq(~checked.skip & Mux(checked.columns, kept & beyond_columns, beyond_planes)),
            place.address.eq(checked.sum),
            place.both.eq(checked.low & checked.high),
            place.refused.eq(refused),
            place.takes.eq(~checked.skip & ~refused),
        ]
