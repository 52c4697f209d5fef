"""The golden model: exact integer convolutions, the definition of correct.

`definition` writes the arithmetic down; `convolution` does the same fast enough to train with.
Tests compare the second with the first, and the first with SciPy. `real` has the convolutions of
real numbers.
"""

from fractrain.sim.golden import real
from fractrain.sim.golden.convolution import error, forward, gradient

__all__ = ["error", "forward", "gradient", "real"]
