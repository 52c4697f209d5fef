"""A step on PyTorch is computed in PyTorch: NumPy sees numbers of images and channels, never what
has the size of a tensor. Compiled kernels are handed its memory, and NumPy computes nothing there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fractrain.host.accelerator import open_accelerator
from fractrain.host.backends.compiled import kernels_backward, kernels_forward, kernels_weights
from fractrain.host.backends.compiled.compiling import can_compile
from tests.host.training.test_trainer import PLAN, gated, trainer_of

torch = pytest.importorskip("torch", reason="PyTorch is not installed: make torch")
pytest.importorskip("array_api_compat", reason="array-api-compat is not installed: make torch")

from fractrain.host.backends.torch import accelerator as backend  # noqa: E402
from fractrain.host.backends.torch import compiled_step_math as compiled  # noqa: E402

Patch = pytest.MonkeyPatch

MOST = PLAN.batch * 64
"""Elements that the host may have of a tensor: sums of each image and channel, pooled features."""

WAYS_OUT = ("numpy", "__array__", "tolist", "__dlpack__")
KERNELS = (
    *((kernels_forward, name) for name in ("narrow", "form")),
    *((kernels_backward, name) for name in ("join", "apply")),
    *((kernels_weights, name) for name in ("quantize", "update")),
)


class LeavesTorchError(AssertionError):
    """A whole tensor was given to NumPy."""


def guard(monkeypatch: Patch) -> None:
    """Tensors of more than `MOST` elements have no way to NumPy."""
    for name in WAYS_OUT:
        monkeypatch.setattr(torch.Tensor, name, _refusing(getattr(torch.Tensor, name)))


def _refusing(original: Callable[..., Any]) -> Callable[..., Any]:
    def leave(tensor: Any, *arguments: Any, **options: Any) -> Any:
        if tensor.numel() > MOST:
            raise LeavesTorchError(tuple(tensor.shape))
        return original(tensor, *arguments, **options)

    return leave


class Handed(np.ndarray):
    """Memory of a tensor on its way to a kernel; views of it may be made, nothing else."""

    def __array_ufunc__(self, ufunc: Any, *_: Any, **__: Any) -> Any:
        raise LeavesTorchError(f"{ufunc} of {self.shape}")

    def __array_function__(self, function: Any, *_: Any, **__: Any) -> Any:
        raise LeavesTorchError(f"{function} of {self.shape}")

    def astype(self, *_: Any, **__: Any) -> Any:
        raise LeavesTorchError(f"astype of {self.shape}")

    copy = astype


def hand_over(monkeypatch: Patch, original: Callable[..., Any]) -> list[str]:
    """Let tensors' memory, by their own ``numpy``, reach kernels; the names of those that ran."""
    ran: list[str] = []

    def view(tensor: Any) -> NDArray:
        flat = tensor.permute(0, 2, 3, 1).reshape(-1)
        assert flat.data_ptr() == tensor.data_ptr(), "a copy"
        return original(flat).view(Handed)

    def weights(memory: Any, array: Any) -> NDArray:
        return original(array.contiguous().view(len(array), -1)).view(Handed)

    monkeypatch.setattr(compiled, "_view", view)
    monkeypatch.setattr(compiled.TensorMemory, "weights", weights)
    for module, name in KERNELS:
        monkeypatch.setattr(module, name, _kernel(module, name, ran))
    return ran


def _kernel(module: ModuleType, name: str, ran: list[str]) -> Callable[..., Any]:
    kernel = getattr(module, name)

    def run(*arguments: Any) -> Any:
        ran.append(name)
        return kernel(*map(_opened, arguments))

    return run


def _opened(argument: Any) -> Any:
    if isinstance(argument, tuple):
        return tuple(map(_opened, argument))
    return argument.view(np.ndarray) if isinstance(argument, Handed) else argument


def train(before: Callable[[], object]) -> None:
    """Two steps, at other bits each; ``before`` them, when the backend has checked itself."""
    candidates = ((4, 4, 6), (8, 8, 8))
    recipe = gated(candidates=candidates, targets=(2.1, 6.0), beta=30.0)
    with open_accelerator("torch") as accelerator:
        trainer = trainer_of(accelerator, replace(PLAN, steps=2), recipe, "hardware")
        before()
        trainer.train(lambda _: None)


def test_the_plain_form(monkeypatch: Patch) -> None:
    monkeypatch.setattr(backend, "can_compile", lambda: False)
    train(lambda: guard(monkeypatch))


@pytest.mark.skipif(not can_compile(), reason="Numba is not installed")
def test_the_compiled_form(monkeypatch: Patch) -> None:
    ran = hand_over(monkeypatch, torch.Tensor.numpy)
    train(lambda: guard(monkeypatch))
    assert set(ran) == {name for _, name in KERNELS}


@pytest.mark.parametrize(
    "leave", [np.asarray, np.isfinite, lambda t: t.numpy(), lambda t: t.tolist()]
)
@pytest.mark.filterwarnings("ignore:__array_wrap__")
def test_a_tensor_that_leaves_is_seen(monkeypatch: Patch, leave: Callable[[Any], Any]) -> None:
    guard(monkeypatch)
    leave(torch.zeros(MOST))
    with pytest.raises(LeavesTorchError):
        leave(torch.zeros(MOST + 1))


@pytest.mark.parametrize("compute", [np.abs, np.sum, lambda x: x + x, lambda x: x.max()])
def test_numpy_on_what_is_handed_over_is_seen(compute: Callable[[Any], Any]) -> None:
    with pytest.raises(LeavesTorchError):
        compute(np.zeros(3).view(Handed))
