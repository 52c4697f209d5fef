"""Which form of a step's work the backends with arrays in the host's memory use."""

from __future__ import annotations

from fractrain.host.backends.compiled.compiling import can_compile
from fractrain.host.numerics.fast_step_math import FastStepMath
from fractrain.host.numerics.step_math import StepMath


def host_step_math() -> StepMath:
    """On NumPy arrays: compiled where Numba is installed, else in NumPy. On one thread, like the
    matrix products of these backends."""
    plain = FastStepMath()
    if not can_compile():
        return plain
    from fractrain.host.backends.compiled.step_math import ArrayMemory, CompiledStepMath

    return CompiledStepMath(plain, ArrayMemory(), threads=lambda: 1)
