"""Commands as the line path takes them, and the machine of sim/functional that carries them out."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fractrain.hw.contract.commands import (
    Apply,
    Carry,
    Form,
    Normalize,
    Recompute,
    Second,
    Shape,
)
from fractrain.hw.contract.normalized import Format
from fractrain.hw.contract.numerics import WIDE_BITS
from fractrain.hw.vector.line_layouts import tensor_shape

__all__ = ["Lines", "Order", "task_of"]

Lines = Form | Normalize | Recompute | Apply | Carry


@dataclass(frozen=True)
class Order:
    """A command and what the tables say: the format of x̂ that is kept, bits of a, bits of e,
    whether a mask counts."""

    command: Lines
    shape: Shape
    kept: Format | None = None
    form_bits: int = 0
    error_bits: int = 0
    masked: bool = False


def task_of(order: Order) -> dict[str, Any]:
    """The fields of a `line_task`."""
    command, kept = order.command, order.kept
    found: dict[str, Any] = {
        "entry": {name: int(getattr(order.shape, name)) for name in tensor_shape().members},
        "kept_bits": kept.bits if kept else 0,
    }
    if isinstance(command, Form):
        shortcut = command.second is Second.SHORTCUT
        residual = command.second is Second.RESIDUAL
        found |= {
            "normalizes": command.normalized,
            "wide": command.end,
            "outer": command.end,
            "normalized_bits": WIDE_BITS if command.end or not kept else kept.bits,
            "residual": residual,
            "shortcut": shortcut,
            "copies": residual and not command.normalized,
            "raises": command.normalized or not residual,
            "source": command.source,
            "second_source": command.second_address if shortcut else 0,
            "side_source": command.second_address if residual else 0,
            "writes_side": command.kept,
            "side_destination": command.side,
            "planed": command.planed,
            "stash_normalized": command.stash_normalized and command.normalized,
            "stash_mask": command.stash_mask,
            "stash_activations": command.stash_activations,
            "stash_residual": command.stash_residual,
            "bits": order.form_bits,
            "residual_bits": command.residual_bits,
            "norm": command.norm,
            "chunk": command.chunk,
            "second_record": command.second_record,
            "planes": command.planes,
            "stash": command.stash,
            "peak": command.peak,
            "pooled": command.pooled,
            "pool": command.pool,
        }
    elif isinstance(command, Normalize):
        found |= {
            "normalizes": 1,
            "wide": 1,
            "outer": 1,
            "normalized_bits": WIDE_BITS,
            "residual_bits": 8,
            "writes_staging": 1,
            "stash_normalized": command.stashed,
            "source": command.source,
            "destination": command.destination,
            "chunk": command.chunk,
            "stash": command.stash,
        }
    elif isinstance(command, Recompute):
        assert kept is not None
        found |= {
            "recomputes": 1,
            "copies": 1,
            "normalized_bits": kept.bits,
            "residual_bits": 8,
            "bits": order.form_bits,
            "planed": 1,
            "side_source": command.side,
            "side_destination": command.side,
            "writes_side": 1,
            "norm": command.norm,
            "planes": command.planes,
        }
    elif isinstance(command, Carry):
        found |= {
            "carries": 1,
            "spreads": command.spread,
            "residual_bits": 8,
            "source": command.source,
            "destination": command.destination,
            "second_record": command.scale,
            "reads_side": order.masked or command.totals,
            "masked": order.masked,
            "side_source": command.side_address,
        }
    else:
        found |= {
            "applies": 1,
            "outer": command.end,
            "raises": 1,
            "residual_bits": 8,
            "error_bits": order.error_bits,
            "planed": 1,
            "source": command.source,
            "side_source": command.side,
            "chunk": command.chunk,
            "planes": command.planes,
            "tensor": command.tensor,
            "first_image": command.first_image,
            "peak": command.peak,
        }
    return {name: each if name == "entry" else int(each) for name, each in found.items()}


def lifted(values: np.ndarray, bits: int, word: int) -> np.ndarray:
    """Numbers of ``bits`` bits at the top of a word of the side memory."""
    return (values << word - bits) & ((1 << word) - 1)
