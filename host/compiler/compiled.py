"""A step in the engine's form: the tensors it reads, what it computes, where results go."""

from __future__ import annotations

from dataclasses import dataclass, field

from fractrain.host.compiler.canonical import PARITIES, Canonical, PixelUse, Placed, Way, canonical
from fractrain.host.compiler.convolution import Output
from fractrain.host.compiler.gradient import GradientWork
from fractrain.host.compiler.keys import KernelKey, Key, PixelKey
from fractrain.host.compiler.results import Planes, TileRegion
from fractrain.host.compiler.slices import pair_count
from fractrain.host.compiler.sliding import Sliding, slidings
from fractrain.host.compiler.step import Step
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Pass


@dataclass
class Compiled:
    """A step in the engine's form, its tensors and the places of its results."""

    step: Step
    way: Way
    form: Canonical
    row: PixelKey
    column: Key
    outputs: list[tuple[Sliding, Output]] = field(default_factory=list)
    gradient: GradientWork | None = None

    @property
    def regions(self) -> list[TileRegion]:
        """All regions of raw tiles."""
        if self.gradient is not None:
            return self.gradient.regions
        return [output.region for _, output in self.outputs if output.region is not None]

    @property
    def window_stride(self) -> int:
        """Input pixels from one window to the next."""
        return 1 if self.form.pass_ is Pass.ERROR else self.form.stride

    @property
    def output_channels(self) -> int:
        return self.form.channels if self.form.transposed else self.form.filters

    def extent(self, sliding: Sliding) -> tuple[tuple[int, int], tuple[int, int]]:
        """(crop, size) of the outputs of a sliding, in its own pixels."""
        form = self.form
        if sliding.parity is None:
            return form.crop, form.output
        height, width = (
            (crop + count - 1 - parity) // 2 + 1
            for crop, count, parity in zip(form.crop, form.output, sliding.parity, strict=True)
        )
        return (0, 0), (height, width)

    def planes_keys(self, parameters: Parameters) -> list[tuple[Sliding, PixelKey]]:
        """The tensors in planes that the step makes, one for each of its slidings."""
        if not isinstance(self.step.destination, Planes):
            return []
        result = []
        for sliding in slidings(self.form, parameters.block.channels):
            (top, left), (height, width) = self.extent(sliding)
            size = top + height, left + width
            use = PixelUse(Placed((0, 0), size), self.form.row.images, self.output_channels, size)
            name = self.step.result
            if sliding.parity is not None:
                name += f" {sliding.parity}"
            elif (top, left) != (0, 0) or self.form.kernels is not None:
                name += " in place"
            result.append((sliding, PixelKey(name, use)))
        return result

    def gradient_tiles(self, parameters: Parameters) -> int:
        """Tiles of a gradient, for a group of filters."""
        groups = -(-self.form.row.channels // parameters.block.channels)
        groups //= PARITIES if self.form.phased else 1
        return pair_count(groups, self.form.kernel)

    def terms(self, images: int) -> int:
        """Products in one sum; of a gradient over ``images`` images."""
        form = self.form
        if form.pass_ is Pass.GRADIENT:
            return images * form.output[0] * form.output[1]
        return form.row.channels * form.taps


def compiled(step: Step, way: Way, parameters: Parameters) -> Compiled:
    """``step``, brought into the engine's form by ``way``."""
    form = canonical(step.pass_, step.geometry, parameters, way)
    column: Key = (
        PixelKey(step.column, form.column)
        if form.column is not None
        else KernelKey(step.column, form.kernels, form.filters, form.channels, form.taps)
    )
    return Compiled(step, way, form, PixelKey(step.row, form.row), column)


def result_key(step: Step, parameters: Parameters) -> PixelKey | None:
    """The tensor that ``step`` makes in planes, if another step can read it."""
    shape = step.result_shape
    if not step.geometry.direct:
        return None
    form = canonical(step.pass_, step.geometry, parameters, Way.DIRECT)
    if form.pass_ is Pass.ERROR or form.crop != (0, 0):
        return None
    size = (shape[2], shape[3])
    return PixelKey(step.result, PixelUse(Placed((0, 0), size), shape[0], shape[1], size))
