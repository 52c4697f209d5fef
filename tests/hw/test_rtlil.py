"""What is said between Amaranth's RTLIL and the Verilog: memories, names, modules to keep."""

import re

from amaranth.back import rtlil
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from fractrain.hw.flow.ram_style import DISTRIBUTED
from fractrain.hw.rtlil import without_zeros
from fractrain.hw.shared_module import ModuleLibrary, SharedModule


class Words(wiring.Component):
    """A memory that begins with ``init``, and says what it reads."""

    def __init__(self, init: list[int]) -> None:
        self.init = init
        super().__init__({"address": In(2), "write": In(1), "shown": Out(8)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.words = words = Memory(shape=8, depth=4, init=self.init, attrs=DISTRIBUTED)
        write, read = words.write_port(), words.read_port(domain="comb")
        m.d.comb += [
            write.en.eq(self.write),
            write.addr.eq(self.address),
            write.data.eq(self.address),
            read.addr.eq(self.address),
            self.shown.eq(read.data),
        ]
        return m


class Twice(wiring.Component):
    """The same words as a part of this module, two of them shared."""

    def __init__(self) -> None:
        super().__init__({"address": In(2), "write": In(1), "shown": Out(8)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.own = own = Words([])
        one, other = (SharedModule(Words([]), "shared_words") for _ in range(2))
        m.submodules.one, m.submodules.other = one, other
        register = Signal()
        m.d.sync += register.eq(self.write)
        for each in (own, one, other):
            m.d.comb += [each.address.eq(self.address), each.write.eq(register)]
        m.d.comb += self.shown.eq(own.shown ^ one.shown ^ other.shown)
        return m


def test_zeros_are_not_written() -> None:
    text = ModuleLibrary().emit(Words([]), "words")
    assert re.search(r'\(\* ram_style = "distributed" \*\)\s*reg \[7:0\] words \[3:0\];', text)
    assert "initial" not in text


def test_other_contents_are() -> None:
    text = ModuleLibrary().emit(Words([0, 0, 5]), "words")
    assert "words[2] = 8'h05;" in text
    assert "words[1] = 8'h00;" in text


def test_modules_have_names_without_dots() -> None:
    """Each defined once, and each instance by its name; shared ones, and they only, are kept."""
    text = ModuleLibrary().emit(Twice(), "twice")
    defined = re.findall(r"^module (\S+?) ?\(", text, re.MULTILINE)
    assert defined == ["twice", "twice__own", "shared_words"]
    placed = re.findall(r"^  (\S+) (?:own|one|other) \($", text, re.MULTILINE)
    assert sorted(placed) == ["shared_words", "shared_words", "twice__own"]
    kept = re.findall(r'^\(\* keep_hierarchy = "yes" \*\)\nmodule (\w+)', text, re.MULTILINE)
    assert kept == ["shared_words"]


def test_proofs_begin_with_any_contents() -> None:
    text = rtlil.convert(Words([]), name="words")
    assert "$meminit" in text
    assert "$meminit" not in without_zeros(text)
    assert "$memrd" in without_zeros(text)
    filled = rtlil.convert(Words([1]), name="words")
    assert without_zeros(filled) == filled
