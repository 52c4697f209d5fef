"""Turns the tiles of a program, in memory or at the port, into result tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fractrain.host.compiler.compiled import Compiled
from fractrain.host.compiler.convolution import Output
from fractrain.host.compiler.results import Sent, Tiles
from fractrain.host.compiler.tensors import PixelLayout
from fractrain.hw.contract.precision import Pass

Parts = Mapping[tuple[int, int] | None, NDArray[np.int64]]


def read_memory(each: Compiled, memory: NDArray[np.uint8], base: int) -> NDArray[np.int64]:
    """The result of ``each``, raw or in planes, in ``memory`` from address ``base`` on."""
    if each.gradient is None and each.outputs[0][1].tensor is not None:
        return _join(each, {s.parity: _planes(output, memory, base) for s, output in each.outputs})
    tiles = {
        id(region): region.from_memory(memory[region.address - base :][: region.bytes])
        for region in each.regions
    }
    return assemble(each, tiles)


def assemble(each: Compiled, tiles: Mapping[int, Tiles]) -> NDArray[np.int64]:
    """The raw result of ``each`` from the tiles of its regions, by their ``id``."""
    if each.gradient is None:
        parts = {
            sliding.parity: output.tiles.assemble(tiles[id(output.region)])
            for sliding, output in each.outputs
        }
        return _join(each, parts)
    work = each.gradient
    total = sum((work.assemble(tiles[id(region)]) for region in work.regions), start=np.int64(0))
    gradient = np.asarray(total)[: each.form.filters, : each.form.channels]
    return gradient.reshape(each.step.result_shape)


def sort_tiles(tiles: Tiles, sent: Sequence[Sent]) -> dict[int, Tiles]:
    """Tiles by the ``id`` of their region, sorted from the order in which they left at the port."""
    result: dict[int, Tiles] = {}
    position = 0
    for each in sent:
        place = result.setdefault(
            id(each.region), np.zeros((each.region.count, *tiles.shape[1:]), np.int64)
        )
        place[each.first : each.first + each.count] = tiles[position : position + each.count]
        position += each.count
    return result


def _planes(output: Output, memory: NDArray[np.uint8], base: int) -> NDArray[np.int64]:
    """The results that one sliding left in planes."""
    assert output.tensor is not None and output.narrowing is not None
    layout = output.tensor.layout
    assert isinstance(layout, PixelLayout)
    data = memory[output.tensor.address - base :][: layout.words * layout.parameters.word_bytes]
    values = layout.unpack(data, signed=output.narrowing.signed)
    (top, left), (height, width) = output.tiles.crop, output.tiles.size
    return values[:, :, top : top + height, left : left + width]


def _join(each: Compiled, parts: Parts) -> NDArray[np.int64]:
    """The tensor that the slidings made in parts."""
    if each.form.pass_ is Pass.ERROR:
        return _interleave(each, parts)
    result = parts[None]
    if each.form.kernels is None:
        return result
    images, channels, height, width = each.step.result_shape
    flat = result.transpose(0, 2, 3, 1).reshape(-1, channels)[: images * height * width]
    return np.ascontiguousarray(flat.reshape(images, height, width, channels).transpose(0, 3, 1, 2))


def _interleave(each: Compiled, parts: Parts) -> NDArray[np.int64]:
    """The error at the input, assembled from the errors at pixels of each parity."""
    images, channels, height, width = each.step.result_shape
    (top, left) = each.form.crop
    full = np.zeros((images, channels, top + height, left + width), np.int64)
    for parity, values in parts.items():
        assert parity is not None
        full[:, :, parity[0] :: 2, parity[1] :: 2] = values
    return full[:, :, top:, left:]
