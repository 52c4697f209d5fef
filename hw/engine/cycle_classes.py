"""Under which cause each cycle of a program is counted."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import Tag
from fractrain.hw.contract.registers import CYCLE_COUNTERS
from fractrain.hw.control.counters import count_layout

__all__ = ["CycleClasses"]

NUMBERS = {counter.name: counter.number for counter in CYCLE_COUNTERS}


class CycleClasses(wiring.Component):
    """Puts every cycle under one of `hw.contract.registers.CYCLE_COUNTERS`.

    Members
    -------
    running : In(1)
    issued, blocked_operand, blocked_result, waiting, idle, tag : In    of the `ExecuteStage`
    passed : In(1)                    the stage takes a task
    held, blocked, gate_tag : In      its token gate holds a task; it waits for a token, or for
                                      room for one; the task's tag
    for_load : In(1)                  it waits for the fetch stage, which has a LOAD at work
    cycle : Out(`count_layout`)

    A cycle counts under the tag of the pass at hand; without one, of the task that is held back;
    without one, of the last task that came in.

    Timing: ``cycle`` is `LATENCY_CYCLES` behind.
    """

    LATENCY_CYCLES = 2

    def __init__(self) -> None:
        super().__init__(
            {
                **{
                    name: In(1)
                    for name in (
                        *("running", "issued", "blocked_operand", "blocked_result", "waiting"),
                        *("idle", "passed", "held", "blocked", "for_load"),
                    )
                },
                "tag": In(Tag),
                "gate_tag": In(Tag),
                "cycle": Out(count_layout("cycle")),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        seen = {}
        for name, member in self.signature.members.items():
            if name != "cycle":
                seen[name] = Signal(member.shape, name=f"seen_{name}")
                m.d.sync += seen[name].eq(getattr(self, name))
        last_tag = Signal(Tag)
        with m.If(self.passed):
            m.d.sync += last_tag.eq(self.gate_tag)
        number, tag = Signal.like(self.cycle.number), Signal(Tag)
        with m.If(seen["issued"]):
            m.d.comb += number.eq(NUMBERS["BUSY"])
        with m.Elif(seen["blocked_operand"]):
            m.d.comb += number.eq(NUMBERS["STALL_OPERAND"])
        with m.Elif(seen["blocked_result"]):
            m.d.comb += number.eq(NUMBERS["STALL_RESULT"])
        with m.Elif(seen["waiting"] & seen["blocked"]):
            stall = Mux(seen["for_load"], NUMBERS["STALL_MEMORY"], NUMBERS["STALL_TOKEN"])
            m.d.comb += number.eq(stall)
        with m.Else():
            m.d.comb += number.eq(NUMBERS["OTHER_CYCLES"])
        with m.If(~seen["waiting"]):
            m.d.comb += tag.eq(seen["tag"])
        with m.Elif(seen["blocked"] | (seen["idle"] & seen["held"])):
            m.d.comb += tag.eq(seen["gate_tag"])
        with m.Elif(~seen["idle"]):
            m.d.comb += tag.eq(last_tag)
        with m.Else():
            m.d.comb += tag.eq(Tag.OTHER)
        m.d.sync += [
            self.cycle.valid.eq(seen["running"]),
            self.cycle.number.eq(number),
            self.cycle.tag.eq(tag),
        ]
        return m
