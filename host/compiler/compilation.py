"""From steps to a command stream: layouts, addresses, batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn

from fractrain.host.compiler.canonical import (
    PARITIES,
    Canonical,
    PixelUse,
    Placed,
    Way,
    canonical,
    ways,
)
from fractrain.host.compiler.convolution import Output, SlidingWork
from fractrain.host.compiler.gradient import GradientWork
from fractrain.host.compiler.keys import KernelKey, Key, PixelKey, Widths
from fractrain.host.compiler.planning import (
    ACCUMULATOR_LIMIT,
    TooLarge,
    exact_sum,
    image_groups,
    largest_sum,
    raw_format,
)
from fractrain.host.compiler.results import Planes, Port, Sent, TileGrid, TileRegion
from fractrain.host.compiler.schedule import Builder
from fractrain.host.compiler.slices import BLOCKS, pair_count
from fractrain.host.compiler.sliding import Sliding, filter_groups, slidings
from fractrain.host.compiler.step import Step, check_steps
from fractrain.host.compiler.tensors import KernelLayout, PixelLayout
from fractrain.host.compiler.windows import Grid
from fractrain.host.compiler.work import Precisions, Tensor
from fractrain.hw.contract.commands import Command, Format, Tag
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Pass

ALIGNMENT = 128
TAGS = {Pass.FORWARD: Tag.FORWARD, Pass.ERROR: Tag.ERROR, Pass.GRADIENT: Tag.GRADIENT}


@dataclass
class Compiled:
    """A step in the engine's form, its tensors, and where its results come out."""

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


