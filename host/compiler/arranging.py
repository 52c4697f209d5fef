"""Turns steps in the engine's form into work that can be cut into commands; places their
results."""

from __future__ import annotations

from collections.abc import Mapping

from fractrain.host.compiler.compiled import Compiled
from fractrain.host.compiler.convolution import Output, SlidingWork
from fractrain.host.compiler.gradient import GradientWork
from fractrain.host.compiler.keys import Key
from fractrain.host.compiler.planning import (
    ACCUMULATOR_LIMIT,
    exact_sum,
    image_groups,
    largest_sum,
    raw_format,
)
from fractrain.host.compiler.results import Planes, Port, Sent, TileGrid, TileRegion
from fractrain.host.compiler.sliding import Sliding, slidings
from fractrain.host.compiler.tensors import PixelLayout
from fractrain.host.compiler.windows import Grid
from fractrain.host.compiler.work import PlacedTensor, Precisions
from fractrain.hw.contract.commands import Format, Tag
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Pass

TAGS = {Pass.FORWARD: Tag.FORWARD, Pass.ERROR: Tag.ERROR, Pass.GRADIENT: Tag.GRADIENT}


class Arrangement:
    """Makes the work of steps with laid-out ``tensors``.

    ``log``: what the steps send to the result port, in order.
    """

    def __init__(
        self, parameters: Parameters, tensors: Mapping[Key, PlacedTensor], log: list[Sent]
    ) -> None:
        self.parameters, self.tensors, self.log = parameters, tensors, log

    def work(self, each: Compiled) -> SlidingWork | GradientWork:
        """The work of the step. Records in ``each`` where its results go.

        Raises `TooLarge` if sums of one image do not fit into an accumulator, `ParameterError`
        for a step that the engine cannot do.
        """
        step, form, rows = each.step, each.form, self.tensors[each.row]
        columns = self.tensors[each.column]
        precisions = Precisions(
            step.slot, (step.pass_.row, step.pass_.column), step.signed, TAGS[step.pass_]
        )
        assert isinstance(rows.layout, PixelLayout)
        grid = Grid(self.parameters.array.rows, rows.layout.row_width, each.window_stride)
        if form.pass_ is Pass.GRADIENT:
            groups = image_groups(form.row.images, self._bound(each, 1))
            assert isinstance(columns.layout, PixelLayout)
            count = each.gradient_tiles(self.parameters) * columns.layout.groups
            regions = [self._region(each, count, len(group)) for group in groups]
            each.gradient = GradientWork(
                self.parameters, precisions, grid, form, rows, columns, groups, regions
            )
            return each.gradient
        self._check_bound(each)
        each.outputs = self._outputs(each, grid)
        return SlidingWork(self.parameters, precisions, grid, rows, columns, each.outputs)

    def _outputs(self, each: Compiled, grid: Grid) -> list[tuple[Sliding, Output]]:
        channels = self.parameters.block.channels
        planes = dict(each.planes_keys(self.parameters))
        result = []
        for sliding in slidings(each.form, channels):
            crop, size = each.extent(sliding)
            if min(size) < 1:
                continue
            tiles = TileGrid(
                -(-each.output_channels // channels),
                each.form.row.images,
                -(-(crop[0] + size[0]) // grid.output_rows),
                grid.output_columns,
                grid.output_width,
                each.output_channels,
                crop,
                size,
            )
            if sliding in planes:
                tensor = self.tensors[planes[sliding]]
                assert isinstance(each.step.destination, Planes)
                self._check_columns(tensor, tiles)
                output = Output(tiles, tensor=tensor, narrowing=each.step.destination)
            else:
                output = Output(tiles, region=self._region(each, tiles.count, 0))
            result.append((sliding, output))
        return result

    def _check_columns(self, tensor: PlacedTensor, tiles: TileGrid) -> None:
        layout = tensor.layout
        assert isinstance(layout, PixelLayout)
        if layout.size[1] < (tiles.columns - 1) * self.parameters.array.rows:
            raise ParameterError(
                "width of a result in planes",
                layout.size[1],
                f"at least {(tiles.columns - 1) * self.parameters.array.rows}, as its rows take "
                f"{tiles.columns} blocks to suit the steps that read it",
            )

    def _region(self, each: Compiled, tiles: int, images: int) -> TileRegion:
        step = each.step
        format_ = Format.PORT
        if not isinstance(step.destination, Port):
            bound = exact_sum(each.terms(images), step.stored_bits, step.signed)
            format_ = raw_format(bound)
        return TileRegion(self.parameters, tiles, format_, self.log)

    def _check_bound(self, each: Compiled) -> None:
        if self._bound(each, 0) > ACCUMULATOR_LIMIT:
            raise ParameterError(
                f"channels and kernel of {each.step.result}",
                each.step.geometry,
                f"sums below 2^47 at {each.step.stored_bits} bits",
            )

    def _bound(self, each: Compiled, images: int) -> int:
        step = each.step
        return largest_sum(each.terms(images), step.stored_bits, step.signed, self.parameters)
