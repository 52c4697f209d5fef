"""QUANTIZE and UPDATE: master weights in memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract import numerics as words
from fractrain.hw.contract.commands import Fault, Quantize, Update
from fractrain.hw.contract.records import Record
from fractrain.sim.functional.arithmetic import (
    Integers,
    clip_levels,
    cut,
    round_randomly,
    round_shift,
    saturate,
    shift_saturate,
)
from fractrain.sim.functional.decoding import Task
from fractrain.sim.functional.fault import require
from fractrain.sim.functional.random_bytes import random_bytes
from fractrain.sim.functional.results import tile_of
from fractrain.sim.functional.words import ChipMemories, ExternalMemory, to_bytes

WEIGHT_BYTES = 4
Rule = dict[str, int]


def quantize(command: Quantize, bits: int, chip: ChipMemories, external: ExternalMemory) -> None:
    """Carry out ``command`` for weights of ``bits``."""
    p, scale = chip.parameters, chip.unit.scale(command.scale)
    size = WEIGHT_BYTES * p.block_bits
    data = external.read(command.source, size * command.blocks)
    product = _integers(data) * scale["mantissa"]
    q = clip_levels(shift_saturate(product, scale["shift"], words.MASTER_BITS), bits)
    blocks = q.reshape(-1, p.array.rows, p.block.channels)
    for plane in range(bits):
        digits = (blocks >> (bits - 1 - plane) & 1).astype(np.uint8)
        address = command.destination + p.word_bytes * plane * command.plane_stride
        external.write(address, to_bytes(digits, p).reshape(-1))


def update(
    command: Update,
    task: Task,
    rounding: tuple[int, int],
    chip: ChipMemories,
    external: ExternalMemory,
) -> None:
    """Carry out ``command``; without bits of its operands the gradient counts as 0."""
    p, memories = chip.parameters, chip.unit
    channels, first = p.block.channels, command.gradient_address
    last = first + p.beats_per_tile - 1
    size = len(chip.gradients)
    require(last < size, Fault.ADDRESS, f"beat {last} of {size} of gradients")
    memories.peak_range(command.peak, 2)
    rule = {
        name: int(each[0])
        for name, each in memories.read_records(Record.UPDATE, command.rule).items()
    }
    tile = tile_of(chip.gradients[first : last + 1], p)
    filters = command.filter_group * channels + np.arange(channels)[:, None]
    for half, (enable, address, group, tap) in enumerate(
        (
            (command.a_enable, command.a_address, command.a_group, command.a_tap),
            (command.b_enable, command.b_address, command.b_group, command.b_tap),
        )
    ):
        if not enable:
            continue
        sums = tile[half * channels : (half + 1) * channels].T
        sums = np.zeros_like(sums) if task.absent else sums
        place = (group * channels + np.arange(channels)) * command.taps + tap
        random = random_bytes(rounding, command.tensor, np.array(0), filters, place)
        addresses = address, address + command.velocity
        w, v = (_integers(external.read(each, WEIGHT_BYTES * sums.size)) for each in addresses)
        w, v = _descend(w.reshape(sums.shape), v.reshape(sums.shape), sums, rule, random)
        for each, values in zip(addresses, (w, v), strict=True):
            external.write(each, np.ascontiguousarray(values.astype("<i4")).view(np.uint8).ravel())
        memories.raise_peak(command.peak, int(np.abs(w).max()))
        short = shift_saturate(w, words.SQUARED_SHIFT, words.SQUARED_BITS)
        memories.peaks[command.peak + 1] += np.uint64((short * short).sum())


def _descend(
    w: Integers, v: Integers, sums: Integers, rule: Rule, random: Integers
) -> tuple[Integers, Integers]:
    gradient = cut(round_shift(sums, rule["before"]), words.MASTER_BITS)
    total = _scaled(v, rule, "momentum") + _scaled(w, rule, "decay")
    v = saturate(total + _scaled(gradient, rule, "gradient"), words.MASTER_BITS)
    moved = _scaled(v, rule, "rate")
    if rule["rate_shift"] > words.RANDOM_BITS:
        rounded = round_randomly(v * rule["rate_mantissa"], rule["rate_shift"], random)
        moved = saturate(rounded, words.UPDATE_TERM_BITS)
    return saturate(w - moved, words.MASTER_BITS), v


def _scaled(x: Integers, rule: Rule, name: str) -> Integers:
    product = x * rule[f"{name}_mantissa"]
    return shift_saturate(product, rule[f"{name}_shift"], words.UPDATE_TERM_BITS)


def _integers(data: NDArray[np.uint8]) -> Integers:
    return np.ascontiguousarray(data).view("<i4").astype(np.int64)
