"""The compiled kernels on PyTorch's tensors in the host's memory, without copies."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.host.backends.compiled.step_math import CompiledStepMath, Memory
from fractrain.host.backends.torch.known import KnownRanges
from fractrain.host.backends.torch.step_math import TorchStepMath
from fractrain.host.backends.torch.step_views import channels_last

Tensor = Any


class TensorMemory(Memory):
    """Tensors on the CPU, `channels_last`; NumPy arrays are views of their memory."""

    turns = True

    def __init__(self, known: KnownRanges) -> None:
        self._known = known

    def flat(self, array: Tensor) -> NDArray:
        return _view(channels_last(array))

    def empty(self, shape: tuple[int, ...], kind: type[np.generic]) -> tuple[Tensor, NDArray]:
        import torch

        tensor = torch.empty(shape, dtype=_type(kind), memory_format=torch.channels_last)
        return tensor, _view(tensor)

    def weights(self, array: Tensor) -> NDArray:
        found: NDArray = array.contiguous().view(len(array), -1).numpy()
        return found

    def new_weights(self, like: Tensor, kind: type[np.generic]) -> tuple[Tensor, NDArray]:
        import torch

        tensor = torch.empty(like.shape, dtype=_type(kind))
        return tensor, self.weights(tensor)

    def unsigned_type(self, bits: int) -> type[np.generic]:
        return np.uint8 if bits <= 8 else np.int32  # PyTorch cannot shift uint16

    def note(self, array: Tensor, low: int, high: int) -> None:
        self._known.note(array, low, high)


def compiled_step_math(known: KnownRanges, *, in_bytes: bool) -> CompiledStepMath:
    """On the CPU, in as many threads as PyTorch has; operands of convolutions are float32, or the
    smallest integers (``in_bytes``)."""
    import torch

    plain = TorchStepMath(torch.device("cpu"), known, in_bytes=in_bytes)
    operand = None if in_bytes else np.float32
    return CompiledStepMath(plain, TensorMemory(known), torch.get_num_threads, operand)


def _view(tensor: Tensor) -> NDArray:
    found: NDArray = tensor.permute(0, 2, 3, 1).reshape(-1).numpy()
    return found


def _type(kind: type[np.generic]) -> Any:
    import torch

    return getattr(torch, "bool" if kind is np.bool_ else np.dtype(kind).name)
