"""The places of tensors in memory: row widths that suit every step, layouts, addresses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fractrain.host.compiler.compiled import Compiled
from fractrain.host.compiler.keys import KernelKey, Key, PixelKey, Widths
from fractrain.host.compiler.results import Planes
from fractrain.host.compiler.sliding import filter_groups
from fractrain.host.compiler.tensors import KernelLayout, PixelLayout
from fractrain.host.compiler.work import PlacedTensor
from fractrain.hw.contract.parameters import Parameters

ALIGNMENT = 128


def lay_out(parameters: Parameters, steps: Sequence[Compiled]) -> dict[Key, PlacedTensor]:
    """Every tensor that one of ``steps`` reads or makes in planes."""
    widths = Widths(parameters.array.rows)
    bits: dict[Key, int] = {}
    groups: dict[KernelKey, int] = {}
    for each in steps:
        stride = each.window_stride
        widths.add(each.row, stride)
        bits[each.row], bits[each.column] = each.step.stored_bits
        if isinstance(each.column, PixelKey):
            widths.add(each.column, 1)
            widths.tie(each.row, each.column, stride)
        else:
            needed = filter_groups(each.form, parameters.block.channels)
            groups[each.column] = max(groups.get(each.column, 0), needed)
        for _, made in each.planes_keys(parameters):
            widths.add(made, 1)
            widths.tie(each.row, made, stride)
            assert isinstance(each.step.destination, Planes)
            bits[made] = each.step.destination.bits
    width = widths.settle()
    tensors: dict[Key, PlacedTensor] = {}
    for key, count in bits.items():
        layout: PixelLayout | KernelLayout
        if isinstance(key, PixelKey):
            use = key.use
            layout = PixelLayout(
                parameters, use.images, use.channels, use.stored, width[key], count
            )
        else:
            layout = KernelLayout(
                parameters, key.filters, key.channels, key.taps, count, groups[key]
            )
        tensors[key] = PlacedTensor(key, layout)
    return tensors


def allocate(parameters: Parameters, base: int, tensors: Iterable[PlacedTensor]) -> int:
    """Addresses for all ``tensors`` from ``base`` on; returns the first free one."""
    address = align(parameters, base)
    for tensor in tensors:
        tensor.address = address
        address = align(parameters, address + tensor.layout.words * parameters.word_bytes)
    return address


def align(parameters: Parameters, address: int) -> int:
    """The next address at which something may begin."""
    unit = max(ALIGNMENT, parameters.word_bytes)
    return -(-address // unit) * unit
