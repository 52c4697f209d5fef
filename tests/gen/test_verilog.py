"""Verilog is written faster than Amaranth would, and is the same text."""

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from fractrain.gen.verilog import emit
from fractrain.hw.shared_module import ModuleLibrary


class Memories(wiring.Component):
    """Two memories, one of which begins with zeros."""

    def __init__(self, contents: list[int]) -> None:
        self.contents = contents
        super().__init__({"address": In(4), "data": In(8), "write": In(1), "sum": Out(8)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name, init in (("zeros", []), ("numbers", self.contents)):
            m.submodules[name] = memory = Memory(shape=8, depth=16, init=init)
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.addr.eq(self.address),
                write.data.eq(self.data),
                write.en.eq(self.write),
                read.addr.eq(self.address),
                read.en.eq(1),
            ]
            m.d.sync += self.sum.eq(self.sum ^ read.data)
        return m


@pytest.mark.parametrize("contents", [[], [0, 0, 7], [*range(16)]])
def test_the_text_is_that_of_whole_contents(contents: list[int]) -> None:
    text = emit(Memories(contents), "memories")
    assert text == ModuleLibrary().emit(Memories(contents), "memories")
    assert ("initial" in text) == any(contents)
