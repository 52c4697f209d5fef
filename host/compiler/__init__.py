"""The compiler: convolutions to buffers and a command stream of the engine, and results back."""

from host.compiler.geometry import Geometry
from host.compiler.program import Program, compile_program
from host.compiler.results import Planes, Port, Raw
from host.compiler.step import Step

__all__ = ["Geometry", "Planes", "Port", "Program", "Raw", "Step", "compile_program"]
