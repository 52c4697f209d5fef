"""The arithmetics of the three modes: a step in integers, integers in the convolutions only, and as
published."""

from fractrain.host.arithmetic.arithmetic import Arithmetic
from fractrain.host.arithmetic.integer_step import IntegerStep
from fractrain.host.arithmetic.integers import IntegerArithmetic
from fractrain.host.arithmetic.published import PublishedArithmetic

__all__ = ["Arithmetic", "IntegerArithmetic", "IntegerStep", "PublishedArithmetic"]
