"""The feeder with a consumer that takes what is complete whenever it wants to."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.feeder.feeder import WindowFeeder


class TakingFeeder(wiring.Component):
    """`WindowFeeder` with ``want`` (In) and ``taken`` (Out) instead of ``complete``, ``take``."""

    def __init__(self, parameters: Parameters) -> None:
        self.feeder = WindowFeeder(parameters)
        members = dict(self.feeder.signature.members)
        del members["complete"], members["take"]
        super().__init__(members | {"want": In(1), "taken": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.feeder = feeder = self.feeder
        wiring.connect(m, wiring.flipped(self.tasks), feeder.tasks)
        m.d.comb += [
            feeder.write.eq(self.write),
            feeder.halt.eq(self.halt),
            feeder.take.eq(self.want & feeder.complete),
            self.taken.eq(feeder.take),
            self.rows.eq(feeder.rows),
            self.fault.eq(feeder.fault),
            self.fault_index.eq(feeder.fault_index),
            self.busy.eq(feeder.busy),
        ]
        return m
