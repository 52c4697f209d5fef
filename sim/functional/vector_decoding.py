"""What the decoder checks of a command for a vector unit, and looks up for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fractrain.hw.contract import numerics as words
from fractrain.hw.contract.commands import (
    Apply,
    Carry,
    Channel,
    Earlier,
    Fault,
    Form,
    Headed,
    Join,
    Normalize,
    Quantize,
    Recall,
    Recalled,
    Recompute,
    RowPixels,
    Second,
)
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.normalized import Format, KeptBits
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision
from fractrain.sim.functional.fault import require

SLOT_FIELDS = ("kept_slot", "form_slot", "mask_slot")
ENUMERATED = {
    "row_pixels": RowPixels,
    "kind": Recalled,
    "earlier": Earlier,
    "second": Second,
}
"""Fields with codes that mean nothing."""


@dataclass(frozen=True)
class LookedUp:
    """By slots: the format of x̂ that the command reads or makes, bits of the activations that it
    makes, whether a mask is applied."""

    kept: Format | None = None
    form_bits: int = 0
    masked: bool = False


def check_counts(command: Headed, parameters: Parameters) -> None:
    """COUNT for what no table says."""
    vector = parameters.vector
    assert vector is not None
    if isinstance(command, Channel):
        most = words.MAX_CHUNK_PIXELS
        require(command.pixels <= most, Fault.COUNT, f"{command.pixels} pixels, at most {most}")
    elif isinstance(command, Recall) and command.kind is Recalled.RESIDUAL:
        _check_residual(command.bits, vector.side_bits)
    elif isinstance(command, Form):
        kept = command.kept or command.second is Second.RESIDUAL
        limit = vector.side_bits if kept else words.MAX_RESIDUAL_BITS
        _check_residual(command.residual_bits, limit)


def _check_residual(bits: int, most: int) -> None:
    least = words.MIN_RESIDUAL_BITS
    require(least <= bits <= most, Fault.COUNT, f"residual of {bits} bits, {least}..{most}")


def look_up(
    command: Headed,
    bits: int,
    parameters: Parameters,
    table: Sequence[Precision],
    kept: Sequence[KeptBits],
) -> LookedUp:
    """What ``command``, whose operand has ``bits``, finds in the tables; PRECISION for what the
    vector unit does not take."""
    assert parameters.vector is not None
    form_bits, masked = 0, False
    form = _format(command, kept)
    if isinstance(command, Recall) and form is not None:
        _limit("x̂", form.bits, parameters.vector.side_bits)
    if isinstance(command, Form | Recompute):
        form_bits = table[command.form_slot].activation
        _limit("activations", form_bits, words.MAX_ACTIVATION_BITS)
    elif isinstance(command, Join | Carry):
        masked = command.masked and table[command.mask_slot].activation > 0
    elif isinstance(command, Apply):
        _limit("errors", bits, words.MAX_ERROR_BITS)
    elif isinstance(command, Quantize):
        _limit("weights", bits, words.MAX_WEIGHT_BITS)
    return LookedUp(form, form_bits, masked)


def _limit(what: str, bits: int, most: int) -> None:
    require(bits <= most, Fault.PRECISION, f"{what} of {bits} bits, at most {most}")


def _format(command: Headed, kept: Sequence[KeptBits]) -> Format | None:
    """Of the x̂ that the command reads or makes, by its slot."""
    match command:
        case Recall(kind=kind) if kind is not Recalled.RESIDUAL:
            end = kind is Recalled.END
        case Channel(backward=True, end=end) | Apply(end=end):
            pass
        case Normalize(stashed=True):
            end = True
        case Form(normalized=True, end=False):
            end = False
        case Form(normalized=True, end=True, stash_normalized=True):
            end = True
        case Recompute():
            end = False
        case _:
            return None
    slot = getattr(command, "kept_slot", 0)
    try:
        return kept[slot].format(end=end)
    except ParameterError as error:
        require(False, Fault.PRECISION, str(error))
        raise
