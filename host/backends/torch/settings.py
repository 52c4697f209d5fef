"""PyTorch's switches between exact and approximate float32, set for one convolution at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from fractrain.hw.contract.errors import MachineError

FPMATH_VARIABLES = ("ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE")
"""With these variables oneDNN may round float32 operands; PyTorch cannot override them."""


def refuse_reduced_precision() -> None:
    """Raise `MachineError` where the environment allows oneDNN less than float32."""
    for name in FPMATH_VARIABLES:
        mode = os.environ.get(name, "STRICT")
        if mode.upper() not in ("", "STRICT"):
            raise MachineError(
                f"the environment variable {name} is {mode}: oneDNN may round float32 operands, "
                "and convolutions would not be exact; unset it, or set it to STRICT"
            )


@contextmanager
def exact_float32(device_type: str) -> Iterator[None]:
    """Inside, float32 convolutions and matrix products are computed in float32, term by term.

    The process's settings are overridden, and restored afterwards:

    - oneDNN is on and its float32 is IEEE float32. PyTorch asks it for ``convolution_direct``,
      which is a sum of products; Winograd's form, with its fractions, is another algorithm there.
    - NNPACK is off: it does choose Winograd's form.
    - CUDA's matrix products do not round their operands to TF32, nor sums to half precision.
    - autocast is off, and no graph is recorded.

    The switches are the process's, not the thread's: two threads must not use accelerators of
    this backend at the same time.
    """
    import torch

    autocast: Any = nullcontext()
    if torch.is_autocast_enabled(device_type):
        autocast = torch.autocast(device_type, enabled=False)
    switches = _switches()
    before = [getattr(holder, name) for holder, name, _ in switches]
    (nnpack,) = torch.backends.nnpack.set_flags(False)
    try:
        for holder, name, value in switches:
            setattr(holder, name, value)
        with torch.no_grad(), autocast:
            yield
    finally:
        for (holder, name, _), value in zip(switches, before, strict=True):
            setattr(holder, name, value)
        torch.backends.nnpack.set_flags(nnpack)


def _switches() -> list[tuple[Any, str, object]]:
    """(where, attribute, value)."""
    from torch import backends

    return [
        (backends.mkldnn, "enabled", True),
        (backends.mkldnn.conv, "fp32_precision", "ieee"),
        (backends.mkldnn.matmul, "fp32_precision", "ieee"),
        (backends.cuda.matmul, "fp32_precision", "ieee"),
    ]
