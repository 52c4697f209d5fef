"""PyTorch as an accelerator: the golden model's integers, fast enough for long trainings."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any

import numpy as np

from fractrain.host.accelerator import Accelerator, Integers
from fractrain.host.backends.compiled.compiling import can_compile
from fractrain.host.backends.torch.byte_kernels import ByteKernels
from fractrain.host.backends.torch.elementwise import TorchElementwise
from fractrain.host.backends.torch.exact import Operand, exact_sums, make_sums
from fractrain.host.backends.torch.kernels import DirectKernels, Kernels, MatrixKernels
from fractrain.host.backends.torch.known import KnownRanges
from fractrain.host.backends.torch.probe import check_exactness, multiplies_bytes, to_device
from fractrain.host.backends.torch.settings import exact_float32, refuse_reduced_precision
from fractrain.host.backends.torch.step_math import TorchStepMath
from fractrain.host.compiler import Program, Results, run_stepwise
from fractrain.host.graph.convolution import Convolution
from fractrain.host.numerics.real_convolutions import RealConvolutions
from fractrain.host.numerics.step_math import StepMath
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.installation import needs_extra
from fractrain.hw.contract.layout import check_values
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision, value_range

Tensor = Any


class TorchAccelerator(Accelerator):
    """Exact convolutions of PyTorch on ``device``: ``cpu``, ``cuda`` or ``cuda:N``.

    Operands are tensors on the device, of an integer type or float32 with integer values, or the
    arrays of other backends; results are float tensors in the memory format ``channels_last``, of
    the types in `Accelerator`. Operands in another format are copied.

    `host.backends.torch.exact` guarantees exactness. On a CPU it needs the norms of some operands,
    an eighth of the time of the convolutions. Elsewhere it uses widths only, and waits for the
    device just for new values (`elementwise` knows the ranges of those that it quantized). The
    price is more and smaller products: at 8/8/8 bits a sum of more than 514 terms takes two forward
    and in the error, 58 channels under 3 x 3, and a gradient of 32 x 32 pixels two for each group
    of 8 images.

    PyTorch has its own threads (``OMP_NUM_THREADS``, `torch.set_num_threads`). Convolutions do not
    depend on their number; sums of real numbers in `elementwise` do, in the last bits.

    No machine runs, so the counters stay zero. Raises `MissingToolError` without PyTorch,
    `ParameterError` for a device that is not there, and `MachineError` if PyTorch is not exact.
    """

    takes_device = True

    def __init__(self, parameters: Parameters, device: str = "cpu") -> None:
        with needs_extra("torch"):
            import torch
            from array_api_compat import torch as xp
        self.device = _checked_device(device)
        self.known = KnownRanges()
        super().__init__(parameters, TorchElementwise(xp, self.device, self.known))
        self._torch: Any = torch
        self._on_cpu = self.device.type == "cpu"
        self._kernels: Kernels = MatrixKernels()
        self._of_bytes: ByteKernels | None = None
        if self._on_cpu:
            refuse_reduced_precision()
            if torch.backends.mkldnn.is_available():
                self._kernels = DirectKernels()
                if multiplies_bytes(ByteKernels()):
                    self._of_bytes = ByteKernels()
        with exact_float32(self.device.type):
            check_exactness(self._kernels, str(self.device))

    @cached_property
    def step_math(self) -> StepMath:
        """On a CPU with Numba the compiled form, else PyTorch's own operations."""
        if self._on_cpu and can_compile():
            from fractrain.host.backends.torch.compiled_step_math import compiled_step_math

            return compiled_step_math(self.known, in_bytes=self._in_bytes)
        return TorchStepMath(self.device, self.known, in_bytes=self._in_bytes)

    @property
    def _in_bytes(self) -> bool:
        """Whether operands of up to 8 bits are best kept as bytes."""
        return self._of_bytes is not None

    # -- the three passes ------------------------------------------------------------------

    def _convolve(self, convolution: Convolution, row: Tensor, column: Tensor) -> Tensor:
        sums = make_sums(convolution, self._kernels, self._of_bytes, reads_data=self._on_cpu)
        with exact_float32(self.device.type):
            return exact_sums(sums, self._as_operand(row), self._as_operand(column))

    def real_convolutions(self) -> RealConvolutions:
        return _RealConvolutions(self._kernels, self.device.type)

    def _run(
        self,
        program: Program,
        operands: Mapping[str, Integers],
        precisions: Mapping[int, Precision],
    ) -> Results:
        """Programs go from host to host: NumPy arrays in and out."""

        def convolve(convolution: Convolution, row: Integers, column: Integers) -> Any:
            return self._convolve(convolution, row, column).to(self._torch.int64).cpu().numpy()

        return run_stepwise(program, operands, precisions, convolve)

    def _top(self, a: Any, stored: int, bits: int) -> Any:
        """Of an operand: it has been checked and converted already."""
        step = 1 << (stored - bits)
        return Operand((a.floats * (1 / step)).floor_(), max(a.magnitude // step, 1))

    # -- operands --------------------------------------------------------------------------

    def _operand(self, name: str, values: object, axes: str, bits: int, *, signed: bool) -> Any:
        if not isinstance(values, self._torch.Tensor):
            return self._as_operand(super()._operand(name, values, axes, bits, signed=signed))
        tensor: Tensor = values
        self._check_kind(name, tensor, axes)
        tensor = tensor.contiguous(memory_format=self._torch.channels_last)
        integers = tensor.detach()
        if tensor.dtype not in (self._torch.uint8, self._torch.int8):
            integers = integers.to(self._torch.float32)
        low, high = value_range(bits, signed)
        known = self.known.of(tensor)
        if known is None or known[0] < low or known[1] > high:
            known = _range_of(integers)
            if known is None or known[0] < low or known[1] > high:
                raise _misfit(name, tensor, bits, signed)
            self.known.note(tensor, *known)
        return Operand(integers, max(-known[0], known[1], 1))

    def _check_kind(self, name: str, tensor: Tensor, axes: str) -> None:
        if tensor.layout != self._torch.strided or tensor.dtype not in _operand_types():
            raise ParameterError(
                f"{name}.dtype",
                f"{tensor.dtype}, {tensor.layout}",
                "a dense tensor of an integer type, or float32 with whole numbers",
            )
        if tensor.device != self.device:
            raise ParameterError(
                f"{name}.device",
                str(tensor.device),
                f"{self.device}, where the accelerator was opened",
                hint="Accelerator.elementwise.from_host brings arrays there",
            )
        if tensor.ndim != 4 or 0 in tensor.shape:
            shape = tuple(tensor.shape)
            raise ParameterError(f"{name}.shape", shape, f"four axes {axes}, each at least 1")

    def _as_operand(self, values: Any) -> Operand:
        """``values``, an array of checked integers or an operand already."""
        if isinstance(values, Operand):
            return values
        magnitude = max(-int(values.min()), int(values.max()), 1)
        return Operand(to_device(values, str(self.device)), magnitude)


class _RealConvolutions(RealConvolutions):
    """The same kernels on tensors of real numbers."""

    def __init__(self, kernels: Kernels, device_type: str) -> None:
        self._kernels, self._device_type = kernels, device_type

    def convolve(self, convolution: Convolution, row: Tensor, column: Tensor) -> Tensor:
        with exact_float32(self._device_type):
            return self._kernels.convolve(convolution, row, column)


def _checked_device(device: object) -> Any:
    """The device of that name, with its index."""
    import torch

    allowed = "cpu, cuda or cuda:N, N the number of a device"
    if not isinstance(device, str) or not re.fullmatch(r"cpu|cuda(:\d{1,3})?", device):
        raise ParameterError("device", device, allowed)
    if device == "cpu":
        return torch.device("cpu")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    index = int(device.partition(":")[2] or 0)
    if index >= count:
        raise ParameterError(
            "device",
            device,
            allowed,
            where=f"PyTorch {torch.__version__} finds {count} CUDA devices",
            hint="nvidia-smi lists devices; PyTorch must be a build for CUDA",
        )
    return torch.device("cuda", index)


@cache
def _operand_types() -> frozenset[Any]:
    """What operands may be: bool and complex numbers are not, nor floats of other precisions."""
    import torch

    names = "uint8 uint16 uint32 int8 int16 int32 int64 float32"
    return frozenset(getattr(torch, name) for name in names.split())


def _range_of(values: Tensor) -> tuple[int, int] | None:
    """Least and greatest of ``values`` (`channels_last`) if all are finite integers, else None.

    Three passes over the tensor in all, a fifth of the time of a 3 x 3 convolution with 16 filters.
    """
    import torch

    flat = values.permute(0, 2, 3, 1).reshape(-1)
    if not flat.is_floating_point():
        low, high = flat.aminmax()
        return int(low), int(high)
    low, high = float(flat.amin()), float(flat.amax())
    if not (math.isfinite(low) and math.isfinite(high) and torch.equal(flat, flat.round())):
        return None
    return int(low), int(high)


def _misfit(name: str, tensor: Tensor, bits: int, signed: bool) -> ParameterError:
    """What to say of a tensor of which not all values are integers of ``bits`` bits."""
    array = tensor.detach().cpu().numpy()
    if array.dtype.kind == "f":
        wrong = ~np.isfinite(array) | (array != np.round(array))
        if wrong.any():
            position = np.unravel_index(int(np.argmax(wrong)), array.shape)
            low, high = value_range(bits, signed)
            where = f"{name}{[int(i) for i in position]}"
            return ParameterError(where, float(array[position]), f"whole numbers, {low}..{high}")
    try:
        check_values(name, array.astype(np.int64), bits, signed)
    except ParameterError as error:
        return error
    raise AssertionError(f"{name}: every value fits")
