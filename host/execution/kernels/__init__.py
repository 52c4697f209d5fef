"""The kernels: the work of each operation of a step."""

from fractrain.host.execution.kernels import backward, forward, integers
from fractrain.host.execution.kernels.register import KERNELS, Kernel

__all__ = ["KERNELS", "Kernel", "backward", "forward", "integers"]
