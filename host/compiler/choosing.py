"""Chooses the way in which each step of a program takes the engine's form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NoReturn

from fractrain.host.compiler.arranging import Arrangement
from fractrain.host.compiler.canonical import Way, ways
from fractrain.host.compiler.compiled import Compiled, compiled, result_key
from fractrain.host.compiler.keys import Key
from fractrain.host.compiler.layouts import lay_out
from fractrain.host.compiler.planning import TooLarge
from fractrain.host.compiler.results import Planes, Port
from fractrain.host.compiler.slices import BLOCKS
from fractrain.host.compiler.step import Step
from fractrain.host.compiler.tensors import PixelLayout
from fractrain.host.compiler.work import PlacedTensor
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Pass


class FormChoice:
    """Chooses ways for ``steps`` so that each fits on the chip beside the others."""

    def __init__(self, parameters: Parameters, steps: Sequence[Step]) -> None:
        self.parameters, self.steps = parameters, steps
        self._made = {step.result: step for step in steps if isinstance(step.destination, Planes)}
        self._read = {name for step in steps for name in (step.row, step.column)}

    def settle(self) -> tuple[list[Compiled], dict[Key, PlacedTensor]]:
        """All steps in the engine's form, and their tensors, without addresses.

        Steps that share a tensor can make its rows wider than one alone would, too wide for some of
        them. Those become matrix products, which always fit (`hw.contract.configuration_checks`).
        """
        steps = [self._form(step) for step in self.steps]
        while True:
            tensors = lay_out(self.parameters, steps)
            large = [each for each in steps if not self._fits(each, tensors)]
            if not large:
                return steps, tensors
            for each in large:
                if Way.UNFOLDED not in self._ways(each.step) or each.way is Way.UNFOLDED:
                    self._refuse(each, tensors)
            steps = [
                self._compiled(each.step, Way.UNFOLDED) if each in large else each for each in steps
            ]

    def _form(self, step: Step) -> Compiled:
        """The engine's form: the cheapest way of those that fit on the chip.

        If none fits, the best of all: `settle` then reports what is too large.
        """
        found: list[tuple[float, Compiled]] = []
        possible = self._ways(step)
        for way in possible:
            each = self._compiled(step, way)
            if way is Way.UNFOLDED and step.pass_ is not Pass.GRADIENT and found:
                continue
            if way is Way.UNFOLDED or self._fits(each):
                found.append((self._cost(each), each))
        if not found:
            return self._compiled(step, possible[0])
        return min(found, key=lambda each: each[0])[1]

    def _ways(self, step: Step) -> list[Way]:
        """The ways that keep tensors between steps in the engine's own layout."""
        possible = ways(step.pass_, step.geometry)
        if {step.row, step.column} & set(self._made):
            possible = [way for way in possible if way is Way.DIRECT]
        elif step.result in self._made and step.result in self._read:
            possible = [way for way in possible if way is not Way.UNFOLDED]
        return possible or [Way.UNFOLDED]

    def _compiled(self, step: Step, way: Way) -> Compiled:
        """``step`` by ``way``; raises if it reads another step's result in a different form."""
        made = compiled(step, way, self.parameters)
        for key in (made.row, made.column):
            maker = self._made.get(key.name)
            if maker is not None and key != result_key(maker, self.parameters):
                raise ParameterError(
                    f"operand {key.name}",
                    step.geometry,
                    "a convolution of 3 x 3 with padding 1 or 1 x 1 with padding 0 and stride 1 "
                    "or 2, as the operand is a result that stays in memory as it is",
                )
        return made

    def _fits(self, each: Compiled, tensors: Mapping[Key, PlacedTensor] | None = None) -> bool:
        """Whether its tiles fit on the chip with ``tensors``; default: of a program with this step
        alone."""
        alone = replace(each, step=replace(each.step, destination=Port()))
        if tensors is None:
            tensors = lay_out(self.parameters, [alone])
        try:
            Arrangement(self.parameters, tensors, []).work(alone).cut()
        except TooLarge:
            return False
        return True

    def _cost(self, each: Compiled) -> float:
        """Cycles of a gradient per block of pixels: of the array or of the ports, whichever are
        more."""
        form, p = each.form, self.parameters
        if form.column is None:
            return 0
        row, column = (
            -(-use.channels // p.block.channels) * p.digits(bits)
            for use, bits in zip((form.row, form.column), each.step.stored_bits, strict=True)
        )
        passes = each.gradient_tiles(p) * column * p.digits(each.step.stored_bits[0]) / BLOCKS
        return max(passes, (row * form.stride**2 + column) * p.word_bytes / (8 * p.memory.ports))

    def _refuse(self, each: Compiled, tensors: Mapping[Key, PlacedTensor]) -> NoReturn:
        layout = tensors[each.row].layout
        assert isinstance(layout, PixelLayout)
        raise ParameterError(
            f"rows of {each.step.row}",
            f"{layout.row_width} pixels",
            f"rows of which a row of tiles fits on the chip (buffers.plane_words is "
            f"{self.parameters.buffers.plane_words}), where a tensor stays in memory between steps",
            hint="narrower images, larger buffers, or results that do not leave as planes",
        )
