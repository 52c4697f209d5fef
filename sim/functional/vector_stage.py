"""The vector stage: what is made of lines, tensor by tensor.

The numbers of a tensor are ``[group, block, channel, pixel]``; those of its channels
``[group, 1, channel, 1]``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract import numerics as words
from fractrain.hw.contract.commands import (
    Apply,
    Carry,
    Channel,
    Command,
    Fault,
    Form,
    Normalize,
    Quantize,
    Recompute,
    Report,
    Second,
    Shape,
    Spill,
    Update,
)
from fractrain.hw.contract.normalized import WIDE, Format
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.records import Record
from fractrain.sim.functional.arithmetic import (
    Integers,
    clip_levels,
    round_randomly,
    round_shift,
    saturate,
    shift_saturate,
    unsigned_clip,
)
from fractrain.sim.functional.channel import run_channel
from fractrain.sim.functional.decoding import Task
from fractrain.sim.functional.descent import quantize, update
from fractrain.sim.functional.fault import require
from fractrain.sim.functional.pixels import numbers_follow, pixel_numbers
from fractrain.sim.functional.random_bytes import random_bytes
from fractrain.sim.functional.tensors import Tensor
from fractrain.sim.functional.words import ChipMemories, ExternalMemory

PRODUCT_FRACTION = words.MEAN_FRACTION + words.RECIPROCAL_FRACTION
"""(16·y − μ')·M is (y − μ)/σ in 2^−26."""


class VectorStage:
    """``rounding``: seed and step of the random bits; ``lines``: that it has made."""

    def __init__(
        self, parameters: Parameters, chip: ChipMemories, external: ExternalMemory
    ) -> None:
        self.parameters, self._chip, self._external = parameters, chip, external
        self._memories = chip.unit
        self.rounding = (0, 0)
        self.lines = 0

    def run(self, task: Task, command: Command) -> None:
        """Carry out ``command``."""
        if isinstance(command, Shape):
            self._memories.set_shape(command)
        elif isinstance(command, Channel):
            self._channel(task, command)
        elif isinstance(command, Normalize):
            self._normalize(task, command)
        elif isinstance(command, Form):
            self._form(task, command)
        elif isinstance(command, Recompute):
            self._recompute(task, command)
        elif isinstance(command, Carry):
            self._carry(task, command)
        elif isinstance(command, Apply):
            self._apply(task, command)
        elif isinstance(command, Spill):
            self._spill(command)
        elif isinstance(command, Report):
            self._report(command)
        elif isinstance(command, Quantize):
            quantize(command, task.bits, self._chip, self._external)
        elif isinstance(command, Update):
            update(command, task, self.rounding, self._chip, self._external)

    def _tensor(self, entry: int) -> Tensor:
        tensor = Tensor(self._memories.shape(entry), self._chip, self._external)
        self.lines += tensor.lines
        return tensor

    def _channel(self, task: Task, command: Channel) -> None:
        channels = command.channel_groups * self.parameters.block.channels
        out = run_channel(command, task.kept, self._memories, channels)
        self._external.write(command.address, out)

    # -- forward ---------------------------------------------------------------------------

    def _normalize(self, task: Task, command: Normalize) -> None:
        tensor = self._tensor(command.shape)
        chunks = tensor.records(Record.CHUNK, command.chunk)
        x = _normalized(tensor.read(command.source), chunks, WIDE)
        x = np.where(tensor.inside, x, 0)
        if command.stashed:
            assert task.kept is not None
            tensor.stash(command.stash, 0, _kept(x, task.kept), task.kept.bits)
        tensor.write(command.destination, x)

    def _form(self, task: Task, command: Form) -> None:
        tensor, memories = self._tensor(command.shape), self._memories
        z, x, around = self._sum(task, command, tensor)
        r, masks = around, (z > 0).astype(np.int64)
        if command.normalized or command.second is not Second.RESIDUAL:
            r = unsigned_clip(_shifted(z, command.residual_bits), command.residual_bits)
            memories.raise_peak(command.peak, int(np.where(tensor.inside, z, 0).max()))
        r, masks = (np.where(tensor.inside, each, 0) for each in (r, masks))
        if command.kept:
            memories.store_side(tensor.side_lines(command.side), *map(tensor.flat, (r, masks)))
        if task.form_bits:
            a = np.where(tensor.inside, _activations(z, task.form_bits), 0)
            if command.planed:
                tensor.to_planes(command.planes, a, task.form_bits)
            if command.stash_activations:
                plane = tensor.shape.activation_plane
                tensor.stash(command.stash, plane, a, task.form_bits)
        if command.normalized and command.stash_normalized:
            assert task.kept is not None
            x = _kept(x, task.kept) if command.end else x
            x = np.where(tensor.inside, x, 0)
            tensor.stash(command.stash, 0, x, task.kept.bits)
        if command.stash_mask:
            tensor.stash(command.stash, tensor.shape.mask_plane, masks, 1)
        if command.stash_residual:
            top = r >> (command.residual_bits - words.MIN_RESIDUAL_BITS)
            tensor.stash(command.stash, tensor.shape.residual_plane, top, words.MIN_RESIDUAL_BITS)
        if command.pooled:
            tensor.pool(command.pool, r)

    def _sum(
        self, task: Task, command: Form, tensor: Tensor
    ) -> tuple[Integers, Integers, Integers]:
        """z, x̂ of the batch norm, r of the residual; 0 for what is not there."""
        nothing = np.zeros(tensor.size, np.int64)
        z, x, around = nothing, nothing, nothing
        if command.normalized:
            chunks = tensor.records(Record.CHUNK, command.chunk)
            form = WIDE if command.end else task.kept
            assert form is not None
            x = _normalized(tensor.read(command.source), chunks, form)
            z = z + _term(x, tensor.records(Record.NORM, command.norm))
        if command.second is Second.SHORTCUT:
            other = tensor.read(command.second_address)
            z = z + _term(other, tensor.records(Record.NORM, command.second_record))
        elif command.second is Second.RESIDUAL:
            around = tensor.read_residual(command.second_address, command.residual_bits)
            factor = self._memories.scale(command.second_record)["residual_factor"]
            shift = command.residual_bits - words.MIN_RESIDUAL_BITS
            z = z + round_shift(factor * around, shift)
        return z, x, around

    def _recompute(self, task: Task, command: Recompute) -> None:
        tensor, memories = self._tensor(command.shape), self._memories
        lines = tensor.side_lines(command.side)
        x = tensor.unflat(memories.normalized(lines))
        z = _term(x, tensor.records(Record.NORM, command.norm))
        if task.form_bits:
            a = np.where(tensor.inside, _activations(z, task.form_bits), 0)
            tensor.to_planes(command.planes, a, task.form_bits)
        masks = np.where(tensor.inside, z > 0, 0)
        memories.masks[lines] = tensor.flat(masks)

    # -- backward --------------------------------------------------------------------------

    def _carry(self, task: Task, command: Carry) -> None:
        tensor, memories = self._tensor(command.shape), self._memories
        source = tensor.read_values if command.spread else tensor.read
        shift = memories.scale(command.scale)["stream_shift"]
        total = shift_saturate(source(command.source), shift, words.JOIN_BITS)
        total = np.where(tensor.inside, total, 0)
        if task.masked or command.totals:
            side = tensor.side_lines(command.side_address)
            total = total * tensor.unflat(memories.masks[side]) if task.masked else total
        e = saturate(total, words.NARROW_BITS)
        if command.totals:
            x = tensor.unflat(memories.normalized(side))
            sums = [each.sum(axis=(1, 3)).reshape(-1) for each in (e, e * x)]
            memories.add_moments(command.moments, *sums, clear=command.start)
        memories.raise_peak(command.peak, int(np.abs(total).max()))
        tensor.write(command.destination, e)

    def _apply(self, task: Task, command: Apply) -> None:
        tensor, memories = self._tensor(command.shape), self._memories
        assert task.kept is not None
        filled = numbers_follow(tensor.shape, self.parameters.array.rows)
        require(filled, Fault.COUNT, f"random bits of rows filled to {tensor.shape.valid_x}")
        e, chunk = tensor.read(command.source), tensor.records(Record.CHUNK, command.chunk)
        x = tensor.unflat(memories.normalized(tensor.side_lines(command.side)))
        centered = (e << words.MEAN_FRACTION) - chunk["error_mean"]
        lifted = x << (words.LIFTED_FRACTION - task.kept.fraction)
        wide = centered * chunk["slope"] + chunk["cross_slope"] * lifted
        wide = np.where(tensor.inside, wide, 0)
        memories.raise_peak(command.peak, int(np.abs(wide).max()))
        random = self._random(command, tensor)
        rounded = round_randomly(wide, words.ERROR_WORD - task.bits, random)
        tensor.to_planes(command.planes, clip_levels(rounded, task.bits), task.bits)

    def _random(self, command: Apply, tensor: Tensor) -> Integers:
        """u of each element; those outside the image count as some pixel of it."""
        pixels = pixel_numbers(tensor.shape, self.parameters.array.rows)
        groups, _, channels, _ = tensor.size
        channel = np.arange(groups * channels).reshape(groups, 1, channels, 1)
        image = command.first_image + tensor.images
        places = image[:, None, None], channel, np.where(tensor.inside, pixels[:, None], 0)
        return random_bytes(self.rounding, command.tensor, *places)

    # -- to memory -------------------------------------------------------------------------

    def _spill(self, command: Spill) -> None:
        size = self.parameters.line_bytes
        for run in range(command.runs):
            first = command.source + run * command.source_run_stride
            lines = self._memories.staging[self._memories.lines(first, command.lines)]
            self.lines += command.lines
            address = command.address + size * run * command.run_stride
            self._external.write(address, _bytes(lines, "<i2"))

    def _report(self, command: Report) -> None:
        count = command.blocks * self.parameters.block_bytes // 8
        where = self._memories.peak_range(command.first, count)
        self._external.write(command.address, _bytes(self._memories.peaks[where], "<u8"))
        self._memories.peaks[where] = 0


def _bytes(values: NDArray[np.integer], kind: str) -> NDArray[np.uint8]:
    return np.ascontiguousarray(values.astype(kind)).view(np.uint8).reshape(-1)


def _normalized(y: Integers, chunks: dict[str, Integers], form: Format) -> Integers:
    """x̂ of ``form``."""
    product = ((y << words.MEAN_FRACTION) - chunks["mean"]) * chunks["reciprocal"]
    rounded = round_shift(product, PRODUCT_FRACTION - form.fraction)
    return np.clip(rounded, -form.most, form.most)


def _kept(x: Integers, form: Format) -> Integers:
    """x̂ of 12 bits as it is kept."""
    return np.clip(round_shift(x, WIDE.fraction - form.fraction), -form.most, form.most)


def _term(x: Integers, norms: dict[str, Integers]) -> Integers:
    return norms["factor"] * x + norms["offset"]


def _shifted(z: Integers, bits: int) -> Integers:
    return round_shift(z, words.FORM_BITS - bits)


def _activations(z: Integers, bits: int) -> Integers:
    return unsigned_clip(_shifted(z, bits), bits)
