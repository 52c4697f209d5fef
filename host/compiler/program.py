"""A compiled program: what goes into memory, and how results are read out of it."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fractrain.host.compiler.compilation import Compilation
from fractrain.host.compiler.compiled import Compiled
from fractrain.host.compiler.keys import Key, PixelKey
from fractrain.host.compiler.layouts import align
from fractrain.host.compiler.reading import assemble, read_memory, sort_tiles
from fractrain.host.compiler.results import Planes, Port, TileRegion, tiles_of
from fractrain.host.compiler.step import Step, check_slot
from fractrain.host.compiler.tensors import KernelLayout, PixelLayout
from fractrain.hw.contract.commands import COMMAND_BYTES, HEADER, Command, encode_all
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.layout import check_values
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision, check_bits

SLOT_BYTE = HEADER["slot"].offset // 8
"""Where in a command its entry of the precision table is."""

Integers = NDArray[np.integer]
Results = dict[str, NDArray[np.int64] | None]


class Program:
    """Steps as a command stream, and the memory that it works on.

    Members: ``steps``; ``commands[n, 32]`` bytes, at ``program_address``; ``base_address`` of the
    memory, ``memory_bytes`` its size; ``slots`` of the precision table, by those of `template`.

    Tensors are laid out for ``stored_bits`` of the steps. What is in memory may have fewer bits, a
    slot of the precision table may say still fewer, and both may change from run to run: a program
    is compiled once for all of them.
    """

    def __init__(self, parameters: Parameters, steps: Sequence[Step], base_address: int) -> None:
        made = Compilation(parameters, steps, base_address)
        self.parameters, self.steps = parameters, tuple(steps)
        self.base_address = base_address
        self.commands = encode_all(made.commands)
        self.program_address = made.end
        size = made.end + len(self.commands) * COMMAND_BYTES - base_address
        self.memory_bytes = align(parameters, size)
        self._compiled, self._tensors, self._log = made.compiled, made.tensors, made.log
        self._as_compiled = tuple(made.commands)
        self._template: Program | None = None
        self.slots: Mapping[int, int] = {step.slot: step.slot for step in steps}

    def in_slots(self, slots: Mapping[int, int]) -> Program:
        """The same program with other entries of the precision table: old number → new number.

        Its `template` is this program.
        """
        for number in slots.values():
            check_slot("slots", number, self.parameters)
        other = copy.copy(self)
        other._template = self
        other.slots = {slot: slots.get(slot, slot) for slot in self.slots}
        other.steps = tuple(replace(step, slot=other.slots[step.slot]) for step in self.steps)
        other.commands = self.commands.copy()
        for before, after in other.slots.items():
            other.commands[self.commands[:, SLOT_BYTE] == before, SLOT_BYTE] = after
        return other

    @property
    def template(self) -> Program:
        """The program that this one is in other slots, or itself; ``slots`` of it are these."""
        return self._template or self

    @property
    def decoded(self) -> tuple[Command, ...]:
        """``commands`` as objects."""
        if self._template is None:
            return self._as_compiled
        return tuple(
            replace(each, slot=self.slots.get(each.slot, each.slot)) for each in self._as_compiled
        )

    @property
    def operands(self) -> set[str]:
        """The tensors that `pack` needs."""
        made = {step.result for step in self.steps}
        return {name for step in self.steps for name in (step.row, step.column)} - made

    @property
    def packed(self) -> list[tuple[str, PixelLayout | KernelLayout]]:
        """Operands and their layouts, one for each time that `pack` packs one."""
        operands = self.operands
        return [
            (key.name, tensor.layout)
            for key, tensor in self._tensors.items()
            if key.name in operands
        ]

    @property
    def unpacked(self) -> list[tuple[str, TileRegion]]:
        """Results and their regions of raw sums that `unpack` reads."""
        return [
            (each.step.result, region)
            for each in self._compiled
            if not isinstance(each.step.destination, Port)
            for region in each.regions
        ]

    # -- in ------------------------------------------------------------------------------------

    def check_operands(
        self,
        operands: Mapping[str, Integers],
        bits: Mapping[str, int] | None = None,
        precisions: Mapping[int, Precision] | None = None,
    ) -> None:
        """Raise `ParameterError` unless ``operands`` are what the steps read.

        ``bits`` of those that have fewer than memory has room for. What only steps read that are
        skipped with ``precisions`` may be missing.
        """
        needed, bits = self.operands, bits or {}
        for step in self.steps:
            if precisions is not None and skipped(step, precisions):
                continue
            pairs = (
                (step.row, step.row_shape, step.stored_bits[0], step.signed[0]),
                (step.column, step.column_shape, step.stored_bits[1], step.signed[1]),
            )
            for name, shape, stored, signed in pairs:
                if name not in needed:
                    continue
                needed.remove(name)
                if name not in operands:
                    raise ParameterError("operands", sorted(operands), f"one named {name}")
                values = np.asarray(operands[name])
                if values.dtype.kind not in "iu":
                    raise ParameterError(f"{name}.dtype", str(values.dtype), "an integer type")
                if values.shape != shape:
                    raise ParameterError(f"{name}.shape", values.shape, str(shape))
                width = bits.get(name, stored)
                check_bits(f"bits of {name}", width, maximum=stored)
                check_values(name, values, width, signed)

    def check_precisions(
        self, precisions: Mapping[int, Precision], bits: Mapping[str, int] | None = None
    ) -> None:
        """Raise `ParameterError` unless every slot has bits that its tensors have in memory."""
        bits = bits or {}
        for step in self.steps:
            if step.slot not in precisions:
                raise ParameterError("precisions", sorted(precisions), f"slot {step.slot}, too")
            for name, operand, room in zip(
                (step.row, step.column),
                (step.pass_.row, step.pass_.column),
                step.stored_bits,
                strict=True,
            ):
                stored, found = bits.get(name, room), precisions[step.slot].bits(operand)
                if found > stored:
                    raise ParameterError(
                        f"{operand.name.lower()} bits of slot {step.slot}",
                        found,
                        f"at most {stored}, as {step.result} is made of so many",
                    )

    def pack(
        self, operands: Mapping[str, Integers], bits: Mapping[str, int] | None = None
    ) -> NDArray[np.uint8]:
        """New memory with all that the program needs to run, the rest zeros."""
        self.check_operands(operands, bits)
        memory = np.zeros(self.memory_bytes, np.uint8)
        self.fill(memory, operands, bits)
        return memory

    def fill(
        self,
        memory: NDArray[np.uint8],
        operands: Mapping[str, Integers],
        bits: Mapping[str, int] | None = None,
    ) -> None:
        """Write commands and ``operands``, which must be right, into ``memory``.

        It may hold anything before, and does between what is written: results of earlier programs,
        planes of wider tensors.
        """
        bits = bits or {}
        made = {step.result for step in self.steps}
        for key, tensor in self._tensors.items():
            layout, start = tensor.layout, tensor.address - self.base_address
            place = memory[start : start + layout.words * self.parameters.word_bytes]
            if key.name in made:
                place[:] = 0  # of a step that is skipped, the next one reads zeros
            elif key.name in operands:
                values = _prepared(key, np.asarray(operands[key.name]))
                layout.pack(values, place, bits.get(key.name))
        start = self.program_address - self.base_address
        memory[start : start + self.commands.size] = self.commands.reshape(-1)

    # -- out -----------------------------------------------------------------------------------

    def unpack(self, memory: NDArray[np.uint8], precisions: Mapping[int, Precision]) -> Results:
        """Results in memory, after the program has run; None for steps that were skipped."""
        results: Results = {}
        for step, each in zip(self.steps, self._compiled, strict=True):
            if isinstance(step.destination, Port):
                continue
            results[step.result] = None
            if not skipped(step, precisions):
                results[step.result] = read_memory(each, memory, self.base_address)
        return results

    def unpack_port(self, beats: NDArray[np.int64], precisions: Mapping[int, Precision]) -> Results:
        """Results that left at the port as ``beats[n, results_per_beat]``."""
        results: Results = {}
        ran: dict[int, Compiled] = {}
        for step, each in zip(self.steps, self._compiled, strict=True):
            if isinstance(step.destination, Port):
                results[step.result] = None
                if not skipped(step, precisions):
                    ran |= {id(region): each for region in each.regions}
        sent = [sent for sent in self._log if id(sent.region) in ran]
        tiles = sort_tiles(tiles_of(beats, self.parameters), sent)
        for each in {id(each): each for each in ran.values()}.values():
            results[each.step.result] = assemble(each, tiles)
        return results


def compile_program(
    parameters: Parameters, steps: Sequence[Step], base_address: int = 0
) -> Program:
    """The program of ``steps``, in that order, for memory from ``base_address`` on.

    Raises `ParameterError` for steps that contradict each other and for what the engine cannot
    do.
    """
    return Program(parameters, steps, base_address)


def skipped(step: Step, precisions: Mapping[int, Precision]) -> bool:
    """One of the operands has 0 bits."""
    precision = precisions[step.slot]
    return 0 in (precision.bits(step.pass_.row), precision.bits(step.pass_.column))


def narrowed(step: Step, sums: NDArray[np.int64]) -> NDArray[np.int64]:
    """What ``step`` makes of its sums."""
    if isinstance(step.destination, Planes):
        return step.destination.narrow(sums)
    return sums


def _prepared(key: Key, values: Integers) -> Integers:
    """``values`` as the layout of ``key`` takes them."""
    if isinstance(key, PixelKey):
        return key.use.form.prepare(values)
    return values if key.form is None else key.form.matrix(values)
