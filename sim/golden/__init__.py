"""The golden model: exact integer convolutions, the definition of correct.

`definition` is the arithmetic written down, `convolution` the same fast enough to train with;
tests hold the second to the first, and the first to SciPy. `real` are the same convolutions of
real numbers.
"""

from fractrain.sim.golden import real
from fractrain.sim.golden.convolution import error, forward, gradient

__all__ = ["error", "forward", "gradient", "real"]
