"""The compiler: convolutions to buffers and a command stream of the engine, and results back."""

from fractrain.host.compiler.program import Program, Results, compile_program
from fractrain.host.compiler.results import Planes, Port, Raw
from fractrain.host.compiler.step import Step
from fractrain.host.compiler.stepwise import run_stepwise

__all__ = [
    "Planes",
    "Port",
    "Program",
    "Raw",
    "Results",
    "Step",
    "compile_program",
    "run_stepwise",
]
