"""CHANNEL: the numbers of each channel of a chunk, one after the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract import numerics as words
from fractrain.hw.contract.commands import Channel, Fault
from fractrain.hw.contract.normalized import Format
from fractrain.hw.contract.records import Record, pack_records
from fractrain.sim.functional.fault import require
from fractrain.sim.functional.reciprocal import reciprocal_root
from fractrain.sim.functional.vector_memories import WORD_BITS, VectorMemories

Bytes = NDArray[np.uint8]
Fields = dict[str, int]
CROSS_SHIFT = words.CROSS_FRACTION + words.LIFTED_FRACTION - words.MEAN_FRACTION


def run_channel(
    command: Channel, form: Format | None, memories: VectorMemories, channels: int
) -> Bytes:
    """Carry out ``command`` for ``channels`` channels; returns what goes to memory. ``form``: of
    the x̂ of the way back."""
    n, most = command.pixels, words.MAX_UNIT_PIXELS
    require(n <= most, Fault.COUNT, f"{n} pixels, at most {most}")
    require(not command.share, Fault.COUNT, f"running statistics count {command.share}/256, not 0")
    norms = memories.read_records(Record.NORM, command.norm, channels)
    chunks = memories.read_records(Record.CHUNK, command.chunk, channels)
    moments = memories.moments[memories.moment_range(command.moments, channels)]
    shift = memories.scale(command.scale)["gain_shift"] if command.backward else 0
    records, sums = [], []
    for number, (first, second) in enumerate(moments.tolist()):
        norm = {name: int(each[number]) for name, each in norms.items()}
        chunk = {name: int(each[number]) for name, each in chunks.items()}
        if form is not None:
            records.append(chunk | _backward(command, first, second, norm, chunk, form, shift))
            sums.append((first, second))
        else:
            found, dispersion = _forward(command.pixels, first, second)
            records.append(found)
            sums.append((first, dispersion))
    packed = pack_records(
        Record.CHUNK, {name: [each.get(name, 0) for each in records] for name in chunks}
    )
    memories.records[memories.record_range(command.chunk, channels)] = packed
    out = np.array([[each % (1 << WORD_BITS) for each in pair] for pair in sums], "<u8")
    parts = [out.view(np.uint8).reshape(-1)]
    return np.concatenate(parts if form is not None else [packed.reshape(-1), *parts])


def _forward(n: int, total: int, squares: int) -> tuple[Fields, int]:
    """Fields of the chunk record; D."""
    mean = _divide(total << words.MEAN_FRACTION, n)
    dispersion = (n * squares - total * total) % (1 << words.DISPERSION_BITS)
    reciprocal = reciprocal_root(max(dispersion, (n * words.LEAST_DEVIATION) ** 2), n)
    return {"mean": _cut(mean, words.MEAN_BITS), "reciprocal": reciprocal}, dispersion


def _backward(
    command: Channel,
    total: int,
    product: int,
    norm: Fields,
    chunk: Fields,
    form: Format,
    shift: int,
) -> Fields:
    n = command.pixels
    mean = _saturate(_divide(total << words.MEAN_FRACTION, n), words.MEAN_BITS)
    lift = words.CROSS_FRACTION - form.fraction
    cross = _divide(product << max(lift, 0), n << max(-lift, 0))
    slope = _saturate(_round(norm["gain"] * chunk["reciprocal"], shift), words.FACTOR_BITS)
    most = (1 << (words.SLOPE_BITS - 1)) - 1
    cross_slope = -max(-most, min(most, _round(slope * cross, CROSS_SHIFT)))
    return {"error_mean": mean, "slope": slope, "cross_slope": cross_slope}


def _divide(x: int, n: int) -> int:
    """⌊x/n + ½⌋."""
    return (2 * x + n) // (2 * n)


def _round(x: int, shift: int) -> int:
    """⌊x · 2^−shift + ½⌋, of either sign."""
    return x << -shift if shift <= 0 else (x + (1 << (shift - 1))) >> shift


def _saturate(x: int, bits: int) -> int:
    return max(-(1 << (bits - 1)), min((1 << (bits - 1)) - 1, x))


def _cut(x: int, bits: int) -> int:
    """The low ``bits``, as two's complement: what moments that are none give."""
    return (x + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))
