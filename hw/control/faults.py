"""The first fault of any part stops all parts and stays readable."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import Fault
from fractrain.hw.flow.tasks import INDEX_BITS

__all__ = ["FaultCollector"]


class FaultCollector(wiring.Component):
    """Latches the first fault of ``sources`` parts.

    Members
    -------
    fault : In(Fault), index : In(32)  of every part, for a cycle, and its command
    clear : In(1)
    halt : Out(1)                      from the cycle after the first fault until ``clear``
    failed : Out(1)                    ``cause`` and ``fault_index`` are valid
    cause, fault_index : Out           of the first; of several in the same cycle, of the part
                                       with the highest number

    Timing: ``failed`` one cycle after ``halt``.
    """

    def __init__(self, sources: int):
        self.sources = sources
        super().__init__(
            {
                "fault": In(Fault).array(sources),
                "index": In(INDEX_BITS).array(sources),
                "clear": In(1),
                "halt": Out(1),
                "failed": Out(1),
                "cause": Out(Fault),
                "fault_index": Out(INDEX_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        faults = [Signal(Fault, name=f"fault_{number}") for number in range(self.sources)]
        indices = [Signal(INDEX_BITS, name=f"index_{number}") for number in range(self.sources)]
        found = [Signal(name=f"found_{number}") for number in range(self.sources)]
        with m.If(self.clear):
            m.d.sync += [self.halt.eq(0), self.failed.eq(0), self.cause.eq(0)]
            m.d.sync += self.fault_index.eq(0)
        with m.Elif(~self.halt):
            for number in range(self.sources):
                some = self.fault[number].any()
                m.d.sync += [
                    faults[number].eq(self.fault[number]),
                    indices[number].eq(self.index[number]),
                    found[number].eq(some),
                ]
                with m.If(some):
                    m.d.sync += self.halt.eq(1)
        with m.Elif(~self.failed):
            m.d.sync += self.failed.eq(1)
            for number in range(self.sources):
                with m.If(found[number]):
                    m.d.sync += [
                        self.cause.eq(faults[number]),
                        self.fault_index.eq(indices[number]),
                    ]
        return m
