"""The register file behind AXI4-Lite, as tests drive it."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.control.axi_lite import AXI_LITE, AxiLiteSlave
from fractrain.hw.control.counters import UNIT_EVENTS, count_layout
from fractrain.hw.control.decoder import CommandDecoder
from fractrain.hw.control.precision_table import PrecisionTable, slot_entry
from fractrain.hw.control.registers import RegisterFile

BUILD_HASH = 0x1234_5678
INPUTS = ("idle", "done", "failed", "draining", "cause", "fault_index", "attention", "slot")
EVENTS = ("cycle", "read", "written")
OUTPUTS = ("start", "reset", "interrupt", "window_first", "watchdog")
UNIT_OUTPUTS = ("host_take", "host_give", "seed_low", "seed_high", "step_low", "step_high")
"""With a vector unit."""


class AxiLiteRegisters(wiring.Component):
    """`AxiLiteSlave` and `RegisterFile`, the latter's other members as ports."""

    def __init__(self, parameters: Parameters) -> None:
        self.registers = RegisterFile(parameters, build_hash=BUILD_HASH)
        members = self.registers.signature.members
        unit = parameters.vector is not None
        self.inputs = (*INPUTS, "host_tokens") if unit else INPUTS
        self.outputs = (*OUTPUTS, *UNIT_OUTPUTS) if unit else OUTPUTS
        kinds = {name: name for name in EVENTS} | (UNIT_EVENTS if unit else {})
        self.events = tuple(kinds)
        super().__init__(
            {
                "axi": In(AXI_LITE),
                "entry": Out(slot_entry(parameters)),
                **{name: members[name] for name in (*self.inputs, *self.outputs)},
                **{name: In(count_layout(kind)) for name, kind in kinds.items()},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.registers = registers = self.registers
        m.submodules.slave = slave = AxiLiteSlave()
        wiring.connect(m, wiring.flipped(self.axi), slave.axi)
        wiring.connect(m, slave.bus, registers.bus)
        for name in self.inputs + self.events:
            m.d.comb += getattr(registers, name).eq(getattr(self, name))
        m.d.comb += [getattr(self, name).eq(getattr(registers, name)) for name in self.outputs]
        m.d.comb += self.entry.eq(registers.entry)
        return m


class DecoderWithTable(wiring.Component):
    """`CommandDecoder` and the table that it reads, its write port outside."""

    def __init__(self, parameters: Parameters) -> None:
        self.decoder, self.table = CommandDecoder(parameters), PrecisionTable(parameters)
        tables = self.table.signature.members
        inner = ("slot", "entry")
        super().__init__(
            {
                **{k: v for k, v in self.decoder.signature.members.items() if k not in inner},
                **{name: tables[name] for name in ("write", "write_slot", "write_entry")},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.decoder, m.submodules.table = self.decoder, self.table
        for part in (self.decoder, self.table):
            for name, member in part.signature.members.items():
                if not hasattr(self, name) or member.is_signature:
                    continue
                outer, inner = getattr(self, name), getattr(part, name)
                m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        m.d.comb += [
            self.table.slot.eq(self.decoder.slot),
            self.decoder.entry.eq(self.table.entry),
        ]
        wiring.connect(m, wiring.flipped(self.commands), self.decoder.commands)
        for inner, outer in zip(self.decoder.tasks, self.tasks, strict=True):
            wiring.connect(m, inner, wiring.flipped(outer))
        return m
