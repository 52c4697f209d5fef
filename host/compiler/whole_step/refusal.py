"""What a whole step on the machine is refused with."""

from __future__ import annotations

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.vector_parameters import VectorParameters


class DoesNotFit(ParameterError):
    """A step that this machine cannot carry out as one program: a network that is put together in
    another way, or a memory that is too small. Layer by layer it may run all the same."""


def too_small(memory: str, needed: int, size: int, unit: str) -> DoesNotFit:
    """Of ``size`` words, where ``needed`` are needed at a time."""
    return DoesNotFit(f"{memory} of a whole step", f"{needed:,} {unit}", f"at most {size:,} {unit}")


def require_vector_unit(p: Parameters) -> VectorParameters:
    """That of ``p``; raise `DoesNotFit` if it has none."""
    if p.vector is None:
        allowed = "one with it: tiny-vector, zc706-vector, or a `vector:` section in its file"
        raise DoesNotFit("machine of a whole step", "no vector unit", allowed)
    return p.vector
