"""The commands of the vector stage that work on memory, with the queue of words that they share."""

from typing import Any

from amaranth.hdl import Array, Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import Fault
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.layouts import read_request, write_block
from fractrain.hw.flow.tasks import INDEX_BITS
from fractrain.hw.vector.quantize_command import Quantize
from fractrain.hw.vector.read_ahead import ReadAhead
from fractrain.hw.vector.report import Report
from fractrain.hw.vector.spill import Spill
from fractrain.hw.vector.update_command import Update

__all__ = ["MemoryCommands"]

_OF_SPILL = ("reads", "answer", "pair", "line")
_OF_REPORT = ("peak_reads", "peak_answer", "peak")
_OF_UPDATE = (
    *("seed", "step", "beat_reads", "beat_answer", "beat", "peaks"),
    *("key", "load", "counters", "random_valid", "random"),
)
_RECORDS = ("record_answer", "record")


class MemoryCommands(wiring.Component):
    """`Spill`, `Report`, `Quantize` and `Update` behind one port to memory.

    Members
    -------
    spill, report, quantize, update : In(stream of its task)     one task at a time: the next only
                            after ``ended``, as the vector stage does its commands
    reads, answer, pair, line        staging memory, as `Spill` has them
    peak_reads, peak_answer, peak    peak memory, as `Report` has them
    record_reads, record_answer, record    parameter memory, as `Quantize` and `Update` have them
    seed, step, beat_reads, beat_answer, beat, peaks, key, load, counters, random_valid, random
                            as `Update` has them
    requests : Out(stream of `read_request`), words : In(stream of words)    as the reader has them
    blocks : Out(stream of `write_block`), settled : In(1)                   as the four have them
    ended : Out(1), fault : Out(Fault), index : Out      of the command at work

    Errors: those of the four.
    """

    def __init__(self, parameters: Parameters, *, primitives: bool = False) -> None:
        self.parameters = parameters
        self.units: dict[str, Any] = {
            "spill": Spill(parameters, primitives=primitives),
            "report": Report(parameters),
            "quantize": Quantize(parameters, primitives=primitives),
            "update": Update(parameters, primitives=primitives),
        }
        self.own = {"spill": _OF_SPILL, "report": _OF_REPORT, "update": _OF_UPDATE}
        """Members that are those of one unit."""
        update = self.units["update"].signature.members
        super().__init__(
            {
                **{
                    name: In(stream.Signature(unit.tasks.payload.shape()))
                    for name, unit in self.units.items()
                },
                **{
                    name: self.units[unit].signature.members[name]
                    for unit, names in self.own.items()
                    for name in names
                },
                **{name: update[name] for name in ("record_reads", *_RECORDS)},
                "requests": Out(stream.Signature(read_request())),
                "words": In(stream.Signature(8 * parameters.word_bytes)),
                "blocks": Out(stream.Signature(write_block(parameters.block_bits))),
                "settled": In(1),
                "ended": Out(1),
                "fault": Out(Fault),
                "index": Out(INDEX_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.ahead = ahead = ReadAhead(self.parameters)
        units = list(self.units.values())
        at_work = Signal(range(len(units)))
        for number, (name, unit) in enumerate(self.units.items()):
            m.submodules[name] = unit
            tasks = getattr(self, name)
            wiring.connect(m, wiring.flipped(tasks), unit.tasks)
            with m.If(tasks.valid & tasks.ready):
                m.d.sync += at_work.eq(number)
            m.d.comb += unit.settled.eq(self.settled)
            self._pass(m, unit, self.own.get(name, ()))
        _gather(m, [unit.blocks for unit in units], self.blocks, at_work)
        self._read(m, ahead, at_work)
        wiring.connect(m, ahead.requests, wiring.flipped(self.requests))
        wiring.connect(m, wiring.flipped(self.words), ahead.words)
        faults: Value = Value.cast(units[0].fault)
        for unit in units[1:]:
            faults = faults | Value.cast(unit.fault)
        m.d.comb += [
            self.ended.eq(Cat(unit.ended for unit in units).any()),
            Value.cast(self.fault).eq(faults),
            self.index.eq(Array(unit.index for unit in units)[at_work]),
        ]
        return m

    def _pass(self, m: Module, unit: wiring.Component, names: tuple[str, ...]) -> None:
        """Ports of one unit go through."""
        for name in names:
            inner, outer = getattr(unit, name), getattr(self, name)
            member = unit.signature.members[name]
            if member.is_signature:
                wiring.connect(m, inner, wiring.flipped(outer))
            elif member.flow == In:
                m.d.comb += inner.eq(outer)
            else:
                m.d.comb += outer.eq(inner)

    def _read(self, m: Module, ahead: ReadAhead, at_work: Value) -> None:
        """Words and records of those that read memory."""
        # the last bit tells them apart
        users = [self.units["quantize"], self.units["update"]]
        which = at_work[0]
        _gather(m, [unit.runs for unit in users], ahead.runs, which)
        _gather(m, [unit.record_reads for unit in users], self.record_reads, which)
        m.d.comb += ahead.o.ready.eq(Array(unit.weights.ready for unit in users)[which])
        for number, unit in enumerate(users):
            m.d.comb += [
                unit.weights.valid.eq(ahead.o.valid & (which == number)),
                unit.weights.payload.eq(ahead.o.payload),
                *(getattr(unit, name).eq(getattr(self, name)) for name in _RECORDS),
            ]


def _gather(m: Module, streams: list, to: wiring.PureInterface, at_work: Value) -> None:
    """The stream of the unit at work; no other has anything."""
    m.d.comb += [
        to.valid.eq(Array(each.valid for each in streams)[at_work]),
        Value.cast(to.payload).eq(Array(Value.cast(each.payload) for each in streams)[at_work]),
        *(each.ready.eq(to.ready & (at_work == n)) for n, each in enumerate(streams)),
    ]
