"""Convolutions of a step as steps of programs, the way the cost models ask for them."""

from __future__ import annotations

from collections.abc import Sequence

from fractrain.host.compiler import Planes, Port, Program, Raw, Step, compile_program
from fractrain.host.compiler.results import PLANE_BITS
from fractrain.host.graph.choice import SKIP, Choice, is_skip
from fractrain.host.graph.convolution import Convolution
from fractrain.host.graph.step import StepGraph
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Pass, Precision

MEMORIES = ("port", "ddr")
"""How a step's memory is modelled. ``port``: ideal memory, results leave at the result port (array
time). ``ddr``: the target's memory behind its ports; forward and error write 16-bit planes,
gradients raw sums."""
SKIPPED = Precision(8, 8, 8)
"""Bits in memory of a skipped layer's operands, which are never read."""


def check_memory(memory: str) -> str:
    """``memory``, or a `ParameterError` if there is no such model."""
    if memory not in MEMORIES:
        raise ParameterError("memory", memory, " or ".join(MEMORIES))
    return memory


def make_step(
    convolution: Convolution, slot: int, memory: str, names: tuple[str, str, str]
) -> Step:
    """``convolution`` with operands of exactly its bits, of these names: row, column, result."""
    destination: Port | Raw | Planes = Port()
    if memory == "ddr":
        # how far sums are shifted does not change what that costs
        gradient = convolution.pass_ is Pass.GRADIENT
        destination = Raw() if gradient else Planes(PLANE_BITS, signed=True)
    pass_, geometry, bits = convolution.pass_, convolution.geometry, convolution.bits
    return Step(pass_, geometry, slot, *names, bits, destination, convolution.signed)


def one_slot(convolution: Convolution) -> dict[int, Precision]:
    """The precision table of a program of such convolutions, all with slot 0."""
    return {0: convolution.precision}


def training_program(
    parameters: Parameters, step: StepGraph, choices: Sequence[Choice], memory: str
) -> tuple[Program, dict[int, Precision]]:
    """All convolutions of ``step`` in their order as one command stream, and its precision table.

    Those of a skipped block are skipped by their slot, as on the machine: their commands stay.
    Blocks of one precision share a slot.
    """
    table = [SKIP if is_skip(each) else each for each in step.table(choices)]
    slots = {each: slot for slot, each in enumerate(dict.fromkeys(table))}
    layouts = [SKIPPED if is_skip(each) else each for each in table]
    steps = []
    for each in step.convolutions:
        assert each.slot is not None
        names = each.row.name, each.column.name, each.result.name
        slot = slots[table[each.slot]]
        steps.append(make_step(each.convolution(layouts), slot, memory, names))
    return compile_program(parameters, steps), {slot: each for each, slot in slots.items()}
