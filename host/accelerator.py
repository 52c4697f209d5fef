"""The accelerator's interface: three exact integer convolutions and some counters.

    with open_accelerator("golden", config="tiny") as accelerator:
        y = accelerator.forward(a, w, bits=(4, 3), stride=1, padding=1)
        dx = accelerator.error(e, w, bits=(6, 3), stride=1, padding=1, input_size=(16, 16))
        dw = accelerator.gradient(a, e, bits=(4, 6), stride=1, padding=1, kernel_size=3)

Every backend computes the same integers (`sim.golden.definition` has the formulas), so code
written against `Accelerator` trains the same network, bit for bit, on any of them.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.host.compiler import Program, run_stepwise
from fractrain.host.graph.arguments import (
    check_bit_pair,
    check_convolution,
    check_equal,
    check_groups,
    check_layers,
    check_operand,
    check_output,
    check_stored,
    check_windows,
    pair,
    size_of,
    whole,
)
from fractrain.host.graph.convolution import Convolution, usual_convolution
from fractrain.host.graph.geometry import Geometry
from fractrain.host.graph.pieces import Piece
from fractrain.host.graph.skipping import find_running
from fractrain.host.graph.step import StepGraph
from fractrain.host.machine.counters import Counters
from fractrain.host.machine.vector_machine import VectorMachine
from fractrain.host.machine.work import MachineWork, ProgramRun
from fractrain.host.numerics.elementwise import Elementwise
from fractrain.host.numerics.quantization import Quantized
from fractrain.host.numerics.real_convolutions import RealConvolutions
from fractrain.host.numerics.step_math import StepMath
from fractrain.host.usual_machines import USUAL_CONFIG
from fractrain.hw.contract.errors import MachineError, ParameterError
from fractrain.hw.contract.parameters import Parameters, load_parameters
from fractrain.hw.contract.precision import Pass, Precision

Integers = NDArray[np.integer]
Size = int | tuple[int, int]

BACKENDS = {
    "golden": ("fractrain.host.backends.golden", "GoldenAccelerator"),
    "cosim": ("fractrain.host.backends.cosim", "CosimAccelerator"),
    "torch": ("fractrain.host.backends.torch.accelerator", "TorchAccelerator"),
    "board": ("fractrain.host.backends.board", "BoardAccelerator"),
    "functional": ("fractrain.host.backends.functional", "FunctionalAccelerator"),
}
"""Name → module and class; imported when opened, as some need further tools."""


def open_accelerator(
    name: str, config: str | Path | Parameters | None = None, device: str | None = None
) -> Accelerator:
    """Open the backend ``name`` for a machine of ``config``; close it, or use ``with``.

    ``config`` is the name of a preset, the path of a YAML file, or the parameters themselves; by
    default the preset ``tiny``, on the board the machine of its bitstream.
    ``device``, if there is a choice: ``cpu``, ``cuda`` (torch); ``local``, ``simulated`` (board).

    Raises `ParameterError` for an unknown backend and for errors in the configuration, `DataError`
    if there is no such configuration, and `MissingToolError` if the backend lacks a tool.
    """
    if config is not None and not isinstance(config, str | Path | Parameters):
        raise ParameterError("config", config, "the name of a preset, a path or Parameters")
    backend: Any = find_backend(name)
    if device is not None and not backend.takes_device:
        raise ParameterError("device", device, f"none, the backend {name} has no choice of them")
    if not isinstance(config, Parameters):
        config = backend.find_parameters(config or backend.usual_config(device), device)
    return backend(config) if device is None else backend(config, device)


def find_backend(name: str) -> type[Accelerator]:
    """The class of the backend ``name``; `ParameterError` if there is none."""
    if not isinstance(name, str) or name not in BACKENDS:
        raise ParameterError("backend", name, " or ".join(BACKENDS))
    module, kind = BACKENDS[name]
    backend: type[Accelerator] = getattr(importlib.import_module(module), kind)
    return backend


class Accelerator(ABC):
    """Base of all backends: checks every argument, then calls the backend's `_convolve`.

    Activations are unsigned, weights and errors signed (two's complement); ``bits`` are those of
    the operands in the order of the arguments. ``stride`` ≥ 1 and ``padding`` ≥ 0 hold for both
    directions; kernels and sizes are free as long as the kernel fits into the padded input.
    Results are exact integers: int64 from backends that return NumPy arrays; from the torch backend
    float32 where no partial sum can exceed 2^24 in magnitude, else float64 where none can exceed
    2^53, else int64, so that ``y.to(torch.int64)`` is the same everywhere.

    A backend implements `_convolve` for checked arguments, adds the cost of a call to
    ``self._counters``, and releases its resources in ``_close``. One with a machine also runs whole
    programs (`_run`) and pieces of a step (`run_piece`).
    Raises `ParameterError` for wrong arguments and `MachineError` after `close`.
    """

    elementwise: Elementwise
    """Its ``xp`` is the namespace of the arrays that this backend takes and returns. Code around it
    calls only functions that NumPy and PyTorch spell alike: tensors stay where they are kept."""

    reads_planes = False
    """Whether reading only the top planes of a stored operand (``stored``) saves anything here."""

    takes_device = False
    """Whether the constructor takes the name of a device after the parameters."""

    measured_as: str | None = None
    """The source of the counters, if a machine runs: ``RTL cycles``, ``board``."""

    vector_machine: VectorMachine | None = None
    """The machine for whole steps, if it has a vector unit."""

    program_observer: Callable[[ProgramRun], None] | None = None
    """If set, called with each program that a machine has run here."""

    def __init__(self, parameters: Parameters, elementwise: Elementwise | None = None) -> None:
        self.parameters = parameters
        self.elementwise = elementwise or Elementwise()
        self._counters = Counters()
        self._open = True

    @classmethod
    def usual_config(cls, device: str | None, usual: str = USUAL_CONFIG) -> str:
        """The name of the default configuration: ``usual``, but for a board's bitstream."""
        return usual

    @classmethod
    def find_parameters(cls, config: str | Path, device: str | None) -> Parameters:
        """The parameters of ``config``, a preset's name or a path."""
        return load_parameters(config)

    # -- the three passes ------------------------------------------------------------------

    def forward(
        self,
        a: Integers,
        w: Integers,
        bits: tuple[int, int],
        stride: int = 1,
        padding: int = 0,
        *,
        stored: int | None = None,
    ) -> NDArray[np.int64]:
        """``y[N,K,P,Q]`` of activations ``a[N,C,H,W]``, weights ``w[K,C,R,S]``; bits (a, w).

        ``stored``: ``a`` has so many bits in memory, of which the most significant are read.
        """
        bits, stride, padding = self._check_call(Pass.FORWARD, bits, stride, padding)
        stored = check_stored(stored, bits[0], self.parameters.precision.max_bits)
        a = self._operand("a", a, "[N,C,H,W]", stored, signed=False)
        w = self._operand("w", w, "[K,C,R,S]", bits[1], signed=True)
        check_equal("w.shape[1], input channels", w.shape[1], a.shape[1], "as a has channels")
        check_windows(a.shape[2:], w.shape[2:], stride, padding)
        shape = a.shape[0], a.shape[1], w.shape[0]
        geometry = Geometry(*shape, size_of(a.shape), size_of(w.shape), stride, padding)
        return self._multiply(usual_convolution(Pass.FORWARD, geometry, bits, stored), a, w)

    def error(
        self,
        e: Integers,
        w: Integers,
        bits: tuple[int, int],
        stride: int = 1,
        padding: int = 0,
        *,
        input_size: Size,
    ) -> NDArray[np.int64]:
        """``dx[N,C,H,W]`` of errors ``e[N,K,P,Q]`` and weights ``w[K,C,R,S]``; bits (e, w).

        ``input_size`` (H, W) of the forward pass; with a stride, several have the same output.
        """
        bits, stride, padding = self._check_call(Pass.ERROR, bits, stride, padding)
        size = pair("input_size", input_size)
        e = self._operand("e", e, "[N,K,P,Q]", bits[0], signed=True)
        w = self._operand("w", w, "[K,C,R,S]", bits[1], signed=True)
        check_equal("w.shape[0], output channels", w.shape[0], e.shape[1], "as e has channels")
        windows = check_windows(size, w.shape[2:], stride, padding)
        check_output(e.shape[2:], windows, f"input_size {size}")
        shape = e.shape[0], w.shape[1], w.shape[0]
        geometry = Geometry(*shape, size, size_of(w.shape), stride, padding)
        return self._multiply(usual_convolution(Pass.ERROR, geometry, bits), e, w)

    def gradient(
        self,
        a: Integers,
        e: Integers,
        bits: tuple[int, int],
        stride: int = 1,
        padding: int = 0,
        *,
        kernel_size: Size,
        stored: int | None = None,
    ) -> NDArray[np.int64]:
        """``dw[K,C,R,S]`` of activations ``a[N,C,H,W]`` and errors ``e[N,K,P,Q]``; bits (a, e).
        ``stored`` as in `forward`.
        """
        bits, stride, padding = self._check_call(Pass.GRADIENT, bits, stride, padding)
        stored = check_stored(stored, bits[0], self.parameters.precision.max_bits)
        kernel = pair("kernel_size", kernel_size)
        a = self._operand("a", a, "[N,C,H,W]", stored, signed=False)
        e = self._operand("e", e, "[N,K,P,Q]", bits[1], signed=True)
        check_equal("e.shape[0], images", e.shape[0], a.shape[0], "as a has images")
        windows = check_windows(a.shape[2:], kernel, stride, padding)
        check_output(e.shape[2:], windows, f"a of {tuple(a.shape[2:])}")
        shape = a.shape[0], a.shape[1], e.shape[1]
        geometry = Geometry(*shape, size_of(a.shape), kernel, stride, padding)
        return self._multiply(usual_convolution(Pass.GRADIENT, geometry, bits, stored), a, e)

    def convolve(
        self, convolution: Convolution, row: Integers, column: Integers
    ) -> NDArray[np.int64]:
        """Any of them, as a value; ``row`` and ``column`` have its ``stored`` bits."""
        self._check_open(convolution.pass_.label)
        check_convolution(convolution, self.parameters.precision.max_bits)
        names = (each.name.lower() for each in (convolution.pass_.row, convolution.pass_.column))
        shapes = convolution.row_shape, convolution.column_shape
        operands = []
        for name, values, shape, bits, signed in zip(
            names, (row, column), shapes, convolution.stored, convolution.signed, strict=True
        ):
            operand = self._operand(name, values, str(shape), bits, signed=signed)
            check_equal(f"{name}.shape", tuple(operand.shape), shape, "as the convolution says")
            operands.append(operand)
        return self._multiply(convolution, *operands)

    # -- whole steps of training -----------------------------------------------------------

    def prepare(self, graph: StepGraph) -> None:
        """Prepare for the pieces of ``graph``, before it is carried out.

        Raises `ParameterError` for a step that this machine cannot do.
        """
        check_layers(graph.convolutions)

    def run_piece(
        self, piece: Piece, operands: Mapping[str, Integers], table: Sequence[Precision]
    ) -> dict[str, NDArray[np.int64]]:
        """Results, by name, of the convolutions of ``piece``, without those that ``table``, the
        precisions of all slots, skips, and without those that lack an operand.

        ``operands``: by the names of the tensors in memory (`Tensor.stored`), with their bits; for
        a backend that does not read planes, by their own names, with the bits to multiply.
        """
        results = {}
        running = find_running(piece.convolutions, table, operands, stored=self.reads_planes)
        for each in running:
            convolution, row, column = each.convolution(table), each.row, each.column
            if self.reads_planes:
                row, column = row.stored, column.stored
            elif convolution.stored != convolution.bits:
                convolution = replace(convolution, stored=convolution.bits)
            results[each.result.name] = self.convolve(
                convolution, operands[row.name], operands[column.name]
            )
        return results

    def run(
        self,
        program: Program,
        operands: Mapping[str, Integers],
        precisions: Mapping[int, Precision],
    ) -> dict[str, NDArray[np.int64] | None]:
        """Results, by name, of all steps of ``program``.

        ``precisions`` of its slots, at most the bits of its tensors in memory; with fewer bits an
        operand keeps the most significant ones (it is shifted right). With 0 bits of either operand
        the step is skipped: its result is None, and zeros for steps that read it.
        """
        self._check_open("run")
        program.check_operands(operands)
        program.check_precisions(precisions)
        return self._run(program, operands, precisions)

    @property
    @abstractmethod
    def step_math(self) -> StepMath:
        """The work around the convolutions of an integer step, on this backend's arrays."""

    # -- for comparison --------------------------------------------------------------------

    def real_convolutions(self) -> RealConvolutions:
        """The same convolutions of real numbers; `ParameterError` if the backend has none."""
        allowed = "hardware or float: this backend multiplies integers, as the machine"
        raise ParameterError("mode", "reference", allowed)

    # -- life ------------------------------------------------------------------------------

    @property
    def counters(self) -> Counters:
        """Counts since the accelerator was opened; readable after `close`, too."""
        return self._counters

    @property
    def work(self) -> MachineWork | None:
        """The same by pass; None without a machine."""
        return None

    @property
    def clock_hz(self) -> float:
        """Parameters of the machine that counts cycles."""
        return self.parameters.clock_mhz * 1e6

    def close(self) -> None:
        """Release the machine; closing twice is no error."""
        if self._open:
            self._open = False
            self._close()

    def __enter__(self) -> Accelerator:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- what a backend does ---------------------------------------------------------------

    @abstractmethod
    def _convolve(
        self, convolution: Convolution, row: Integers, column: Integers
    ) -> NDArray[np.int64]:
        """The sums of ``convolution``. Of a backend that does not read planes, ``stored`` is
        ``bits``."""

    def _multiply(
        self, convolution: Convolution, row: Integers, column: Integers
    ) -> NDArray[np.int64]:
        """The sums of checked operands."""
        check_groups("groups", convolution.geometry)
        if not self.reads_planes and convolution.stored != convolution.bits:
            row, column = (
                values if stored == bits else self._top(values, stored, bits)
                for values, stored, bits in zip(
                    (row, column), convolution.stored, convolution.bits, strict=True
                )
            )
            convolution = replace(convolution, stored=convolution.bits)
        return self._convolve(convolution, row, column)

    def _top(self, a: Integers, stored: int, bits: int) -> Integers:
        top: Integers = self.elementwise.top_planes(Quantized(a, 1.0, stored), bits).integers
        return top

    def _run(
        self,
        program: Program,
        operands: Mapping[str, Integers],
        precisions: Mapping[int, Precision],
    ) -> dict[str, NDArray[np.int64] | None]:
        """One step after the other; a backend with a machine runs the whole program on it."""
        return run_stepwise(program, operands, precisions, self._convolve)

    def _close(self) -> None:  # noqa: B027  a backend that holds nothing has nothing to do
        """Release the backend's resources."""

    # -- checks ----------------------------------------------------------------------------

    def _check_open(self, call: str) -> None:
        if not self._open:
            raise MachineError(f"{call}: the accelerator is closed; open it again")

    def _check_call(
        self, which: Pass, bits: tuple[int, int], stride: int, padding: int
    ) -> tuple[tuple[int, int], int, int]:
        """The common arguments of all passes, as plain integers."""
        self._check_open(which.label)
        pair_of_bits = check_bit_pair(which, bits, self.parameters.precision.max_bits)
        return pair_of_bits, whole("stride", stride, 1), whole("padding", padding, 0)

    def _operand(
        self, name: str, values: object, axes: str, bits: int, *, signed: bool
    ) -> Integers:
        """``values`` as an array of integers that fit, or a `ParameterError` with the reason."""
        return check_operand(name, values, axes, bits, signed=signed)
