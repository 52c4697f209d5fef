"""How long commands take, roughly: what the order of a program is chosen by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fractrain.host.compiler.whole_step.memory_map import CHANNEL_BYTES, WEIGHT_BYTES
from fractrain.hw.contract.commands import (
    Apply,
    Carry,
    Channel,
    Command,
    Convolve,
    Earlier,
    Fill,
    Form,
    Join,
    Load,
    Move,
    Narrow,
    Normalize,
    Quantize,
    Recall,
    Recalled,
    Recompute,
    Report,
    Second,
    Set,
    Shape,
    Spill,
    Store,
    Update,
    opcode_of,
)
from fractrain.hw.contract.normalized import KeptBits
from fractrain.hw.contract.numerics import MIN_RESIDUAL_BITS
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand, Precision

CHANNEL_CYCLES = (54, 76)
"""Of a channel, forward and backward."""
LINES_CYCLES, UPDATE_CYCLES, FETCH_CYCLES = 140, 180, 20
"""Of a command, beside its lines, its weights, its words."""
SHORT = 4
"""Of a command that does hardly anything."""
QUANTIZED_PER_CYCLE = 4


@dataclass(frozen=True)
class Work:
    """``cycles`` in which a stage is busy, if memory moves the ``bytes`` meanwhile."""

    cycles: float
    bytes: float = 0.0


class Durations:
    """Of the commands of a machine, with precisions ``table`` and bits of x̂ ``kept``."""

    def __init__(self, p: Parameters, table: Sequence[Precision], kept: Sequence[KeptBits]) -> None:
        self.p, self.table, self.kept = p, table, kept
        self._shapes: dict[int, Shape] = {}
        self._work: dict[type, Callable[[Any], Work]] = {
            Load: self._load,
            Move: self._move,
            Recall: self._recall,
            Fill: self._lines_moved,
            Spill: self._lines_moved,
            Set: self._set,
            Convolve: self._convolve,
            Store: self._store,
            Narrow: self._join,
            Join: self._join,
            Channel: self._channel,
            Form: self._lines,
            Normalize: self._lines,
            Recompute: self._lines,
            Carry: self._lines,
            Apply: self._lines,
            Report: self._report,
            Quantize: self._quantize,
            Update: self._update,
        }

    def of(self, command: Command) -> Work:
        """Of a command; one that is skipped takes hardly any."""
        if isinstance(command, Shape):
            self._shapes[command.entry] = command
        work = self._work.get(type(command))
        if work is None or self._skips(command):
            return Work(SHORT)
        return work(command)

    def _skips(self, command: Command) -> bool:
        if not opcode_of(command).skips:
            return False
        precision = self.table[command.slot]
        absent = not (precision.bits(command.operand) and precision.bits(command.partner))
        return absent is not getattr(command, "skipped", False)

    def _bits(self, command: Command, operand: Operand) -> int:
        return self.p.digits(self.table[command.slot].bits(operand))

    # -- fetch -------------------------------------------------------------------------------

    def _load(self, command: Load) -> Work:
        words = self._bits(command, command.operand) * command.runs * command.words
        return Work(FETCH_CYCLES + words * (1 + command.memory), words * self.p.word_bytes)

    def _move(self, command: Move) -> Work:
        words = self._bits(command, command.operand) * command.runs * command.words
        return Work(FETCH_CYCLES + 2 * words)

    def _recall(self, command: Recall) -> Work:
        kept, bits = self.kept[command.kept_slot], command.bits
        if command.kind is not Recalled.RESIDUAL:
            bits = kept.outer if command.kind is Recalled.END else kept.inner
        blocks = command.channel_groups * command.blocks
        words = (bits + command.masked) * blocks
        cycles = max(words, self.p.block.channels * blocks)
        return Work(FETCH_CYCLES + cycles, words * self.p.word_bytes)

    def _lines_moved(self, command: Fill | Spill) -> Work:
        size = command.runs * command.lines * self.p.line_bytes
        return Work(FETCH_CYCLES, size)

    def _set(self, command: Set) -> Work:
        return Work(FETCH_CYCLES + command.words, command.words * self.p.word_bytes)

    # -- the array ---------------------------------------------------------------------------

    def _convolve(self, command: Convolve) -> Work:
        tiles = command.images * command.tiles_y * command.tiles_x
        rows, columns = (self._bits(command, each) for each in (command.operand, command.partner))
        return Work(tiles * command.slices * rows * max(columns, command.pairs))

    def _store(self, command: Store) -> Work:
        tiles = command.images * command.tiles_y * command.tiles_x
        return Work(tiles * self.p.beats_per_tile)

    def _join(self, command: Narrow | Join) -> Work:
        lines = command.images * command.tiles_y * command.tiles_x * self.p.block.channels
        if isinstance(command, Join):
            lines *= (1 + (command.earlier is not Earlier.NONE)) * (1 + command.interleaved)
        return Work(lines)

    # -- vector ------------------------------------------------------------------------------

    def _channel(self, command: Channel) -> Work:
        channels = command.channel_groups * self.p.block.channels
        return Work(SHORT + channels * CHANNEL_CYCLES[command.backward], CHANNEL_BYTES * channels)

    def _lines(self, command: Form | Normalize | Recompute | Carry | Apply) -> Work:
        shape = self._shapes[command.shape]
        blocks = shape.channel_groups * shape.images * shape.tiles_y * shape.tiles_x
        lines, planes = blocks * self.p.block.channels, 0
        if isinstance(command, Normalize):
            planes = self.kept[command.kept_slot].outer
        elif isinstance(command, Form):
            if command.second is Second.SHORTCUT and command.normalized:
                lines *= 2
            kept = self.kept[command.kept_slot]
            planes = command.stash_normalized * (kept.outer if command.end else kept.inner)
            planes += command.stash_mask + command.stash_residual * MIN_RESIDUAL_BITS
            planes += command.stash_activations * self.table[command.form_slot].activation
        return Work(LINES_CYCLES + lines, blocks * planes * self.p.word_bytes)

    def _report(self, command: Report) -> Work:
        size = command.blocks * self.p.block_bytes
        return Work(size / 2, size)

    def _quantize(self, command: Quantize) -> Work:
        weights = self.p.block_bits * command.blocks
        planes = self._bits(command, Operand.WEIGHT) * command.blocks
        size = weights * WEIGHT_BYTES + planes * self.p.word_bytes
        return Work(LINES_CYCLES + weights / QUANTIZED_PER_CYCLE, size)

    def _update(self, command: Update) -> Work:
        weights = (command.a_enable + command.b_enable) * self.p.block.channels**2
        return Work(UPDATE_CYCLES + weights, 4 * WEIGHT_BYTES * weights)
