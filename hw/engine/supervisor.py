"""From START to END, and from RESET back to where a program can be started."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Supervisor"]


class Supervisor(wiring.Component):
    """The state of the machine as a whole.

    Members
    -------
    start, reset_request : In(1)    from the registers; ``start`` only while ``idle``
    finished : In(1)                the program has come to its end
    halt, failed : In(1)            of the `hw.control.faults.FaultCollector`
    quiet : In(1)                   the memory ports have nothing under way
    running : Out(1)                from the cycle after ``start`` to the end or the fault
    reset : Out(1)                  soft reset of all stages, for ``reset_cycles``
    reset_next : Out(1)             ``reset`` of the next cycle: for registered copies of it
    idle : Out(1)                   a program can be started
    done : Out(1)                   a program has ended since ``start`` or ``reset``
    draining : Out(1)               no program is running, and not ``quiet``
    attention : Out(1)              for a cycle: a program has ended or failed

    After RESET the stages start afresh at once. Memory may still owe answers to earlier requests;
    until they have come, the machine is not ``idle``.

    Timing: all outputs but ``reset_next`` are registers.
    """

    def __init__(self, reset_cycles: int):
        self.reset_cycles = reset_cycles
        super().__init__(
            {
                "start": In(1),
                "reset_request": In(1),
                "finished": In(1),
                "halt": In(1),
                "failed": In(1),
                "quiet": In(1),
                "running": Out(1),
                "reset": Out(1),
                "reset_next": Out(1),
                "idle": Out(1),
                "done": Out(1),
                "draining": Out(1),
                "attention": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        left = Signal(range(self.reset_cycles + 1))
        quiet, reported = Signal(), Signal()
        busy = self.running | self.reset | self.reset_request | self.start | self.halt
        m.d.sync += [
            quiet.eq(self.quiet),
            self.idle.eq(quiet & self.quiet & ~busy),
            self.draining.eq(~self.running & ~quiet),
            self.attention.eq(0),
            reported.eq(self.failed),
        ]
        m.d.comb += self.reset_next.eq(self.reset_request | (left > 1))
        m.d.sync += self.reset.eq(self.reset_next)
        with m.If(self.reset_request):
            m.d.sync += left.eq(self.reset_cycles)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        with m.If(self.reset_request | self.reset):
            m.d.sync += [self.running.eq(0), self.done.eq(0)]
        with m.Elif(self.start):
            m.d.sync += [self.running.eq(1), self.done.eq(0)]
        with m.Elif(self.halt):
            m.d.sync += [self.running.eq(0), self.attention.eq(self.failed & ~reported)]
        with m.Elif(self.running & self.finished):
            m.d.sync += [self.running.eq(0), self.done.eq(1), self.attention.eq(1)]
        return m
