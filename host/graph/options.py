"""Parameters of a step besides its network and its images."""

from __future__ import annotations

from dataclasses import dataclass

from fractrain.host.graph.choice import UNQUANTIZED, is_skip
from fractrain.host.graph.integer_options import IntegerOptions
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Precision, check_hardware_bits


@dataclass(frozen=True)
class StepOptions:
    """How a method trains, as far as the step's operations depend on it.

    ``precisions``: all that a block can have. ``unquantized``: of the layers at a fixed precision
    (the paper leaves them unquantized). ``stored_bits``: the choice is made after a block's input
    was quantized to so many bits, and its top planes are read; None if the choice comes first.
    ``learns``: the selector learns from how the loss depends on its choice. ``per_sample``: every
    image takes one of as many paths as there are ``precisions``; all paths compute all images.
    ``real``: convolutions multiply real numbers, quantized as published: layers at a fixed
    precision have that of their path instead; outside all blocks they are quantized if all blocks
    have the same precision, ``known`` before the step. ``odd_weights``: widths at which weights are
    odd levels. ``integers``: everything around the convolutions is in integers, too.
    """

    precisions: tuple[Precision, ...]
    unquantized: Precision = UNQUANTIZED
    stored_bits: int | None = None
    learns: bool = False
    per_sample: bool = False
    real: bool = False
    known: bool = False
    odd_weights: tuple[int, ...] = ()
    integers: IntegerOptions | None = None

    def __post_init__(self) -> None:
        if not self.precisions:
            raise ParameterError("precisions", self.precisions, "at least one")
        if self.real and self.stored_bits is not None:
            raise ParameterError(
                "stored_bits", self.stored_bits, "None with real convolutions: nothing has planes"
            )
        if self.integers is not None:
            self._check_integers()

    def _check_integers(self) -> None:
        """Refuse what the integer step does not have."""
        check_hardware_bits((self.unquantized, *self.precisions))
        for name, given in (
            ("stored_bits", self.stored_bits is not None),
            ("per_sample", self.per_sample),
            ("real", self.real),
            ("odd_weights", bool(self.odd_weights)),
        ):
            if given:
                allowed = "not with the integers of hardware mode; --mode float has it"
                raise ParameterError(name, getattr(self, name), allowed)

    @property
    def running_paths(self) -> int:
        """Paths of a block that are carried out, whichever images take them; skips are not."""
        return sum(not is_skip(each) for each in self.precisions) if self.per_sample else 1
