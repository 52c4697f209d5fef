"""The register of kernels: operation → kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fractrain.host.execution.run import Run
from fractrain.host.graph.dispatch import Dispatch

Kernel = Callable[[Run, Any], None]
"""Reads the inputs of an operation from the run, and puts its outputs there."""

KERNELS: Dispatch[Kernel] = Dispatch("the executor", "host/execution/kernels")
