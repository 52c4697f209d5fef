"""Carries out a step graph, one operation after the other, with an arithmetic and its arrays."""

from fractrain.host.execution.executor import Executor, step_options
from fractrain.host.execution.run import Run

__all__ = ["Executor", "Run", "step_options"]
