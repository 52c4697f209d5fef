"""The torch backend: where it opens, on which devices, and with which settings of PyTorch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fractrain.host.accelerator import Accelerator, open_accelerator
from fractrain.hw.contract.errors import MachineError, MissingToolError, ParameterError
from fractrain.sim import golden
from tests.host.backends.passes import assert_same_integers, operands, three_passes

torch = pytest.importorskip("torch", reason="PyTorch is not installed: make torch")
pytest.importorskip("array_api_compat", reason="array-api-compat is not installed: make torch")

from fractrain.host.backends.torch.kernels import DirectKernels  # noqa: E402
from fractrain.host.backends.torch.probe import check_exactness  # noqa: E402
from fractrain.host.backends.torch.settings import exact_float32  # noqa: E402


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "", "cpu:0", 0])
def test_devices_of_no_such_name(device: Any) -> None:
    with pytest.raises(ParameterError, match="device: got .* allowed: cpu, cuda or cuda:N"):
        open_accelerator("torch", device=device)


def test_a_device_that_is_not_there() -> None:
    with pytest.raises(ParameterError, match="got 'cuda:999', .* finds .* CUDA devices"):
        open_accelerator("torch", device="cuda:999")


def test_other_backends_have_no_choice_of_devices() -> None:
    with pytest.raises(ParameterError, match="device: got 'cpu', allowed: none, .* golden"):
        open_accelerator("golden", device="cpu")


def test_the_probe_finds_operands_of_fewer_bits_and_other_algorithms() -> None:
    class Rounded(DirectKernels):
        def __init__(self, pass_: str, operand: int, significand: int) -> None:
            self._pass, self._operand, self._significand = pass_, operand, significand

        def _round(self, pass_: str, *operands: Any) -> list[Any]:
            rounded = list(operands)
            if pass_ == self._pass:
                mantissa, exponent = torch.frexp(operands[self._operand])
                scale = 2.0**self._significand
                rounded[self._operand] = torch.ldexp((mantissa * scale).round() / scale, exponent)
            return rounded

        def forward(self, a: Any, w: Any, *rest: Any) -> Any:
            return super().forward(*self._round("forward", a, w), *rest)

        def error(self, e: Any, w: Any, *rest: Any) -> Any:
            return super().error(*self._round("error", e, w), *rest)

        def gradient(self, a: Any, e: Any, *rest: Any) -> Any:
            return super().gradient(*self._round("gradient", a, e), *rest)

    with exact_float32("cpu"):
        check_exactness(Rounded("forward", 0, 24), "cpu")  # float32 itself
        for pass_ in ("forward", "error", "gradient"):
            for operand in (0, 1):
                for significand in (8, 11):  # bfloat16, TF32
                    with pytest.raises(MachineError, match=f"found in a probe: {pass_}, "):
                        check_exactness(Rounded(pass_, operand, significand), "cpu")

    class Winograd(DirectKernels):
        """F(2x2, 3x3) along one axis: y = (x0·g0 + …) by sums and halves of the weights."""

        def forward(self, a: Any, w: Any, stride: int, padding: int) -> Any:
            if tuple(w.shape[2:]) != (3, 3) or stride != 1:
                return super().forward(a, w, stride, padding)
            both = [(w[..., :1] + sign * w[..., 1:2] + w[..., 2:]) / 2 for sign in (1, -1)]
            x = torch.nn.functional.pad(a, (1, 2, 1, 1))
            columns = [x[..., i : i + a.shape[3] + a.shape[3] % 2 : 2] for i in range(4)]
            parts = [
                (columns[0] - columns[2], w[..., :1]),
                (columns[1] + columns[2], both[0]),
                (columns[2] - columns[1], both[1]),
                (columns[1] - columns[3], w[..., 2:]),
            ]
            m = [torch.nn.functional.conv2d(*part) for part in parts]
            even, odd = m[0] + m[1] + m[2], m[1] - m[2] - m[3]
            return torch.stack((even, odd), -1).flatten(3)[..., : a.shape[3]]

    small_a, small_w = torch.ones(1, 1, 4, 4), torch.ones(1, 1, 3, 3)
    assert torch.equal(
        Winograd().forward(small_a, small_w, 1, 1), DirectKernels().forward(small_a, small_w, 1, 1)
    )
    with exact_float32("cpu"), pytest.raises(MachineError, match="forward, 3x3"):
        check_exactness(Winograd(), "cpu")


def test_opening_asks_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    def inexact(self: Any, a: Any, w: Any, stride: int, padding: int) -> Any:
        return torch.nn.functional.conv2d(a.bfloat16(), w.bfloat16(), None, stride, padding).float()

    monkeypatch.setattr(DirectKernels, "forward", inexact)
    with pytest.raises(MachineError, match="PyTorch .* does not compute float32 .* on cpu"):
        open_accelerator("torch")


def test_settings_of_the_process_do_not_matter_and_are_kept(
    accelerator: Accelerator, rng: np.random.Generator
) -> None:
    backends = torch.backends
    bits = (16, 8, 8)
    a, w, e = operands(rng, (16, 16, 16), (12, 12), (3, 3), bits, 1, 1)
    tensors = [torch.from_numpy(each) for each in (a, w, e)]
    before = backends.mkldnn.conv.fp32_precision
    try:
        backends.mkldnn.conv.fp32_precision = "bf16"
        backends.mkldnn.enabled = False
        with torch.autocast("cpu", dtype=torch.bfloat16), exact_float32("cpu"):
            assert backends.mkldnn.enabled and not torch.is_autocast_enabled("cpu")
            assert backends.mkldnn.conv.fp32_precision == "ieee"
            assert not torch._C._get_nnpack_enabled()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = three_passes(accelerator, *tensors, bits, 1, 1)
        assert backends.mkldnn.conv.fp32_precision == "bf16" and not backends.mkldnn.enabled
    finally:
        backends.mkldnn.conv.fp32_precision = before
        backends.mkldnn.enabled = True
    assert_same_integers(found, three_passes(golden, a, w, e, bits, 1, 1))


def test_an_environment_that_allows_bfloat16_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDNN_DEFAULT_FPMATH_MODE", "BF16")
    with pytest.raises(MachineError, match="ONEDNN_DEFAULT_FPMATH_MODE is BF16: .* unset it"):
        open_accelerator("torch")
    monkeypatch.setenv("ONEDNN_DEFAULT_FPMATH_MODE", "strict")
    open_accelerator("torch").close()


def test_without_pytorch_the_error_says_what_to_install(project_root: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from host.accelerator import open_accelerator\n"
        "try: open_accelerator('torch')\n"
        f"except Exception as e: assert type(e).__name__ == {MissingToolError.__name__!r}; print(e)"
    )
    environment = os.environ | {"PYTHONPATH": str(project_root)}
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60
    )
    assert "the Python package torch is not installed" in result.stdout, result.stderr
    assert "make torch" in result.stdout
