"""A compiled program: what goes into memory, and how results are read out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fractrain.host.compiler.compilation import Compilation, Compiled
from fractrain.host.compiler.convolution import Output
from fractrain.host.compiler.keys import KernelKey, PixelKey
from fractrain.host.compiler.results import Planes, Port, Sent, TileRegion, tiles_of
from fractrain.host.compiler.step import Step
from fractrain.host.compiler.tensors import KernelLayout, PixelLayout
from fractrain.hw.contract.commands import COMMAND_BYTES, encode_all
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.layout import check_values
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand, Pass, Precision

Integers = NDArray[np.integer]
Results = dict[str, NDArray[np.int64] | None]


class Program:
    """Steps as a command stream and a memory image.

    Members: ``steps``; ``commands[n, 32]`` bytes, at ``program_address``, and ``decoded``, the
    same as objects; ``base_address`` of the memory image, ``memory_bytes`` its size.
    """

    def __init__(self, parameters: Parameters, steps: Sequence[Step], base_address: int) -> None:
        made = Compilation(parameters, steps, base_address)
        self.parameters, self.steps = parameters, tuple(steps)
        self.base_address = base_address
        self.decoded = tuple(made.commands)
        self.commands = encode_all(made.commands)
        self.program_address = made.end
        size = made.end + len(self.commands) * COMMAND_BYTES - base_address
        self.memory_bytes = made.align(size)
        self._compiled, self._tensors, self._log = made.compiled, made.tensors, made.log

    @property
    def operands(self) -> dict[str, Operand]:
        """Kinds of the tensors that `pack` needs."""
        made = {step.result for step in self.steps}
        return {
            name: operand
            for step in self.steps
            for name, operand in (
                (step.row, step.pass_.row),
                (step.column, step.pass_.column),
            )
            if name not in made
        }

    @property
    def packed(self) -> list[PixelLayout | KernelLayout]:
        """Layouts of the operands, one for each time that `pack` packs one."""
        operands = self.operands
        return [tensor.layout for key, tensor in self._tensors.items() if key.name in operands]

    @property
    def unpacked(self) -> list[TileRegion]:
        """Regions of raw sums that `unpack` reads."""
        return [
            region
            for each in self._compiled
            if not isinstance(each.step.destination, Port)
            for region in each.regions
        ]

    # -- in ------------------------------------------------------------------------------------

    def check_operands(self, operands: Mapping[str, Integers]) -> None:
        """Raise `ParameterError` unless ``operands`` are what the steps read."""
        for step in self.steps:
            pairs = (
                (step.row, step.pass_.row, step.row_shape, step.stored_bits[0]),
                (step.column, step.pass_.column, step.column_shape, step.stored_bits[1]),
            )
            for name, operand, shape, bits in pairs:
                if name not in self.operands:
                    continue
                if name not in operands:
                    raise ParameterError("operands", sorted(operands), f"one named {name}")
                values = np.asarray(operands[name])
                if values.dtype.kind not in "iu":
                    raise ParameterError(f"{name}.dtype", str(values.dtype), "an integer type")
                if values.shape != shape:
                    raise ParameterError(f"{name}.shape", values.shape, str(shape))
                check_values(name, values, bits, operand.signed)

    def check_precisions(self, precisions: Mapping[int, Precision]) -> None:
        """Raise `ParameterError` unless every slot has bits that its tensors have in memory."""
        for step in self.steps:
            if step.slot not in precisions:
                raise ParameterError("precisions", sorted(precisions), f"slot {step.slot}, too")
            for operand, stored in zip(
                (step.pass_.row, step.pass_.column), step.stored_bits, strict=True
            ):
                bits = precisions[step.slot].bits(operand)
                if bits > stored:
                    raise ParameterError(
                        f"{operand.name.lower()} bits of slot {step.slot}",
                        bits,
                        f"at most {stored}, as {step.result} is made of so many",
                    )

    def pack(self, operands: Mapping[str, Integers]) -> NDArray[np.uint8]:
        """The memory image: operands, commands, and zeros where results will be."""
        self.check_operands(operands)
        memory = np.zeros(self.memory_bytes, np.uint8)
        made = {step.result for step in self.steps}
        for key, tensor in self._tensors.items():
            if key.name not in operands or key.name in made:
                continue
            values = np.asarray(operands[key.name])
            layout = tensor.layout
            if isinstance(key, PixelKey):
                assert isinstance(layout, PixelLayout)
                data = layout.pack(key.use.form.prepare(values))
            else:
                assert isinstance(layout, KernelLayout)
                data = layout.pack(_kernels(key, values))
            start = tensor.address - self.base_address
            memory[start : start + len(data)] = data
        start = self.program_address - self.base_address
        memory[start : start + self.commands.size] = self.commands.reshape(-1)
        return memory

    # -- out -----------------------------------------------------------------------------------

    def unpack(self, memory: NDArray[np.uint8], precisions: Mapping[int, Precision]) -> Results:
        """Results in memory, after the program has run; None for steps that were skipped."""
        results: Results = {}
        for each in self._compiled:
            if isinstance(each.step.destination, Port):
                continue
            if skipped(each.step, precisions):
                results[each.step.result] = None
                continue
            tiles = {id(region): self._tiles(memory, region) for region in each.regions}
            results[each.step.result] = self._assemble(each, tiles, memory)
        return results

    def unpack_port(self, beats: NDArray[np.int64], precisions: Mapping[int, Precision]) -> Results:
        """Results that left at the port as ``beats[n, results_per_beat]``."""
        results: Results = {}
        owners: dict[int, Compiled] = {}
        for each in self._compiled:
            if isinstance(each.step.destination, Port):
                results[each.step.result] = None
                owners |= {id(region): each for region in each.regions}
        ran = [sent for sent in self._log if not skipped(owners[id(sent.region)].step, precisions)]
        tiles = self._sort(tiles_of(beats, self.parameters), ran)
        for each in self._compiled:
            port = isinstance(each.step.destination, Port)
            if port and not skipped(each.step, precisions):
                results[each.step.result] = self._assemble(each, tiles, np.zeros(0, np.uint8))
        return results

    def _tiles(self, memory: NDArray[np.uint8], region: TileRegion) -> NDArray[np.int64]:
        start = region.address - self.base_address
        return region.from_memory(memory[start : start + region.bytes])

    def _sort(self, tiles: NDArray[np.int64], sent: list[Sent]) -> dict[int, NDArray[np.int64]]:
        """Tiles by region, from the order in which they left."""
        result: dict[int, NDArray[np.int64]] = {}
        position = 0
        for each in sent:
            place = result.setdefault(
                id(each.region), np.zeros((each.region.count, *tiles.shape[1:]), np.int64)
            )
            place[each.first : each.first + each.count] = tiles[position : position + each.count]
            position += each.count
        return result

    def _assemble(
        self, each: Compiled, tiles: dict[int, NDArray[np.int64]], memory: NDArray[np.uint8]
    ) -> NDArray[np.int64]:
        step = each.step
        if each.gradient is not None:
            work = each.gradient
            total = sum(
                (work.assemble(tiles[id(region)]) for region in work.regions),
                start=np.int64(0),
            )
            gradient = np.asarray(total)[: each.form.filters, : each.form.channels]
            return gradient.reshape(step.result_shape)
        parts = {
            sliding.parity: self._output(output, tiles, memory) for sliding, output in each.outputs
        }
        if each.form.pass_ is Pass.ERROR:
            return _interleave(each, parts)
        result = parts[None]
        if each.form.kernels is None:
            return result
        images, channels, height, width = step.result_shape
        flat = result.transpose(0, 2, 3, 1).reshape(-1, channels)[: images * height * width]
        return np.ascontiguousarray(
            flat.reshape(images, height, width, channels).transpose(0, 3, 1, 2)
        )

    def _output(
        self, output: Output, tiles: dict[int, NDArray[np.int64]], memory: NDArray[np.uint8]
    ) -> NDArray[np.int64]:
        if output.region is not None:
            return output.tiles.assemble(tiles[id(output.region)])
        assert output.tensor is not None and output.narrowing is not None
        layout = output.tensor.layout
        assert isinstance(layout, PixelLayout)
        start = output.tensor.address - self.base_address
        data = memory[start : start + layout.words * self.parameters.word_bytes]
        values = layout.unpack(data, signed=output.narrowing.signed)
        (top, left), (height, width) = output.tiles.crop, output.tiles.size
        return values[:, :, top : top + height, left : left + width]


def compile_program(
    parameters: Parameters, steps: Sequence[Step], base_address: int = 0
) -> Program:
    """The program of ``steps``, in that order, for memory from ``base_address`` on.

    Raises `ParameterError` for steps that contradict each other and for what the engine cannot
    do.
    """
    return Program(parameters, steps, base_address)


def skipped(step: Step, precisions: Mapping[int, Precision]) -> bool:
    """One of the operands has 0 bits."""
    precision = precisions[step.slot]
    return 0 in (precision.bits(step.pass_.row), precision.bits(step.pass_.column))


def narrowed(step: Step, sums: NDArray[np.int64]) -> NDArray[np.int64]:
    """What ``step`` makes of its sums."""
    if isinstance(step.destination, Planes):
        return step.destination.narrow(sums)
    return sums


def _kernels(key: KernelKey, values: Integers) -> Integers:
    return values if key.form is None else key.form.matrix(values)


def _interleave(
    each: Compiled, parts: Mapping[tuple[int, int] | None, NDArray[np.int64]]
) -> NDArray[np.int64]:
    """The error at the input from those at pixels of each parity."""
    images, channels, height, width = each.step.result_shape
    (top, left) = each.form.crop
    full = np.zeros((images, channels, top + height, left + width), np.int64)
    for parity, values in parts.items():
        assert parity is not None
        full[:, :, parity[0] :: 2, parity[1] :: 2] = values
    return full[:, :, top:, left:]
