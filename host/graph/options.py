"""What a step depends on besides its network and its images."""

from __future__ import annotations

from dataclasses import dataclass

from fractrain.host.graph.choice import UNQUANTIZED
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Precision


@dataclass(frozen=True)
class StepOptions:
    """How a method trains, as far as the step's operations depend on it.

    ``precisions``: all that a block can have. ``unquantized``: that of the layers whose precision
    nobody chooses.
    ``stored_bits``: what decides on a block looks at its input first, which has so many bits by
    then, and is read as its top planes; None if it is quantized after the decision.
    ``learns``: what decides wants to know how the loss depends on its choice.
    ``per_sample``: every image takes a path of its own, one for each of ``precisions``; all paths
    are computed for all images.
    ``real``: convolutions multiply real numbers, and layers whose precision nobody chooses are not
    quantized (the published numerics). ``odd_weights``: widths at which weights are odd levels.
    """

    precisions: tuple[Precision, ...]
    unquantized: Precision = UNQUANTIZED
    stored_bits: int | None = None
    learns: bool = False
    per_sample: bool = False
    real: bool = False
    odd_weights: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.precisions:
            raise ParameterError("precisions", self.precisions, "at least one")
        if self.real and self.stored_bits is not None:
            raise ParameterError(
                "stored_bits", self.stored_bits, "None with real convolutions: nothing has planes"
            )
