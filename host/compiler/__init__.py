"""The compiler: convolutions to buffers and a command stream of the engine, and results back."""

from fractrain.host.compiler.program import Program, Results, compile_program, narrowed, skipped
from fractrain.host.compiler.results import Planes, Port, Raw
from fractrain.host.compiler.step import Step
from fractrain.host.graph.geometry import Geometry

__all__ = [
    "Geometry",
    "Planes",
    "Port",
    "Program",
    "Raw",
    "Results",
    "Step",
    "compile_program",
    "narrowed",
    "skipped",
]