class Compilation:
    """All that is known of a program while it is made.

    ``commands`` and ``tensors``, ``end``: the first byte behind everything but the commands.
    """

    def __init__(self, parameters: Parameters, steps: Sequence[Step], base: int) -> None:
        check_steps(steps, parameters)
        self.parameters = parameters
        self.log: list[Sent] = []
        self._made = {step.result: step for step in steps if isinstance(step.destination, Planes)}
        self._read = {name for step in steps for name in (step.row, step.column)}
        self.compiled, self.tensors = self._settle([self._form(step) for step in steps])
        self.end = self._allocate(base, self.tensors.values())
        builder = Builder(parameters)
        for each in self.compiled:
            self._emit(builder, each)
        self.commands: list[Command] = builder.commands()

    # -- forms ---------------------------------------------------------------------------------

    def _form(self, step: Step) -> Compiled:
        """The engine's form: the cheapest way of those that fit on the chip.

        If none does, the best in spite of it: `_settle` says what is too large.
        """
        found: list[tuple[float, Compiled]] = []
        possible = self._ways(step)
        for way in possible:
            compiled = self._keys(step, way)
            if way is Way.UNFOLDED and step.pass_ is not Pass.GRADIENT and found:
                continue
            if way is Way.UNFOLDED or self._fits(compiled):
                found.append((self._cost(compiled), compiled))
        if not found:
            return self._keys(step, possible[0])
        return min(found, key=lambda each: each[0])[1]

    def _ways(self, step: Step) -> list[Way]:
        """Those that leave tensors which stay in memory between steps as the engine has them."""
        possible = ways(step.pass_, step.geometry)
        if {step.row, step.column} & set(self._made):
            possible = [way for way in possible if way is Way.DIRECT]
        elif self._stays(step):
            possible = [way for way in possible if way is not Way.UNFOLDED]
        return possible or [Way.UNFOLDED]

    def _stays(self, step: Step) -> bool:
        """Another step reads what ``step`` makes."""
        return step.result in self._made and step.result in self._read

    def _settle(self, compiled: list[Compiled]) -> tuple[list[Compiled], dict[Key, Tensor]]:
        """``compiled``, and its tensors, so that every step fits beside the others.

        Steps that share a tensor can make its rows wider than one alone would: too wide for some.
        These become matrix products, which always fit (`hw.contract.configuration_checks`).
        """
        while True:
            tensors = self._lay_out(compiled)
            large = [each for each in compiled if not self._fits(each, tensors)]
            if not large:
                return compiled, tensors
            for each in large:
                if Way.UNFOLDED not in self._ways(each.step) or each.way is Way.UNFOLDED:
                    self._refuse(each, tensors)
            compiled = [
                self._keys(each.step, Way.UNFOLDED) if each in large else each for each in compiled
            ]

    def _refuse(self, each: Compiled, tensors: dict[Key, Tensor]) -> NoReturn:
        layout = tensors[each.row].layout
        assert isinstance(layout, PixelLayout)
        raise ParameterError(
            f"rows of {each.step.row}",
            f"{layout.row_width} pixels",
            f"rows of which a row of tiles fits on the chip (buffers.plane_words is "
            f"{self.parameters.buffers.plane_words}), where a tensor stays in memory between steps",
            hint="narrower images, larger buffers, or results that do not leave as planes",
        )

    def _fits(self, compiled: Compiled, tensors: dict[Key, Tensor] | None = None) -> bool:
        """Its tiles fit on the chip with ``tensors``, by default those of a program of its own."""
        trial = Compilation.__new__(Compilation)
        trial.parameters, trial.log, trial._made = self.parameters, [], {}
        alone = replace(compiled, step=replace(compiled.step, destination=Port()))
        trial.tensors = trial._lay_out([alone]) if tensors is None else tensors
        try:
            trial._cut(alone)
        except TooLarge:
            return False
        return True

    def _cost(self, compiled: Compiled) -> float:
        """Of a gradient, cycles for a block of pixels: of the array or of the ports."""
        form, p = compiled.form, self.parameters
        if form.column is None:
            return 0
        row, column = (
            -(-use.channels // p.block.channels) * p.digits(bits)
            for use, bits in zip((form.row, form.column), compiled.step.stored_bits, strict=True)
        )
        passes = self._tiles(form) * column * p.digits(compiled.step.stored_bits[0]) / BLOCKS
        return max(passes, (row * form.stride**2 + column) * p.word_bytes / (8 * p.memory.ports))

    def _tiles(self, form: Canonical) -> int:
        """Of a gradient, for a group of filters."""
        groups = -(-form.row.channels // self.parameters.block.channels)
        groups //= PARITIES if form.phased else 1
        return pair_count(groups, form.kernel)

    def _keys(self, step: Step, way: Way) -> Compiled:
        form = canonical(step.pass_, step.geometry, self.parameters, way)
        row = PixelKey(step.row, form.row)
        column: Key = (
            PixelKey(step.column, form.column)
            if form.column is not None
            else KernelKey(step.column, form.kernels, form.filters, form.channels, form.taps)
        )
        for key in (row, column):
            if key.name in self._made and key != self._result_key(self._made[key.name]):
                raise ParameterError(
                    f"operand {key.name}",
                    step.geometry,
                    "a convolution of 3 x 3 with padding 1 or 1 x 1 with padding 0 and stride 1 "
                    "or 2, as the operand is a result that stays in memory as it is",
                )
        return Compiled(step, way, form, row, column)

    def _result_key(self, step: Step) -> PixelKey | None:
        """The tensor that ``step`` makes, if another step can read it."""
        shape = step.result_shape
        if not step.geometry.direct:
            return None
        form = canonical(step.pass_, step.geometry, self.parameters, Way.DIRECT)
        if form.pass_ is Pass.ERROR or form.crop != (0, 0):
            return None
        size = (shape[2], shape[3])
        return PixelKey(step.result, PixelUse(Placed((0, 0), size), shape[0], shape[1], size))

    # -- layouts -------------------------------------------------------------------------------

    def _lay_out(self, compiled: list[Compiled]) -> dict[Key, Tensor]:
        """Every tensor that a step reads, and those that are made in planes."""
        widths = Widths(self.parameters.array.rows)
        bits: dict[Key, int] = {}
        groups: dict[KernelKey, int] = {}
        for each in compiled:
            stride = 1 if each.form.pass_ is Pass.ERROR else each.form.stride
            widths.add(each.row, stride)
            bits[each.row], bits[each.column] = each.step.stored_bits
            if isinstance(each.column, PixelKey):
                widths.add(each.column, 1)
                widths.tie(each.row, each.column, stride)
            else:
                needed = filter_groups(each.form, self.parameters.block.channels)
                groups[each.column] = max(groups.get(each.column, 0), needed)
            for _, made in self._planes_keys(each):
                widths.add(made, 1)
                widths.tie(each.row, made, stride)
                assert isinstance(each.step.destination, Planes)
                bits[made] = each.step.destination.bits
        width = widths.settle()
        tensors: dict[Key, Tensor] = {}
        for key, count in bits.items():
            layout: PixelLayout | KernelLayout
            if isinstance(key, PixelKey):
                use = key.use
                layout = PixelLayout(
                    self.parameters, use.images, use.channels, use.stored, width[key], count
                )
            else:
                layout = KernelLayout(
                    self.parameters, key.filters, key.channels, key.taps, count, groups[key]
                )
            tensors[key] = Tensor(key, layout)
        return tensors

    def _planes_keys(self, each: Compiled) -> list[tuple[Sliding, PixelKey]]:
        """The tensors in planes that a step makes, one for each of its slidings."""
        if not isinstance(each.step.destination, Planes):
            return []
        result = []
        for sliding in slidings(each.form, self.parameters.block.channels):
            (top, left), (height, width) = _extent(each.form, sliding)
            size = top + height, left + width
            use = PixelUse(
                Placed((0, 0), size), each.form.row.images, _output_channels(each.form), size
            )
            name = each.step.result
            if sliding.parity is not None:
                name += f" {sliding.parity}"
            elif (top, left) != (0, 0) or each.form.kernels is not None:
                name += " in place"
            result.append((sliding, PixelKey(name, use)))
        return result

    def _allocate(self, base: int, tensors: Iterable[Tensor]) -> int:
        """Addresses for all ``tensors`` from ``base`` on; returns the first free one."""
        address = self.align(base)
        for tensor in tensors:
            tensor.address = address
            address = self.align(address + tensor.layout.words * self.parameters.word_bytes)
        return address

    def align(self, address: int) -> int:
        unit = max(ALIGNMENT, self.parameters.word_bytes)
        return -(-address // unit) * unit

    # -- work ----------------------------------------------------------------------------------

    def _emit(self, builder: Builder, each: Compiled) -> None:
        work = self._work(each)
        for region in each.regions:
            region.address = self.end
            self.end = self.align(self.end + region.bytes)
        if isinstance(work, GradientWork):
            work.emit(builder, work.cut())
        else:
            work.emit(builder, work.cut())

    def _cut(self, each: Compiled) -> None:
        """Raise `TooLarge` if ``each`` cannot be cut."""
        self._work(each).cut()

    def _work(self, each: Compiled) -> SlidingWork | GradientWork:
        step, form, rows = each.step, each.form, self.tensors[each.row]
        columns = self.tensors[each.column]
        precisions = Precisions(
            step.slot, step.pass_.row, step.pass_.column, step.stored_bits, TAGS[step.pass_]
        )
        assert isinstance(rows.layout, PixelLayout)
        stride = 1 if form.pass_ is Pass.ERROR else form.stride
        grid = Grid(self.parameters.array.rows, rows.layout.row_width, stride)
        if form.pass_ is Pass.GRADIENT:
            groups = image_groups(form.row.images, self._bound(each, 1))
            assert isinstance(columns.layout, PixelLayout)
            count = self._tiles(form) * columns.layout.groups
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
        planes = dict(self._planes_keys(each))
        result = []
        for sliding in slidings(each.form, channels):
            crop, size = _extent(each.form, sliding)
            if min(size) < 1:
                continue
            tiles = TileGrid(
                -(-_output_channels(each.form) // channels),
                each.form.row.images,
                -(-(crop[0] + size[0]) // grid.output_rows),
                grid.output_columns,
                grid.output_width,
                _output_channels(each.form),
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

    def _check_columns(self, tensor: Tensor, tiles: TileGrid) -> None:
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
            signed = step.pass_.row.signed, step.pass_.column.signed
            format_ = raw_format(exact_sum(self._terms(each, images), step.stored_bits, signed))
        return TileRegion(self.parameters, tiles, format_, self.log)

    def _terms(self, each: Compiled, images: int) -> int:
        """Products in one sum; of a gradient over ``images`` images."""
        form = each.form
        if form.pass_ is Pass.GRADIENT:
            return images * form.output[0] * form.output[1]
        return form.row.channels * form.taps

    def _check_bound(self, each: Compiled) -> None:
        if self._bound(each, 0) > ACCUMULATOR_LIMIT:
            raise ParameterError(
                f"channels and kernel of {each.step.result}",
                each.step.geometry,
                f"sums below 2^47 at {each.step.stored_bits} bits",
            )

    def _bound(self, each: Compiled, images: int) -> int:
        signed = each.step.pass_.row.signed, each.step.pass_.column.signed
        terms = self._terms(each, images)
        return largest_sum(terms, each.step.stored_bits, signed, self.parameters)


def _output_channels(form: Canonical) -> int:
    return form.channels if form.transposed else form.filters


def _extent(form: Canonical, sliding: Sliding) -> tuple[tuple[int, int], tuple[int, int]]:
    """(crop, size) of the outputs of a sliding, in its own pixels."""
    if sliding.parity is None:
        return form.crop, form.output
    height, width = (
        (crop + count - 1 - parity) // 2 + 1
        for crop, count, parity in zip(form.crop, form.output, sliding.parity, strict=True)
    )
    return (0, 0), (height, width)
