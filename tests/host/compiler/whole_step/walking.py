"""Walks through a program without running it: tokens, addresses, bytes of memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from fractrain.host.compiler.whole_step import WholeStep
from fractrain.hw.contract.commands import (
    SIGNAL,
    TOKEN_LIMIT,
    WAIT,
    Apply,
    Carry,
    Channel,
    Command,
    Convolve,
    End,
    Fill,
    Form,
    Join,
    Load,
    Memory,
    Move,
    Narrow,
    Normalize,
    Pattern,
    Quantize,
    Recall,
    Recalled,
    Recompute,
    Report,
    Second,
    Set,
    Shape,
    Spill,
    Stage,
    Store,
    Update,
    opcode_of,
)
from fractrain.hw.contract.normalized import KeptBits
from fractrain.hw.contract.numerics import MIN_RESIDUAL_BITS
from fractrain.hw.contract.precision import Operand, Precision

WEIGHT_BYTES, SUM_BYTES = 4, 4


def check_tokens(commands: Sequence[Command]) -> tuple[int, int]:
    """No token is taken that was not given before, the host's excepted, and no more wait than may;
    returns tokens given to the host and taken from it."""
    waiting: Counter[tuple[Stage, Stage]] = Counter()
    host = [0, 0]
    for command in commands:
        stage = opcode_of(command).stage
        if stage is None:
            continue
        for bit, source in enumerate(WAIT[stage]):
            if command.wait >> bit & 1:
                if source is Stage.HOST:
                    host[1] += 1
                    continue
                waiting[source, stage] -= 1
                assert waiting[source, stage] >= 0
        for bit, target in enumerate(SIGNAL[stage]):
            if command.signal >> bit & 1:
                if target is Stage.HOST:
                    host[0] += 1
                    continue
                waiting[stage, target] += 1
                assert waiting[stage, target] <= TOKEN_LIMIT
    assert not any(waiting.values())
    return host[0], host[1]


def _tiles(command: Narrow | Join | Store | Shape) -> int:
    return command.images * command.tiles_y * command.tiles_x


class Walk:
    """Of the commands of ``compiled``, with the tables of a step."""

    def __init__(
        self, compiled: WholeStep, table: Sequence[Precision], kept: Sequence[KeptBits]
    ) -> None:
        self.compiled, self.p = compiled, compiled.parameters
        self.table, self.kept = table, kept
        self.channels, self.word = self.p.block.channels, self.p.word_bytes
        self.line = self.p.line_bytes
        self._shapes: dict[int, Shape] = {}

    # -- on chip ---------------------------------------------------------------------------

    def check_addresses(self) -> None:
        """Everything on the chip is inside its memory."""
        vector, buffers = self.p.vector, self.p.buffers
        assert vector is not None
        sizes = {
            "planes": buffers.plane_words,
            "columns": buffers.column_words,
            "gradients": buffers.gradient_words,
            "patterns": buffers.patterns,
            "staging": vector.staging_words,
            "side": vector.side_words,
            "records": vector.parameter_words,
            "moments": vector.moment_words,
            "peaks": vector.peak_words,
        }
        for command in self.compiled.commands:
            if isinstance(command, Shape):
                self._shapes[command.entry] = command
            for memory, end in self._ends(command):
                assert 0 <= end <= sizes[memory], (command, memory, end)

    def _blocks(self, command: Form | Normalize | Recompute | Carry | Apply) -> tuple[Shape, int]:
        shape = self._shapes[command.shape]
        return shape, shape.channel_groups * _tiles(shape)

    def _ends(self, command: Command) -> Iterator[tuple[str, int]]:
        """Memory, and one behind the last word of what the command touches there."""
        channels = self.channels
        if isinstance(command, Load | Move):
            bits = self.table[command.slot].bits(command.operand)
            words = 1 if isinstance(command, Move) else command.words
            memory = "columns"
            if isinstance(command, Load) and command.memory is Memory.PLANES:
                memory = "planes"
            elif isinstance(command, Load):
                words = 1
            yield (
                memory,
                (
                    command.destination
                    + (bits - 1) * command.destination_digit_stride
                    + (command.runs - 1) * command.destination_run_stride
                    + words
                ),
            )
        elif isinstance(command, Pattern):
            yield "patterns", command.entry + 1
        elif isinstance(command, Convolve):
            yield "patterns", command.pattern + command.pairs
        elif isinstance(command, Store):
            yield "gradients", command.gradient_address + _tiles(command) * self.p.beats_per_tile
        elif isinstance(command, Recall):
            lines = command.channel_groups * command.blocks * channels
            yield "side", command.destination + lines
        elif isinstance(command, Fill):
            first = command.destination + (command.runs - 1) * command.destination_run_stride
            yield "staging", first + command.lines
        elif isinstance(command, Spill):
            first = command.source + (command.runs - 1) * command.source_run_stride
            yield "staging", first + command.lines
        elif isinstance(command, Set):
            yield "records", command.destination + command.words * self.word // 16
        elif isinstance(command, Narrow | Join):
            lines = _tiles(command) * channels
            if isinstance(command, Join) and command.part:
                lines *= 2
            elif isinstance(command, Join) and command.interleaved:
                lines = command.image_blocks * command.images * channels
            yield "staging", command.address + lines
            yield "moments", command.moments + channels
            yield "peaks", command.peak + 1
        elif isinstance(command, Channel):
            count = command.channel_groups * channels
            for memory, first in (
                ("records", command.norm),
                ("records", command.chunk),
                ("moments", command.moments),
            ):
                yield memory, first + count
        elif isinstance(command, Form | Normalize | Recompute | Carry | Apply):
            yield from self._ends_of_tensor(command)
        elif isinstance(command, Report):
            yield "peaks", command.first + command.blocks * self.p.block_bytes // 8
        elif isinstance(command, Update):
            yield "gradients", command.gradient_address + self.p.beats_per_tile
            yield "peaks", command.peak + 2

    def _ends_of_tensor(
        self, command: Form | Normalize | Recompute | Carry | Apply
    ) -> Iterator[tuple[str, int]]:
        shape, blocks = self._blocks(command)
        lines = blocks * self.channels
        for name, memory in (
            ("source", "staging"),
            ("destination", "staging"),
            ("side", "side"),
            ("side_address", "side"),
        ):
            if hasattr(command, name) and not getattr(command, "spread", False):
                yield memory, getattr(command, name) + lines
        if isinstance(command, Form) and command.second is not Second.NONE:
            memory = "side" if command.second is Second.RESIDUAL else "staging"
            yield memory, command.second_address + lines
        if isinstance(command, Apply | Recompute) or isinstance(command, Form) and command.planed:
            slot, operand = command.slot, Operand.ERROR
            if not isinstance(command, Apply):
                slot, operand = command.form_slot, Operand.ACTIVATION
            bits = self.table[slot].bits(operand)
            groups = (shape.channel_groups - 1) * shape.plane_group_stride + _tiles(shape)
            yield "planes", command.planes + max(bits - 1, 0) * shape.plane_stride + groups

    # -- in memory -------------------------------------------------------------------------

    def bytes(self) -> dict[str, int]:
        """Of the step, by kind of command, where nothing is skipped."""
        found: Counter[str] = Counter()
        for command in self.compiled.commands:
            if isinstance(command, Shape):
                self._shapes[command.entry] = command
            if not getattr(command, "skipped", False) and not isinstance(command, End):
                name = f"{type(command).__name__} {command.tag.name}"
                found[name] += self._bytes(command)
        found["program"] = self.compiled.encoded.size
        return dict(+found)

    def _bytes(self, command: Command) -> int:
        word = self.word
        if isinstance(command, Load):
            bits = self.table[command.slot].bits(command.operand)
            return bits * command.runs * command.words * word
        if isinstance(command, Recall):
            kept = self.kept[command.kept_slot]
            bits = kept.inner if command.kind is Recalled.INSIDE else kept.outer
            return (bits + command.masked) * command.channel_groups * command.blocks * word
        if isinstance(command, Fill | Spill):
            return command.runs * command.lines * self.line
        if isinstance(command, Set):
            return command.words * word
        if isinstance(command, Channel):
            return command.channel_groups * self.channels * (16 if command.backward else 32)
        if isinstance(command, Form | Normalize):
            return self._stashed(command)
        if isinstance(command, Quantize):
            bits = self.table[command.slot].weight
            return command.blocks * (bits * word + WEIGHT_BYTES * self.p.block_bits)
        if isinstance(command, Update):
            return 4 * (command.a_enable + command.b_enable) * WEIGHT_BYTES * self.channels**2
        return command.blocks * self.p.block_bytes if isinstance(command, Report) else 0

    def _stashed(self, command: Form | Normalize) -> int:
        shape, blocks = self._blocks(command)
        kept = self.kept[command.kept_slot]
        if isinstance(command, Normalize):
            return kept.outer * blocks * self.word
        planes = command.stash_normalized * (kept.outer if command.end else kept.inner)
        planes += command.stash_mask + command.stash_residual * MIN_RESIDUAL_BITS
        planes += command.stash_activations * self.table[command.form_slot].activation
        pooled = command.pooled * SUM_BYTES * shape.images * shape.channel_groups * self.channels
        return planes * blocks * self.word + pooled
