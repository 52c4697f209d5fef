"""The accelerator's interface: what it returns, what it refuses, and what it says then."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from fractrain.host.accelerator import BACKENDS, Accelerator, open_accelerator
from fractrain.host.machine.counters import Counters
from fractrain.hw.contract.errors import DataError, MachineError, ParameterError
from fractrain.sim.golden import definition
from tests.hw.machines import machine


@pytest.fixture
def accelerator() -> Iterator[Accelerator]:
    with open_accelerator("golden", config="tiny") as opened:
        yield opened


def tensors(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Operands of a 3x3 convolution of stride 2 and padding 1, at 4/3/6 bits, 7x6 → 4x3 pixels."""
    return {
        "a": rng.integers(0, 16, (2, 3, 7, 6)),
        "w": rng.integers(-4, 4, (5, 3, 3, 3)),
        "e": rng.integers(-32, 32, (2, 5, 4, 3)),
    }


GOOD_CALLS: dict[str, dict[str, Any]] = {
    "forward": {"operands": "aw", "bits": (4, 3)},
    "error": {"operands": "ew", "bits": (6, 3), "input_size": (7, 6)},
    "gradient": {"operands": "ae", "bits": (4, 6), "kernel_size": 3},
}


def call(
    accelerator: Accelerator, which: str, tensors: dict[str, np.ndarray], **changes: Any
) -> np.ndarray:
    """A good call of pass ``which``, but for ``changes`` to its arguments."""
    arguments = {"stride": 2, "padding": 1} | GOOD_CALLS[which] | changes
    operands = [tensors[name] for name in arguments.pop("operands")]
    return getattr(accelerator, which)(*operands, **arguments)


def test_the_three_passes(accelerator: Accelerator, rng: np.random.Generator) -> None:
    t = tensors(rng)
    expected = {
        "forward": definition.forward(t["a"], t["w"], 2, 1),
        "error": definition.error(t["e"], t["w"], 2, 1, (7, 6)),
        "gradient": definition.gradient(t["a"], t["e"], 2, 1, (3, 3)),
    }
    for which, truth in expected.items():
        result = call(accelerator, which, t)
        assert result.dtype == np.int64
        np.testing.assert_array_equal(result, truth)


def test_kernel_size_may_be_a_pair(accelerator: Accelerator) -> None:
    a, e = np.ones((1, 1, 4, 4), int), np.ones((1, 1, 3, 1), int)
    result = accelerator.gradient(a, e, bits=(1, 2), stride=1, padding=0, kernel_size=(2, 4))
    np.testing.assert_array_equal(result, np.full((1, 1, 2, 4), 3))


def test_unsigned_and_narrow_integer_types_are_operands(
    accelerator: Accelerator, rng: np.random.Generator
) -> None:
    t = tensors(rng)
    narrow = {
        "a": t["a"].astype(np.uint8),
        "w": t["w"].astype(np.int8),
        "e": t["e"].astype(np.int16),
    }
    for which in GOOD_CALLS:
        np.testing.assert_array_equal(call(accelerator, which, narrow), call(accelerator, which, t))


