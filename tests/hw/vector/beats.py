"""Plays beats of numbers through a flow-through component, each port in its cycle.

A port's cycle is when it has the value of a beat, counted from the beat's cycle 0: what a
component takes late, and what it gives after its latency.
"""

from typing import Any

import numpy as np
from amaranth.hdl import Shape
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In

from tests.hw.verilator import Player, primitive_models

__all__ = ["Beats", "ends_and_random", "fields_of", "pack"]

Numbers = Any
"""Integers [beats], or [beats, count] of an array layout; by field's name of a structure."""


class Beats:
    """``cycles``: of the ports that are not at cycle 0."""

    def __init__(
        self,
        component: wiring.Component,
        name: str,
        cycles: dict[str, int],
        *,
        models: bool = False,
    ) -> None:
        self.shapes = {
            "__".join(map(str, path)): (member.flow, member.shape)
            for path, member, _ in component.signature.flatten(component)
        }
        self._player = Player(component, name, models=primitive_models() if models else "")
        unknown = cycles.keys() - self.shapes.keys()
        assert not unknown, unknown
        self._cycles = dict.fromkeys(self.shapes, 0) | cycles

    def play(self, **values: Numbers) -> dict[str, np.ndarray]:
        """Outputs of each beat for ``values`` of each beat; beats follow each other at once."""
        beats = len(_first(next(iter(values.values()))))
        start = -min(0, *self._cycles.values())
        total = start + beats + max(self._cycles.values()) + 1
        inputs = {}
        for name, given in values.items():
            flow, shape = self.shapes[name]
            assert flow == In, name
            packed = pack(given, shape, beats)
            at = start + self._cycles[name]
            inputs[name] = np.zeros((total, packed.shape[1]), np.uint8)
            inputs[name][at : at + beats] = packed
        found = self._player.play(**inputs)
        result = {}
        for name, values_found in found.items():
            at = start + self._cycles[name]
            result[name] = _unpack(values_found[at : at + beats], self.shapes[name][1])
        return result


def _first(given: Numbers) -> Any:
    return _first(next(iter(given.values()))) if isinstance(given, dict) else given


def _bits(given: Numbers, shape: Any, beats: int) -> np.ndarray:
    """[beats, width], the lowest bit first."""
    if isinstance(shape, data.StructLayout):
        parts = [_bits(given[name], each, beats) for name, each in shape.members.items()]
        return np.concatenate(parts, axis=1)
    width = Shape.cast(shape).width
    numbers = np.asarray(given)
    if isinstance(shape, data.ArrayLayout):
        numbers, width = numbers.reshape(beats, shape.length), Shape.cast(shape.elem_shape).width
    numbers = numbers.reshape(beats, -1)
    if width > 64:
        wide = [[int(each) >> low & 1 for low in range(width)] for each in numbers.ravel().tolist()]
        return np.array(wide, np.uint8).reshape(beats, -1)
    unsigned = numbers.astype(np.uint64) if numbers.dtype == np.uint64 else numbers.astype(np.int64)
    unsigned = unsigned.view(np.uint64)
    bits = unsigned[..., None] >> np.arange(width, dtype=np.uint64) & np.uint64(1)
    return bits.astype(np.uint8).reshape(beats, -1)


def pack(given: Numbers, shape: Any, beats: int) -> np.ndarray:
    """Numbers of ``shape`` as a `Player` takes them, [beats, bytes]."""
    return np.packbits(_bits(given, shape, beats), axis=1, bitorder="little")


def _unpack(found: np.ndarray, shape: Any) -> np.ndarray:
    array = isinstance(shape, data.ArrayLayout)
    each = Shape.cast(shape.elem_shape if array else shape)
    count = shape.length if array else 1
    octets = found if found.ndim == 2 else found.astype("<u8").view(np.uint8).reshape(-1, 8)
    bits = np.unpackbits(np.ascontiguousarray(octets), axis=1, bitorder="little")
    bits = bits[:, : each.width * count].reshape(len(found), count, each.width).astype(np.int64)
    if each.width > 64:
        weights = np.array([1 << place for place in range(each.width)], object)
        numbers: Any = (bits.astype(object) * weights).sum(axis=2)
    else:
        numbers = (bits << np.arange(each.width)).sum(axis=2)
        if each.signed:
            numbers -= bits[:, :, -1] << each.width
    return numbers if array else numbers[:, 0]


def fields_of(value: Any, layout: data.StructLayout) -> dict[str, int]:
    """Fields of what a `Player` found at a port of ``layout`` in one cycle, unsigned."""
    wide = isinstance(value, np.ndarray)
    number = int.from_bytes(value.tobytes(), "little") if wide else int(value)
    return {
        str(name): number >> field.offset & ((1 << Shape.cast(field.shape).width) - 1)
        for name, field in layout
    }


def ends_and_random(
    rng: np.random.Generator, low: int, high: int, size: int | tuple[int, ...]
) -> np.ndarray:
    """Integers ``low`` .. ``high``: a third at random, a third of random magnitude, a third around
    the ends and zero."""
    drawn = rng.integers(low, high, size, np.int64, endpoint=True)
    scaled = drawn >> rng.integers(0, max(1, int(high).bit_length()), size)
    near = rng.choice(np.array([low, low + 1, -1, 0, 1, high - 1, high], np.int64), size)
    kind = rng.integers(0, 3, size)
    return np.clip(np.choose(kind, [drawn, scaled, near]), low, high)
