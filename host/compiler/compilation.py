"""Turns steps into a command stream and the tensors that it works on."""

from __future__ import annotations

from collections.abc import Sequence

from fractrain.host.compiler.arranging import Arrangement
from fractrain.host.compiler.choosing import FormChoice
from fractrain.host.compiler.gradient import GradientWork
from fractrain.host.compiler.layouts import align, allocate
from fractrain.host.compiler.results import Sent
from fractrain.host.compiler.schedule import CommandBuilder
from fractrain.host.compiler.step import Step, check_steps
from fractrain.hw.contract.commands import Command
from fractrain.hw.contract.parameters import Parameters


class Compilation:
    """The compiler's result.

    ``compiled`` steps, their ``tensors`` and ``commands``; ``log``: what leaves at the port;
    ``end``: the first byte after everything but the commands.
    """

    def __init__(self, parameters: Parameters, steps: Sequence[Step], base: int) -> None:
        check_steps(steps, parameters)
        self.log: list[Sent] = []
        self.compiled, self.tensors = FormChoice(parameters, steps).settle()
        self.end = allocate(parameters, base, self.tensors.values())
        builder = CommandBuilder(parameters)
        arrangement = Arrangement(parameters, self.tensors, self.log)
        for each in self.compiled:
            work = arrangement.work(each)
            for region in each.regions:
                region.address = self.end
                self.end = align(parameters, self.end + region.bytes)
            if isinstance(work, GradientWork):
                work.emit(builder, work.cut())
            else:
                work.emit(builder, work.cut())
        self.commands: list[Command] = builder.commands()
