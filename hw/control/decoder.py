"""The command decoder: the one place where a command's precision is looked up."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import (
    COMMAND_BITS,
    FIELDS,
    Fault,
    Opcode,
)
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand
from fractrain.hw.control.checks import CommandChecks
from fractrain.hw.control.precision_table import slot_entry
from fractrain.hw.control.slot_lookup import SlotLookup
from fractrain.hw.flow.parties import parties
from fractrain.hw.flow.tasks import INDEX_BITS, command_view, digit_bits, stage_task, tail_bits

__all__ = ["CommandDecoder"]

SETTLED_CYCLES = 16
"""Cycles for which everything must be idle before a program is over: for a moment, work on its way
between two parts shows in neither."""


class CommandDecoder(wiring.Component):
    """Turns the command stream of a program into tasks of the stages, in order.

    Every stage gets its precision from here, so a table write takes effect between two commands,
    never in the middle of one.

    Members
    -------
    start : In(1)                       a new program begins; only while ``idle``
    running : In(1)                     from the cycle after ``start`` on
    total : In(32)                      commands of the program, in the cycle of ``start``
    commands : In(stream(256))          its commands
    slot : Out, entry : In              port of the precision table
    tasks : Out(stream of `stage_task`) one for each stage of the machine's `Parties`
    quiescent : In(1)                   all other parts are idle
    halt : In(1)                        pass on no more commands
    fault, index : Out                  for one cycle, and the wrong command's number
    idle : Out(1)                       no command held
    done : Out(1)                       END has been reached and everything before it is finished

    Faults, for every command including END: OPCODE if the opcode is unknown; SLOT if the slot or an
    operand does not exist; PRECISION if operand or partner have more than ``max_bits`` bits (not
    for commands that are carried out whatever they have, as PATTERN and END); then COUNT
    (`CommandChecks`); then, of a command that is carried out, PRECISION for what the vector unit
    does not take (`SlotLookup`). Commands after END are taken and dropped. A stream without END (or
    an empty one) is PROGRAM, with ``index`` the number of its commands.

    Timing: a task is on offer ``latency_cycles`` after its command, a command is taken in every
    `INTERVAL_CYCLES`. With further slots, which are read one after the other, both take
    `FURTHER_CYCLES` more; an entry written in that time may hold for the slots read later, and not
    for the others. A wrong command goes no further and blocks those behind it until reset.
    """

    latency_cycles = 4
    INTERVAL_CYCLES = 4
    FURTHER_CYCLES = 3

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        self.parties = parties(parameters)
        entry = slot_entry(parameters)
        super().__init__(
            {
                "start": In(1),
                "running": In(1),
                "total": In(INDEX_BITS),
                "commands": In(stream.Signature(COMMAND_BITS)),
                "slot": Out(range(max(2, parameters.precision.slots))),
                "entry": In(entry),
                "tasks": Out(stream.Signature(stage_task(parameters))).array(
                    len(self.parties.stages)
                ),
                "quiescent": In(1),
                "halt": In(1),
                "fault": Out(Fault),
                "index": Out(INDEX_BITS),
                "idle": Out(1),
                "done": Out(1),
            }
        )
        self.command = Signal(COMMAND_BITS)
        self.header = command_view(Opcode.END, self.command)
        self.lookup = None if parameters.vector is None else SlotLookup(parameters)
        self.step = Signal(3 if self.lookup is None else 3 + self.FURTHER_CYCLES)
        """One bit for each of the cycles that a command takes: table, width, verdict; with further
        slots table, width and first slot, second slot and first entry, second entry, verdict."""
        self.held = Signal()
        self.ended = Signal()
        self.stuck = Signal()
        self.count = Signal(INDEX_BITS)
        self.offered = Signal(len(self.parties.stages))
        self.bits = {
            name: Signal(entry["activation"].shape, name=name) for name in ("operand", "partner")
        }
        self.beyond = {name: Signal(name=f"{name}_beyond") for name in self.bits}
        self.too_wide = Signal()
        self.checks = CommandChecks(parameters)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.checks = self.checks
        m.d.comb += [
            self.checks.command.eq(self.command),
            self.slot.eq(self._slot(m)),
            self.idle.eq(~self.held & ~self.offered.any()),
        ]
        verdict = Signal()
        m.d.comb += verdict.eq(self._decided() & ~self.offered.any() & ~self.halt & ~self.stuck)
        self._take_command(m, verdict)
        self._look_up(m)
        self._judge(m, verdict)
        self._offer(m, verdict)
        self._end(m)
        return m

    def _slot(self, m: Module) -> Value:
        """That of the header, then the further ones."""
        slot, lookup = self.header.slot[: len(self.slot)], self.lookup
        if lookup is None:
            return slot
        m.submodules.lookup = lookup
        m.d.comb += [
            lookup.command.eq(self.command),
            lookup.entry.eq(self.entry),
            lookup.take_first.eq(self.step[3]),
            lookup.take_second.eq(self.step[4]),
            lookup.operand_bits.eq(self.bits["operand"]),
        ]
        return Mux(self.step[2], lookup.first, Mux(self.step[3], lookup.second, slot))

    def _decided(self) -> Value:
        """Everything is known for the verdict."""
        if self.lookup is None:
            return self.step[2]
        return Mux(self.lookup.slotted, self.step[-1], self.step[2])

    def _take_command(self, m: Module, verdict: Value) -> None:
        m.d.comb += self.commands.ready.eq(~self.held & ~self.halt)
        with m.If(self.commands.valid & self.commands.ready):
            m.d.sync += [
                self.command.eq(self.commands.payload),
                self.held.eq(~self.ended),
                self.step.eq(~self.ended),
            ]
        with m.Elif(verdict):
            m.d.sync += [self.held.eq(0), self.step.eq(0)]
        with m.Elif(~self._decided()):
            m.d.sync += self.step.eq(self.step << 1)

    def _look_up(self, m: Module) -> None:
        """Widths of both operands, from the table's answer."""
        limit = self.parameters.precision.max_bits
        widths = [self.entry[operand.name.lower()] for operand in Operand]
        with m.If(self.step[1]):
            for name, bits in self.bits.items():
                with m.Switch(self.header[name]):
                    for operand, width in zip(Operand, widths, strict=True):
                        with m.Case(operand):
                            m.d.sync += [bits.eq(width), self.beyond[name].eq(width > limit)]

    def _judge(self, m: Module, verdict: Value) -> None:
        """Pass the command on, or stop with what is wrong with it."""
        checks = self.checks
        cause = Signal(Fault)
        is_end = self._is(Opcode.END)
        too_wide: Value = Cat(self.beyond.values()).any()
        for opcode in reversed(self.parties.unconditional):
            too_wide = too_wide & ~self._is(opcode)
        m.d.comb += self.too_wide.eq(too_wide)
        with m.If(~checks.is_opcode.any()):
            m.d.comb += cause.eq(Fault.OPCODE)
        with m.Elif(checks.bad_slot):
            m.d.comb += cause.eq(Fault.SLOT)
        with m.Elif(self.too_wide):
            m.d.comb += cause.eq(Fault.PRECISION)
        with m.Elif(checks.bad_count):
            m.d.comb += cause.eq(Fault.COUNT)
        if self.lookup is not None:
            with m.Elif(self.lookup.refused & ~self._skips()):
                m.d.comb += cause.eq(Fault.PRECISION)
        exhausted = self._count(m, verdict)
        m.d.sync += self.fault.eq(Fault.NONE)
        with m.If(verdict):
            m.d.sync += [
                self.fault.eq(cause),
                self.index.eq(self.count),
                self.stuck.eq(cause != Fault.NONE),
            ]
        with m.Elif(self.running & exhausted & ~self.held & ~self.ended & ~self.stuck & ~self.halt):
            m.d.sync += [
                self.fault.eq(Fault.PROGRAM),
                self.index.eq(self.count),
                self.stuck.eq(1),
            ]
        with m.If(self.start):
            m.d.sync += self.ended.eq(0)
        with m.Elif(verdict & is_end & self._good()):
            m.d.sync += self.ended.eq(1)

    def _is(self, opcode: Opcode) -> Value:
        return self.checks.is_opcode[self.parties.opcodes.index(opcode)]

    def _good(self) -> Value:
        """The command, of a known opcode, has no error."""
        wrong = [self.checks.bad_slot, self.too_wide, self.checks.bad_count]
        if self.lookup is not None:
            wrong.append(self.lookup.refused & ~self._skips())
        return Cat(wrong) == 0

    def _skips(self) -> Value:
        """Only the tokens of the command count."""
        skips: Value = Cat(bits == 0 for bits in self.bits.values()).any()
        for opcode in self.parties.opcodes:
            if "skipped" in FIELDS[opcode]:
                skips = skips ^ (self._is(opcode) & command_view(opcode, self.command).skipped)
        for opcode in self.parties.unconditional:
            if opcode is not Opcode.END:  # which is no task
                skips = skips & ~self._is(opcode)
        return skips

    def _count(self, m: Module, verdict: Value) -> Signal:
        """Number the commands; returns whether there are no more.

        In steps, each far shorter than the time of a command: until the last step sees a new
        count, ``exhausted`` is about the count before, when there was one more command.
        """
        counted, exhausted = Signal(), Signal()
        discarded = self.commands.valid & self.commands.ready & self.ended
        total, equal = Signal(INDEX_BITS), Signal(INDEX_BITS // 4)
        m.d.sync += counted.eq(verdict | discarded)
        with m.If(self.start):
            m.d.sync += [total.eq(self.total), self.count.eq(0), equal.eq(0), exhausted.eq(0)]
        with m.Else():
            m.d.sync += [
                self.count.eq(self.count + counted),
                exhausted.eq(equal.all()),
                *(
                    equal[i].eq(self.count.word_select(i, 4) == total.word_select(i, 4))
                    for i in range(len(equal))
                ),
            ]
        return exhausted

    def _offer(self, m: Module, verdict: Value) -> None:
        """The task, and for which stage it is."""
        checks = self.checks
        good = self._good()
        task = Signal(stage_task(self.parameters))
        with m.If(verdict):
            m.d.sync += [
                task.index.eq(self.count),
                task.command.eq(self.command),
                task.digits.eq(self._digits(self.bits["operand"])),
                task.tail.eq(self._tail(self.bits["operand"])),
                task.partner_digits.eq(self._digits(self.bits["partner"])),
                task.partner_tail.eq(self._tail(self.bits["partner"])),
                task.skip.eq(self._skips()),
            ]
            if self.lookup is not None:
                m.d.sync += [
                    task[name].eq(getattr(self.lookup, name))
                    for name in ("kept_bits", "form_bits", "masked")
                ]
        for stage in self.parties.stages:
            mine = Cat(
                is_mine
                for is_mine, opcode in zip(checks.is_opcode, self.parties.opcodes, strict=True)
                if opcode.stage == stage
            ).any()
            m.d.comb += [
                self.tasks[stage].payload.eq(task),
                self.tasks[stage].valid.eq(self.offered[stage]),
            ]
            with m.If(self.offered[stage]):
                m.d.sync += self.offered[stage].eq(~self.tasks[stage].ready)
            with m.Elif(verdict):
                m.d.sync += self.offered[stage].eq(good & mine)

    def _end(self, m: Module) -> None:
        settled = Signal(range(SETTLED_CYCLES + 1))
        with m.If(self.start | ~self.ended | ~self.quiescent | self.halt):
            m.d.sync += [settled.eq(0), self.done.eq(0)]
        with m.Elif(settled != SETTLED_CYCLES):
            m.d.sync += settled.eq(settled + 1)
        with m.Else():
            m.d.sync += self.done.eq(1)

    def _digits(self, bits: Value) -> Value:
        """``ceil(bits / spatial_bits)``; spatial_bits is a power of two."""
        spatial = self.parameters.array.spatial_bits
        return ((bits + (spatial - 1)) >> (spatial.bit_length() - 1))[: digit_bits(self.parameters)]

    def _tail(self, bits: Value) -> Value:
        """Planes in the last digit: ``(bits - 1) % spatial_bits + 1``."""
        spatial = self.parameters.array.spatial_bits
        return Mux(bits == 0, spatial, ((bits - 1).as_unsigned() & (spatial - 1)) + 1)[
            : tail_bits(self.parameters)
        ]
