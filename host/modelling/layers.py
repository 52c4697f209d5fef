"""A network as the shapes of its convolutions, and a training step as passes over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fractrain.host.compiler import Geometry, Planes, Port, Program, Raw, Step, compile_program
from fractrain.host.graph.choice import UNQUANTIZED, is_skip
from fractrain.host.graph.step import build_outline
from fractrain.host.graph.tensor import Kind
from fractrain.host.networks.network import Network
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand, Pass, Precision

MEMORIES = ("port", "ddr")
"""How a step's memory is modelled. ``port``: ideal memory, results leave at the result port (array
time). ``ddr``: the ZC706's DDR3 behind its ports; forward and error write 16-bit planes, gradients
raw sums."""
PLANE_BITS = 16
SHORTCUT = ".shortcut"
SKIPPED_BITS = 8
"""What the operands of a skipped layer have in memory; nobody reads them."""


@dataclass(frozen=True)
class LayerShape:
    """One convolution over one image: ``a[channels, *size]``, ``w[filters, channels, *kernel]``.

    ``needs_error``: its backward pass makes the error at its input, too; the first convolution of
    a network does without.
    """

    name: str
    channels: int
    filters: int
    size: tuple[int, int]
    kernel: tuple[int, int]
    stride: int
    padding: int
    needs_error: bool = True

    def __post_init__(self) -> None:
        self.geometry(1)  # refuses what is no convolution

    def geometry(self, images: int) -> Geometry:
        """That of a batch of ``images``."""
        return Geometry(
            images,
            self.channels,
            self.filters,
            self.size,
            self.kernel,
            self.stride,
            self.padding,
        )

    @property
    def passes(self) -> tuple[Pass, ...]:
        """Those of a training step."""
        return tuple(each for each in Pass if each is not Pass.ERROR or self.needs_error)


def layer_shapes(network: Network, image: tuple[int, int, int]) -> list[LayerShape]:
    """The convolutions of ``network`` for an ``image`` [C,H,W], in forward order."""
    shapes = []
    for each in build_outline(network, image).convolutions:
        g = each.geometry
        needs_error = each.row.kind is not Kind.PIXELS
        at = g.size, g.kernel, g.stride, g.padding
        shapes.append(LayerShape(each.layer, g.channels, g.filters, *at, needs_error))
    return shapes


def layer_precisions(
    network: Network,
    image: tuple[int, int, int],
    blocks: Sequence[Precision],
    others: Precision = UNQUANTIZED,
) -> list[Precision]:
    """One for each of `layer_shapes`: its block's; ``others`` for first convolution and shortcuts.

    Raises `ParameterError` unless there is one of ``blocks`` for each block of ``network``.
    """
    outline = build_outline(network, image)
    if len(blocks) != len(outline.blocks):
        raise ParameterError(
            "blocks", len(blocks), f"{len(outline.blocks)} precisions, one for each residual block"
        )
    found = []
    for each in outline.convolutions:
        slot = outline.slots[each.slot or 0]
        found.append(others if slot.block is None else blocks[slot.block])
    return found


def check_precisions(layers: Sequence[LayerShape], precisions: Sequence[Precision]) -> None:
    """Raise `ParameterError` unless there is one of ``precisions`` for each of ``layers``."""
    if len(precisions) != len(layers):
        raise ParameterError(
            "precisions",
            len(precisions),
            f"{len(layers)}, one for each layer",
            hint="the order is that of layer_shapes(): first; per block first, second, shortcut",
        )


def check_memory(memory: str) -> str:
    """``memory``, or a `ParameterError` if there is no such model."""
    if memory not in MEMORIES:
        raise ParameterError("memory", memory, " or ".join(MEMORIES))
    return memory


def make_step(
    pass_: Pass, geometry: Geometry, slot: int, bits: tuple[int, int], memory: str, layer: str = ""
) -> Step:
    """One pass of ``layer``; its tensors are named for it, so that its passes share them."""
    destination: Port | Raw | Planes = Port()
    if memory == "ddr":
        # how far sums are shifted does not change what that costs
        destination = Raw() if pass_ is Pass.GRADIENT else Planes(PLANE_BITS, signed=True)
    row, column = (f"{layer} {operand.name}" for operand in (pass_.row, pass_.column))
    result = f"{layer} {pass_.label} result"
    return Step(pass_, geometry, slot, row, column, result, bits, destination)


def training_program(
    parameters: Parameters,
    layers: Sequence[LayerShape],
    batch: int,
    precisions: Sequence[Precision],
    memory: str,
) -> tuple[Program, dict[int, Precision]]:
    """All passes of a training step as one command stream, and its precision table.

    Forward in the order of ``layers``, then backward as training goes: blocks from the last to the
    first, in each second, first, shortcut; of each layer gradient, then error. A layer is skipped
    by its slot, as on the machine: its commands stay.
    """
    check_precisions(layers, precisions)
    slots = {each: slot for slot, each in enumerate(dict.fromkeys(precisions))}
    table = {slot: Precision(0, 0, 0) if is_skip(each) else each for each, slot in slots.items()}

    def step(pass_: Pass, number: int) -> Step:
        layer, precision = layers[number], precisions[number]
        bits = {
            each: SKIPPED_BITS if is_skip(precision) else precision.bits(each) for each in Operand
        }
        return make_step(
            pass_,
            layer.geometry(batch),
            slots[precision],
            (bits[pass_.row], bits[pass_.column]),
            memory,
            f"{number} {layer.name}",
        )

    steps = [step(Pass.FORWARD, number) for number in range(len(layers))]
    for number in _backward_order(layers):
        steps.append(step(Pass.GRADIENT, number))
        if layers[number].needs_error:
            steps.append(step(Pass.ERROR, number))
    return compile_program(parameters, steps), table


def _backward_order(layers: Sequence[LayerShape]) -> list[int]:
    """Numbers of ``layers``, by the blocks that their names begin with."""
    numbers: dict[str, list[int]] = {}
    for number, layer in enumerate(layers):
        numbers.setdefault(layer.name.rpartition(".")[0], []).append(number)
    order: list[int] = []
    for block in reversed(numbers.values()):
        last_first = block[::-1]
        order += sorted(last_first, key=lambda number: layers[number].name.endswith(SHORTCUT))
    return order
