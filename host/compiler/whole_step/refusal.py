"""What a whole step on the machine is refused with."""

from __future__ import annotations

from fractrain.hw.contract.errors import ParameterError


class DoesNotFit(ParameterError):
    """A step that this machine cannot carry out as one program: a network that is put together in
    another way, or a memory that is too small. Layer by layer it may run all the same."""


def too_small(memory: str, needed: int, size: int, unit: str) -> DoesNotFit:
    """Of ``size`` words, where ``needed`` are needed at a time."""
    return DoesNotFit(f"{memory} of a whole step", f"{needed:,} {unit}", f"at most {size:,} {unit}")
