"""How real tensors are convolved: by integers on the accelerator, or as published."""

from host.arithmetic.arithmetic import Arithmetic
from host.arithmetic.integers import IntegerArithmetic
from host.arithmetic.published import PublishedArithmetic

__all__ = ["Arithmetic", "IntegerArithmetic", "PublishedArithmetic"]
