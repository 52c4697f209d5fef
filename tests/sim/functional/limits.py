"""How far commands of the vector stage may reach: for every machine that carries them out."""

from __future__ import annotations

from typing import Any

from fractrain.hw.contract.commands import (
    Apply,
    Carry,
    Channel,
    Fill,
    Form,
    Headed,
    Move,
    Normalize,
    Quantize,
    Recall,
    Recalled,
    Recompute,
    Report,
    Second,
    Set,
    Spill,
    Update,
)
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand
from tests.sim.functional.vector_bench import ERROR

__all__ = ["EVEN", "WEIGHT", "ends"]

WEIGHT: dict[str, Any] = {"operand": Operand.WEIGHT}


def ends(p: Parameters) -> tuple[tuple[Headed, str, int], ...]:
    """Commands for a tensor of one block, each with a field and the last number in it that the
    memories of a machine of ``p`` have room for."""
    vector = p.vector
    assert vector is not None
    lines, side, planes = vector.staging_words, vector.side_words, p.buffers.plane_words
    records, moments, peaks = vector.parameter_words, vector.moment_words, vector.peak_words
    return (
        (Move(**ERROR, words=2, digit_stride=1), "address", planes - 9),
        (Move(**ERROR, destination_digit_stride=1), "destination", p.buffers.column_words - 8),
        (Recall(kind=Recalled.END, address=0, blocks=2), "destination", side - 16),
        (Fill(address=0, lines=3), "destination", lines - 3),
        (Set(address=0, words=2), "destination", records - 2),
        (Channel(pixels=1, address=0), "norm", records - 8),
        (Channel(pixels=1, address=0), "chunk", records - 8),
        (Channel(pixels=1, address=0), "moments", moments - 8),
        (Channel(pixels=1, address=0, backward=True), "scale", records - 1),
        (Normalize(shape=0), "source", lines - 8),
        (Normalize(shape=0), "destination", lines - 8),
        (Normalize(shape=0), "chunk", records - 8),
        (Form(shape=0), "source", lines - 8),
        (Form(shape=0), "norm", records - 8),
        (Form(shape=0), "chunk", records - 8),
        (Form(shape=0), "peak", peaks - 1),
        (Form(shape=0, planed=True), "planes", planes - 1),
        (Form(shape=0, kept=True), "side", side - 8),
        (Form(shape=0, second=Second.RESIDUAL), "second_address", side - 8),
        (Form(shape=0, second=Second.RESIDUAL), "second_record", records - 1),
        (Form(shape=0, second=Second.SHORTCUT), "second_address", lines - 8),
        (Form(shape=0, second=Second.SHORTCUT), "second_record", records - 8),
        (Recompute(shape=0), "side", side - 8),
        (Recompute(shape=0), "norm", records - 8),
        (Recompute(shape=0), "planes", planes - 1),
        (Carry(**ERROR, shape=0), "source", lines - 8),
        (Carry(**ERROR, shape=0, spread=True), "source", lines - 1),
        (Carry(**ERROR, shape=0), "destination", lines - 8),
        (Carry(**ERROR, shape=0), "scale", records - 1),
        (Carry(**ERROR, shape=0, masked=True), "side_address", side - 8),
        (Carry(**ERROR, shape=0, totals=True), "side_address", side - 8),
        (Carry(**ERROR, shape=0, totals=True), "moments", moments - 8),
        (Carry(**ERROR, shape=0), "peak", peaks - 1),
        (Apply(**ERROR, shape=0), "source", lines - 8),
        (Apply(**ERROR, shape=0), "side", side - 8),
        (Apply(**ERROR, shape=0), "chunk", records - 8),
        (Apply(**ERROR, shape=0), "planes", planes - 1),
        (Apply(**ERROR, shape=0), "peak", peaks - 1),
        (Spill(address=0, lines=3), "source", lines - 3),
        (Report(address=0, blocks=2), "first", peaks - 4),
        (Quantize(**WEIGHT, destination=1 << 16), "scale", records - 1),
        (Update(), "gradient_address", p.buffers.gradient_words - p.beats_per_tile),
        (Update(), "rule", records - 1),
        (Update(), "peak", peaks - 2),
    )


EVEN: tuple[tuple[Headed, str], ...] = (
    (Recall(kind=Recalled.END, address=0), "destination"),
    (Normalize(shape=0), "source"),
    (Normalize(shape=0), "destination"),
    (Form(shape=0), "source"),
    (Form(shape=0, kept=True), "side"),
    (Form(shape=0, second=Second.RESIDUAL), "second_address"),
    (Form(shape=0, second=Second.SHORTCUT), "second_address"),
    (Recompute(shape=0), "side"),
    (Carry(**ERROR, shape=0), "source"),
    (Carry(**ERROR, shape=0), "destination"),
    (Carry(**ERROR, shape=0, masked=True), "side_address"),
    (Apply(**ERROR, shape=0), "source"),
    (Apply(**ERROR, shape=0), "side"),
)
"""First lines of tensors."""
