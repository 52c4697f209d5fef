"""The compiler of a whole training step, for a machine with a vector unit (docs/whole_step.md)."""

from fractrain.host.compiler.whole_step.compiling import compile_whole_step
from fractrain.host.compiler.whole_step.refusal import DoesNotFit, require_vector_unit
from fractrain.host.compiler.whole_step.whole_step import Residency, WholeStep

__all__ = ["DoesNotFit", "Residency", "WholeStep", "compile_whole_step", "require_vector_unit"]
