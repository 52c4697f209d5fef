"""The compiler's input: convolutions between named tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fractrain.host.compiler.results import Destination, Planes, Raw
from fractrain.host.graph.convolution import operand_shapes
from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Pass, check_bits


@dataclass(frozen=True)
class Step:
    """One pass of one convolution, at the precision of ``slot``.

    ``row`` and ``column`` name its operands in the order of the pass (`Pass.row`, `Pass.column`),
    ``result`` its result. ``stored_bits``: bits of the operands for which memory has room. Values
    in memory may have fewer bits, and the slot still fewer: then their most significant bits are
    multiplied. ``signs``: which operands are two's complement; by default all but activations.
    """

    pass_: Pass
    geometry: Geometry
    slot: int
    row: str
    column: str
    result: str
    stored_bits: tuple[int, int] = (8, 8)
    destination: Destination = field(default_factory=Raw)
    signs: tuple[bool, bool] | None = None

    @property
    def signed(self) -> tuple[bool, bool]:
        """Which operands are two's complement."""
        return self.signs or (self.pass_.row.signed, self.pass_.column.signed)

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Of the first operand."""
        return operand_shapes(self.pass_, self.geometry)[0]

    @property
    def column_shape(self) -> tuple[int, ...]:
        """Of the second."""
        return operand_shapes(self.pass_, self.geometry)[1]

    @property
    def result_shape(self) -> tuple[int, ...]:
        return operand_shapes(self.pass_, self.geometry)[2]


def check_steps(steps: Sequence[Step], parameters: Parameters) -> None:
    """Raise `ParameterError` for steps that contradict each other or the machine."""
    bits: dict[str, tuple[int, bool]] = {}
    for step in steps:
        check_slot("step.slot", step.slot, parameters)
        if step.geometry.groups > 1:
            allowed = "1: the machine multiplies every channel with every filter"
            raise ParameterError(f"groups of {step.result}", step.geometry.groups, allowed)
        names = step.row, step.column
        for name, width, signed in zip(names, step.stored_bits, step.signed, strict=True):
            check_bits("step.stored_bits", width, maximum=parameters.precision.max_bits)
            known = bits.setdefault(name, (width, signed))
            if known != (width, signed):
                raise ParameterError(
                    f"bits and sign of {name}", (width, signed), f"{known}, as before"
                )
        if step.result in bits:
            raise ParameterError("step.result", step.result, "the name of a tensor not used before")
        if isinstance(step.destination, Planes):
            _check_planes(step, step.destination)
            bits[step.result] = step.destination.bits, step.destination.signed
        else:
            bits[step.result] = 0, True
    if not steps:
        raise ParameterError("steps", [], "at least one")


def check_slot(name: str, slot: int, parameters: Parameters) -> None:
    """Raise `ParameterError` unless the precision table has ``slot``."""
    if not 0 <= slot < parameters.precision.slots:
        raise ParameterError(name, slot, f"0..{parameters.precision.slots - 1}")


def _check_planes(step: Step, planes: Planes) -> None:
    check_bits("destination.bits", planes.bits)
    if not 0 <= planes.shift <= 63:
        raise ParameterError("destination.shift", planes.shift, "0..63")
    if step.pass_ is Pass.GRADIENT:
        raise ParameterError("destination", planes, "Raw or Port, as gradients are not narrowed")