@pytest.mark.parametrize(
    ("which", "changes", "message"),
    [
        ("forward", {"bits": (0, 3)}, r"bits\[0\], activation: got 0, allowed: .*1\.\.16"),
        ("forward", {"bits": (4, 17)}, r"bits\[1\], weight: got 17, allowed: .*1\.\.16"),
        ("error", {"bits": (-1, 3)}, r"bits\[0\], error: got -1"),
        ("gradient", {"bits": (4, 0)}, r"bits\[1\], error: got 0"),
        ("forward", {"bits": 4}, r"bits: got 4, allowed: a tuple of two whole numbers"),
        ("forward", {"bits": (4, 3, 6)}, r"bits: got \(4, 3, 6\)"),
        ("forward", {"bits": (4.5, 3)}, r"bits: got \(4.5, 3\)"),
        ("forward", {"stride": 0}, r"stride: got 0, allowed: a whole number, 1..65535"),
        ("forward", {"stride": 1.5}, r"stride: got 1.5"),
        ("error", {"stride": True}, r"stride: got True"),
        ("gradient", {"padding": -1}, r"padding: got -1, allowed: a whole number, 0..65535"),
        ("error", {"input_size": (7, 6, 5)}, r"input_size: got \(7, 6, 5\)"),
        ("error", {"input_size": (0, 6)}, r"input_size\[0\]: got 0"),
        ("error", {"input_size": (9, 6)}, r"e.shape\[2:\]: got \(4, 3\), allowed: \(5, 3\)"),
        ("error", {"stride": 1}, r"e.shape\[2:\]: got \(4, 3\), allowed: \(7, 6\)"),
        ("gradient", {"kernel_size": 5}, r"e.shape\[2:\]: got \(4, 3\), allowed: \(3, 2\)"),
        ("gradient", {"kernel_size": (0, 3)}, r"kernel_size\[0\]: got 0"),
        (
            "gradient",
            {"kernel_size": 10},
            r"kernel size: got \(10, 10\), allowed: at most \(9, 8\)",
        ),
    ],
)
def test_wrong_arguments(
    accelerator: Accelerator,
    rng: np.random.Generator,
    which: str,
    changes: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(ParameterError, match=message):
        call(accelerator, which, tensors(rng), **changes)


@pytest.mark.parametrize("which", GOOD_CALLS)
def test_wrong_operands(accelerator: Accelerator, rng: np.random.Generator, which: str) -> None:
    good = tensors(rng)
    for name in GOOD_CALLS[which]["operands"]:

        def refused(message: str, value: np.ndarray, name: str = name) -> None:
            with pytest.raises(ParameterError, match=message):
                call(accelerator, which, good | {name: value})

        refused(rf"{name}.dtype: got 'float64', allowed: an integer", good[name].astype(float))
        refused(rf"{name}.dtype: got 'bool'", good[name] > 0)
        refused(rf"{name}.shape: got \(3, 7\)", np.zeros((3, 7), int))
        refused(rf"{name}.shape: got \(0, 3, 7, 6\)", np.zeros((0, 3, 7, 6), int))
        refused(r"channels|images", np.zeros((6, 4, *good[name].shape[2:]), int))


@pytest.mark.parametrize(
    ("which", "name", "value", "allowed"),
    [
        ("forward", "a", 16, "0..15"),
        ("forward", "a", -1, "0..15"),
        ("forward", "w", 4, "-4..3"),
        ("forward", "w", -5, "-4..3"),
        ("error", "e", 32, "-32..31"),
        ("error", "w", 4, "-4..3"),
        ("gradient", "a", 16, "0..15"),
        ("gradient", "e", -33, "-32..31"),
    ],
)
def test_values_outside_their_width_are_named(
    accelerator: Accelerator,
    rng: np.random.Generator,
    which: str,
    name: str,
    value: int,
    allowed: str,
) -> None:
    t = tensors(rng)
    t[name][1, 2, 0, 1] = value
    with pytest.raises(ParameterError) as caught:
        call(accelerator, which, t)
    assert f"{name}[1, 2, 0, 1]: got {value}, allowed: {allowed}" in str(caught.value)


def test_kernel_must_fit_into_the_padded_input(accelerator: Accelerator) -> None:
    a, w = np.ones((1, 1, 2, 9), int), np.ones((1, 1, 5, 3), int)
    with pytest.raises(
        ParameterError, match=r"kernel size: got \(5, 3\), allowed: at most \(4, 11\)"
    ):
        accelerator.forward(a, w, bits=(1, 2), stride=1, padding=1)


def test_bits_are_limited_by_the_configuration() -> None:
    narrow = machine(precision__max_bits=8)
    with open_accelerator("golden", config=narrow) as accelerator:
        ones = np.ones((1, 1, 1, 1), int)
        with pytest.raises(ParameterError, match=r"bits\[0\], activation: got 9, .*1\.\.8"):
            accelerator.forward(ones, ones, bits=(9, 8))


def test_backends_are_named_when_one_is_unknown() -> None:
    with pytest.raises(ParameterError) as caught:
        open_accelerator("gpu")
    assert all(name in str(caught.value) for name in BACKENDS)


def test_unknown_configuration() -> None:
    with pytest.raises(DataError, match="huge"):
        open_accelerator("golden", config="huge")


def test_closed_accelerator_refuses_work(rng: np.random.Generator) -> None:
    with open_accelerator("golden") as accelerator:
        call(accelerator, "forward", tensors(rng))
    for which in GOOD_CALLS:
        with pytest.raises(MachineError, match="closed"):
            call(accelerator, which, tensors(rng))
    accelerator.close()
    assert accelerator.counters == Counters()


def test_counters_add_up() -> None:
    assert Counters(1, 2, 3, 4) + Counters(10, 20, 30, 40) == Counters(11, 22, 33, 44)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bits": {4, 3}}, r"bits: got \{3, 4\}, allowed: a tuple of two whole numbers"),
        ({"bits": (True, 3)}, r"bits: got \(True, 3\), allowed: a tuple"),
        ({"padding": 10**30}, r"padding: got 10+, allowed: a whole number, 0\.\.65535"),
        ({"a": [[[[1, 2], [3]]]]}, r"a: got 'list', allowed: an array \[N,C,H,W\]"),
        ({"a": np.ma.ones((1, 1, 3, 3), int)}, "a: got 'MaskedArray', allowed: an array without"),
    ],
)
def test_arguments_of_wrong_kinds(arguments: dict, message: str) -> None:
    right = {"a": np.ones((1, 1, 3, 3), int), "w": np.ones((1, 1, 3, 3), int), "bits": (4, 3)}
    with open_accelerator("golden") as accelerator, pytest.raises(ParameterError, match=message):
        accelerator.forward(**(right | arguments))


@pytest.mark.parametrize("config", [{}, 3, b"tiny"])
def test_configurations_of_wrong_kinds(config: object) -> None:
    with pytest.raises(ParameterError, match="config: got .* the name of a preset, a path or"):
        open_accelerator("golden", config)  # type: ignore[arg-type]


def test_a_backend_must_be_a_name() -> None:
    with pytest.raises(ParameterError, match=r"backend: got \[\], allowed: golden or cosim"):
        open_accelerator([])  # type: ignore[arg-type]
