"""The backward half of a step, from its forward half: one rule for each operation.

The way back visits an operation when all readers of its result have been visited. Of several that
are ready, the last one to become ready comes first, and of the inputs of an addition the first. It
visits a choice after everything in its block. Errors from several readers of a tensor are added up
in the order of these visits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from fractrain.host.graph import operations as ops
from fractrain.host.graph.blocks import Product
from fractrain.host.graph.builder import Builder
from fractrain.host.graph.dispatch import Dispatch
from fractrain.host.graph.operations import Operation
from fractrain.host.graph.tensor import BySlot, Kind, Tensor
from fractrain.hw.contract.precision import Operand, Pass

Errors = list[tuple[Tensor, Tensor]]
"""Inputs of an operation, each with its error, in the order in which to visit them."""


@dataclass
class WayBack:
    """What rules work with: the ``builder`` that they emit with, and what needs an error.

    ``learned``: names of the tensors that depend on a parameter. ``shares``: of each block's paths,
    in the order in which they are visited.
    """

    builder: Builder
    learned: set[str] = field(default_factory=set)
    shares: dict[int, list[Tensor]] = field(default_factory=dict)

    def is_learned(self, tensor: Tensor) -> bool:
        """Whether an error at ``tensor`` is of use."""
        return tensor.kind is Kind.PARAMETER or tensor.name in self.learned


Rule = Callable[[WayBack, Any, Any], Errors]

RULES: Dispatch[tuple[tuple[str, ...], Rule, bool]] = Dispatch(
    "the way back", "host/graph/backward.py"
)
"""For each operation: the fields through which errors go back, the rule, and whether it joins."""


def rule(
    *kinds: type[Operation], through: Sequence[str] = (), joins: bool = False
) -> Callable[[Rule], Rule]:
    """Decorates the rule of operations. It emits the operations that lead back from the error at
    their result, and returns the errors at the inputs in the fields ``through``; parameters among
    them get theirs as gradients. An input that is not learned needs none (`WayBack.is_learned`).

    A rule that ``joins`` gets a list of the errors from all readers, of all results; others get
    the sum of those at the first result.
    """

    def enter(function: Rule) -> Rule:
        RULES.register(*kinds)((tuple(through), function, joins))
        return function

    return enter


def derive(builder: Builder, output: Tensor, error: Tensor) -> None:
    """Emit the way back from ``error`` at ``output`` to all parameters, and to what chooses.

    Raises `ParameterError` for an operation without a rule.
    """
    _Walk(builder, list(builder.operations), output).go(error)


class _Walk:
    """One way back through the operations ``forward``, from ``output``."""

    def __init__(self, builder: Builder, forward: list[Operation], output: Tensor) -> None:
        self._builder, self._output = builder, output
        self._way = WayBack(builder)
        self._producers = {made.name: each for each in forward for made in each.outputs}
        for each in forward:
            if any(map(self._way.is_learned, _sources(each))):
                self._way.learned |= {made.name for made in each.outputs}
        wanted, active = {output.name}, []
        for each in reversed(forward):
            if not wanted.isdisjoint(made.name for made in each.outputs):
                active.append(each)
                wanted |= {source.name for source in self._learned_sources(each)}
        self._waiting = Counter(
            self._result(source) for each in active for source in self._learned_sources(each)
        )
        self._waiting[self._result(output)] += 1
        members = builder.members
        self._in_block = Counter(members[each] for each in active if each in members)
        self._choices: dict[int, ops.ChoosePrecision] = {}
        if builder.options.learns:
            for each in forward:
                if isinstance(each, ops.ChoosePrecision):
                    self._choices[each.block] = each
                    self._waiting[self._result(each.x)] += 1
        self._found: dict[str, list[Tensor]] = {}
        self._ready: list[Operation] = []

    def go(self, error: Tensor) -> None:
        self._contribute([(self._output, error)], None)
        while self._ready:
            operation = self._ready.pop()
            _, function, joins = RULES.of(operation)
            result = operation.outputs[0]
            errors: Any = self._found.pop(result.name) if joins else self._total(result)
            self._contribute(function(self._way, operation, errors), operation.slot)
            self._leave(operation)

    def _result(self, tensor: Tensor) -> str:
        """The name of the first result of the operation that makes ``tensor``, if one does."""
        producer = self._producers.get(tensor.name)
        return tensor.name if producer is None else producer.outputs[0].name

    def _learned_sources(self, operation: Operation) -> list[Tensor]:
        sources = _sources(operation)
        return [
            each
            for each in sources
            if each.kind is not Kind.PARAMETER and self._way.is_learned(each)
        ]

    def _contribute(self, errors: Errors, slot: int | None) -> None:
        """Take the errors of an operation in ``slot``; line up the operations that are now
        ready."""
        ready = []
        for tensor, error in errors:
            if tensor.kind is Kind.PARAMETER:
                self._builder.add_gradient(tensor, error, slot)
            elif self._way.is_learned(tensor):
                result = self._result(tensor)
                self._found.setdefault(result, []).append(error)
                self._waiting[result] -= 1
                if not self._waiting[result]:
                    ready.append(self._producers[tensor.name])
        self._ready += reversed(ready)

    def _total(self, tensor: Tensor) -> Tensor:
        """The error at ``tensor``, from all its readers."""
        found = self._found.pop(tensor.name)

        def add(total: Tensor, error: Tensor) -> Tensor:
            y = self._builder.tensor(f"{error.name}.total", tensor.shape)
            self._builder.emit(ops.Add(y.name, None, total, error, y))
            return y

        return reduce(add, found)

    def _leave(self, operation: Operation) -> None:
        """After the last operation of a block, visit its choice."""
        number = self._builder.members.get(operation)
        if number is None:
            return
        self._in_block[number] -= 1
        if self._in_block[number] or number not in self._choices:
            return
        choose = self._choices[number]
        shares = tuple(reversed(self._way.shares.get(number, [])))
        name = f"{choose.name}.back"
        dx = self._builder.tensor(name, choose.x.shape)
        self._builder.emit(ops.ChooseBackward(name, None, shares, number, choose.x.shape, dx))
        self._contribute([(choose.x, dx)], None)


def _sources(operation: Operation) -> list[Tensor]:
    """Inputs through which errors go."""
    fields, *_ = RULES.of(operation)
    found: list[Tensor] = []
    for each in fields:
        value = getattr(operation, each)
        found += value if isinstance(value, tuple) else () if value is None else (value,)
    return found


# -- the rules -----------------------------------------------------------------------------


@rule(
    *(ops.QuantizePixels, ops.MeasureRange, ops.MinusOnes, ops.ChoosePrecision, ops.Loss),
)
def _ends(way: WayBack, operation: Operation, e: Tensor) -> Errors:
    """Nothing before it is learned."""
    return []


@rule(ops.QuantizeActivations, ops.QuantizeWeights, ops.TakePath, through=["x"])
def _straight(way: WayBack, operation: Any, e: Tensor) -> Errors:
    """Quantization counts as the identity (straight-through)."""
    return [(operation.x, e)]


@rule(ops.TopPlanes, through=["stored"])
def _top_planes(way: WayBack, operation: ops.TopPlanes, e: Tensor) -> Errors:
    return [(operation.stored, e)]


@rule(ops.OddSums, ops.Dequantize, through=["sums"])
def _sums(way: WayBack, operation: Any, e: Tensor) -> Errors:
    """The error of a product is of its real value; its own rule takes odd weights into account."""
    return [(operation.sums, e)]


@rule(ops.Convolve, through=["column", "row"])
def _convolve(way: WayBack, operation: ops.Convolve, e: Tensor) -> Errors:
    """The error is quantized once, for both passes."""
    builder, slot = way.builder, operation.slot
    assert slot is not None
    layer, geometry = operation.layer, operation.geometry
    if builder.quantizes(slot) and e.kind is not Kind.ERRORS:
        q = builder.tensor(f"{layer}.e", e.shape, Kind.ERRORS, bits=BySlot(slot, Operand.ERROR))
        builder.emit(ops.QuantizeErrors(f"{layer}.e.quantize", slot, e, q))
        e = q
    a, w = operation.row, operation.column
    products = [Product(layer, Pass.GRADIENT, geometry, a, e, slot)]
    if way.is_learned(a):
        products.append(Product(layer, Pass.ERROR, geometry, e, w, slot))
    return list(zip((w, a), builder.multiply(products), strict=False))


@rule(ops.BatchNorm, through=["gamma", "beta", "x"])
def _batch_norm(way: WayBack, operation: ops.BatchNorm, e: Tensor) -> Errors:
    name, norm = f"{operation.name}.back", operation
    dx = way.builder.tensor(f"{name}.dx", e.shape)
    dgamma, dbeta = (
        way.builder.tensor(f"{name}.d{each}", norm.gamma.shape) for each in ("gamma", "beta")
    )
    tensors = e, norm.saved, norm.gamma, dx, dgamma, dbeta
    way.builder.emit(ops.BatchNormBackward(name, norm.slot, *tensors, norm.group))
    return [(norm.gamma, dgamma), (norm.beta, dbeta), (norm.x, dx)]


@rule(ops.Rectify, through=["x"])
def _rectify(way: WayBack, operation: ops.Rectify, e: Tensor) -> Errors:
    name = f"{operation.name}.back"
    dx = way.builder.tensor(name, e.shape)
    way.builder.emit(ops.RectifyBackward(name, operation.slot, e, operation.mask, dx))
    return [(operation.x, dx)]


@rule(ops.Add, through=["x", "other"])
def _add(way: WayBack, operation: ops.Add, e: Tensor) -> Errors:
    return [(operation.x, e), (operation.other, e)]


@rule(ops.Pool, through=["x"])
def _pool(way: WayBack, operation: ops.Pool, e: Tensor) -> Errors:
    name = f"{operation.name}.back"
    dx = way.builder.tensor(name, operation.x.shape)
    way.builder.emit(ops.PoolBackward(name, operation.slot, e, dx))
    return [(operation.x, dx)]


@rule(ops.Linear, through=["weight", "bias", "x"])
def _linear(way: WayBack, operation: ops.Linear, e: Tensor) -> Errors:
    name, x = f"{operation.name}.back", operation.x
    dx = way.builder.tensor(f"{name}.dx", x.shape)
    dweight = way.builder.tensor(f"{name}.dweight", operation.weight.shape)
    dbias = way.builder.tensor(f"{name}.dbias", operation.bias.shape)
    tensors = e, x, operation.weight, dx, dweight, dbias
    way.builder.emit(ops.LinearBackward(name, operation.slot, *tensors))
    return [(operation.weight, dweight), (operation.bias, dbias), (x, dx)]


@rule(ops.Share, through=["x"])
def _share(way: WayBack, operation: ops.Share, e: Tensor) -> Errors:
    name = f"{operation.name}.back"
    share = way.builder.tensor(name, (), Kind.SHARE)
    way.builder.emit(ops.ShareBackward(name, None, e, operation.x, share))
    way.shares.setdefault(operation.block, []).append(share)
    return [(operation.x, e)]


@rule(ops.Mix, through=["x", "total"])
def _mix(way: WayBack, operation: ops.Mix, e: Tensor) -> Errors:
    """The last path comes first."""
    name, mix = f"{operation.name}.back", operation
    if way.builder.options.learns:
        share = way.builder.tensor(f"{name}.share", e.shape[:1], Kind.SHARE)
        way.builder.emit(ops.MaskBackward(f"{name}.share", None, e, mix.x, share))
        way.shares.setdefault(mix.block, []).append(share)
    dx = way.builder.tensor(f"{name}.dx", e.shape)
    way.builder.emit(ops.MixBackward(name, mix.taken, e, mix.mask, dx))
    return [(mix.x, dx), *([] if mix.total is None else [(mix.total, e)])]
