"""Recognizes a residual network in the graph of its step.

Everything in the graph that the machine would have to do must have been recognized: what is left
over is refused by name.
"""

from __future__ import annotations

from collections.abc import Sequence

from fractrain.host.compiler.whole_step.network import (
    Block,
    Layer,
    NetworkStage,
    Output,
    ResidualNetwork,
    Segment,
    Stem,
)
from fractrain.host.compiler.whole_step.refusal import DoesNotFit
from fractrain.host.graph import operations as ops
from fractrain.host.graph.choice import is_skip
from fractrain.host.graph.operations import Operation
from fractrain.host.graph.step import StepGraph
from fractrain.host.graph.tensor import Tensor
from fractrain.hw.contract.numerics import MAX_ACTIVATION_BITS
from fractrain.hw.contract.precision import Pass

HOSTS = (
    *(ops.Linear, ops.LinearBackward, ops.Loss, ops.AddGradient, ops.ChooseEarly),
    *(ops.RecordMeans, ops.NormShare, ops.LearnChoice),
)
"""What the host does, from what the machine leaves in memory."""
COUNTED = (
    *(ops.QuantizePixels, ops.QuantizeWeights, ops.TopPlanes, ops.Convolve, ops.Narrow, ops.Form),
    *(ops.PoolSums, ops.SpreadErrors, ops.Join, ops.Apply, ops.AddSums),
)
"""What the machine does."""
PADDINGS = {(3, 3): 1, (1, 1): 0}


def recognize(graph: StepGraph) -> ResidualNetwork:
    """The network of ``graph``; raises `DoesNotFit` for what is no residual network, for an
    evaluation, and for a step that is not in integers."""
    if graph.options.integers is None or not graph.training:
        given = "an evaluation" if graph.options.integers else "a step in real numbers"
        raise DoesNotFit("graph of a whole step", given, "a training step in integers")
    if is_skip(graph.options.unquantized):
        raise DoesNotFit("unquantized layers", str(graph.options.unquantized), "no skip")
    return _Recognizer(graph).network()


def _refuse(operation: Operation, allowed: str) -> DoesNotFit:
    name = f"{type(operation).__name__} {operation.name} of a whole step"
    return DoesNotFit(name, "as it is", allowed)


class _Recognizer:
    def __init__(self, graph: StepGraph) -> None:
        self._graph = graph
        self._known: set[str] = set()
        self._makers: dict[str, Operation] = {}
        self._readers: dict[str, list[Operation]] = {}
        for each in graph.operations:
            for tensor in each.outputs:
                self._makers[tensor.name] = each
            for tensor in each.inputs:
                self._readers.setdefault(tensor.name, []).append(each)
        self._updates = {each.parameter.name: n for n, each in enumerate(graph.updates)}
        self._passes = {
            (each.layer, each.pass_): each for each in graph.convolutions if not each.ones
        }

    def network(self) -> ResidualNetwork:
        (pixels,) = (each for each in self._graph.forward if isinstance(each, ops.QuantizePixels))
        self._take(pixels)
        if pixels.image_bits != MAX_ACTIVATION_BITS:
            raise _refuse(pixels, f"pixels of {MAX_ACTIVATION_BITS} bits")
        segments = [self._stem(pixels)]
        while (form := segments[-1].output.form).a is not None:
            segments.append(self._block(form))
        spread = self._end(segments[-1])
        self._check_joins(segments, spread)
        self._check_rest()
        return ResidualNetwork(self._graph, self._stages(segments), pixels, spread)

    def _take(self, operation: Operation) -> None:
        self._known.add(operation.name)

    def _one(self, tensor: Tensor | None, kind: type[Operation], by: Operation) -> Operation:
        """The one reader of a kind of ``tensor``, which ``by`` makes."""
        readers = [] if tensor is None else self._readers.get(tensor.name, [])
        found = [each for each in readers if isinstance(each, kind)]
        if len(found) != 1:
            raise _refuse(by, f"one with one reader that is a {kind.__name__}")
        return found[0]

    # -- segments -----------------------------------------------------------------------------

    def _stem(self, pixels: ops.QuantizePixels) -> Segment:
        forward = self._forward(pixels.pixels, pixels)
        layer, form = self._layer(forward)
        if len(form.ys) != 1 or form.residual is not None or form.inner:
            raise _refuse(form, "one batch norm behind the first convolution")
        return Stem(layer, self._output(form, layer.slot))

    def _block(self, before: ops.Form) -> Block:
        """The block that reads what ``before`` makes."""
        first, inside = self._layer(self._forward(before.a, before))
        if not inside.inner or inside.r is not None or len(inside.ys) != 1:
            raise _refuse(inside, "activations for one convolution, between two")
        second, form = self._layer(self._forward(inside.a, inside))
        shortcut = None
        if form.residual is None:
            top = self._one(before.r, ops.TopPlanes, before)
            assert isinstance(top, ops.TopPlanes)
            self._take(top)
            shortcut, other = self._layer(self._forward(top.q, top))
            if other is not form:
                raise _refuse(other, "one sum at the end of a block with a shortcut")
        elif before.r is None or form.residual.name != before.r.name:
            raise _refuse(form, "the residual of the block's own input")
        if form.inner or len(form.ys) != (1 if shortcut is None else 2) or second.part != 0:
            raise _refuse(form, "the second batch norm, and a residual or a shortcut's")
        if first.slot != second.slot or inside.slots != (first.slot,):
            raise _refuse(form, "one slot for both convolutions of a block")
        same = first.geometry.channels == second.geometry.filters and first.geometry.stride == 1
        if shortcut is None and not same:
            raise _refuse(first.forward, "a shortcut where the shape changes")
        output = self._output(form, first.slot if shortcut is None else shortcut.slot)
        return Block(first.slot, first, second, shortcut, inside, self._join(inside), output)

    def _output(self, form: ops.Form, mask_slot: int) -> Output:
        self._take(form)
        slot = None
        if form.a is not None:
            slot = self._forward(form.a, form).slot
        readers = [] if form.r is None else self._readers.get(form.r.name, [])
        pooled = any(isinstance(each, ops.PoolSums | ops.RecordMeans) for each in readers)
        top = any(isinstance(each, ops.TopPlanes) for each in readers)
        return Output(form, self._join(form), mask_slot, slot, pooled, top)

    def _join(self, form: ops.Form) -> ops.Join:
        found = self._one(form.kept[0], ops.Join, form)
        assert isinstance(found, ops.Join)
        if found.kept != form.kept or found.mask != form.mask:
            raise _refuse(found, "the error of one sum")
        self._take(found)
        return found

    def _end(self, segment: Segment) -> ops.SpreadErrors:
        form = segment.output.form
        self._take(self._one(form.r, ops.PoolSums, form))
        found = [each for each in self._graph.backward if isinstance(each, ops.SpreadErrors)]
        if len(found) != 1:
            raise _refuse(form, "one pooling behind it")
        self._take(found[0])
        return found[0]

    # -- layers ----------------------------------------------------------------------------

    def _forward(self, tensor: Tensor | None, maker: Operation) -> ops.Convolve:
        """The forward convolution of ``tensor``."""
        readers = [] if tensor is None else self._readers.get(tensor.name, [])
        found = [
            each
            for each in readers
            if isinstance(each, ops.Convolve) and each.pass_ is Pass.FORWARD
        ]
        if len(found) != 1:
            raise _refuse(maker, "activations for one convolution")
        return found[0]

    def _layer(self, forward: ops.Convolve) -> tuple[Layer, ops.Form]:
        geometry = forward.geometry
        if geometry.groups != 1 or not geometry.direct:
            raise _refuse(forward, "one group, 3 x 3 or 1 x 1, stride 1 or 2")
        if geometry.padding != PADDINGS[geometry.kernel] or forward.ones or forward.slot is None:
            raise _refuse(forward, f"padding {PADDINGS[geometry.kernel]}, levels that are not odd")
        narrow = self._one(forward.result, ops.Narrow, forward)
        assert isinstance(narrow, ops.Narrow)
        form = self._one(narrow.y, ops.Form, narrow)
        assert isinstance(form, ops.Form)
        part = next(n for n, each in enumerate(form.ys) if each.name == narrow.y.name)
        apply = self._one(form.kept[part], ops.Apply, form)
        quantize = self._makers[forward.column.name]
        gradient = self._passes[forward.layer, Pass.GRADIENT]
        error = self._passes.get((forward.layer, Pass.ERROR))
        added = self._one(gradient.result, ops.AddSums, gradient)
        assert isinstance(apply, ops.Apply) and isinstance(quantize, ops.QuantizeWeights)
        for each in (forward, narrow, form, apply, quantize, gradient, error, added):
            if each is not None:
                self._take(each)
        update = self._updates[quantize.x.name]
        operations = quantize, forward, narrow, apply, gradient, error
        return Layer(forward.slot, geometry, *operations, part, update), form

    # -- all of it -------------------------------------------------------------------------

    def _check_joins(self, segments: Sequence[Segment], spread: ops.SpreadErrors) -> None:
        """Errors come from where the machine's commands take them."""
        behind = spread.dx.name
        for place in reversed(range(len(segments))):
            segment, join = segments[place], segments[place].output.join
            following = segments[place + 1] if place + 1 < len(segments) else None
            sums: list[ops.Convolve | None] = []
            streams = [behind]
            if isinstance(following, Block):
                sums = [following.first.error]
                if following.shortcut is not None:
                    sums.append(following.shortcut.error)
                    streams = []
            self._check_join(join, sums, streams)
            if isinstance(segment, Block):
                self._check_join(segment.inside_join, [segment.second.error], [])
            behind = join.e.name

    def _check_join(
        self, join: ops.Join, sums: Sequence[ops.Convolve | None], streams: Sequence[str]
    ) -> None:
        wanted = sorted("" if each is None else each.result.name for each in sums)
        if (
            sorted(each.name for each in join.sums) != wanted
            or [each.name for each in join.streams] != streams
        ):
            raise _refuse(join, "the errors of the block behind it")

    def _check_rest(self) -> None:
        for each in (*self._graph.forward, *self._graph.backward):
            if not isinstance(each, (*HOSTS, *COUNTED)):
                raise _refuse(each, "an operation that the machine or the host knows")
            if isinstance(each, COUNTED) and each.name not in self._known:
                raise _refuse(each, "a part of a residual network")

    def _stages(self, segments: Sequence[Segment]) -> tuple[NetworkStage, ...]:
        found: list[list[Segment]] = []
        for segment in segments:
            if isinstance(segment, Stem) or segment.shortcut is not None:
                found.append([])
            found[-1].append(segment)
        return tuple(NetworkStage(number, tuple(each)) for number, each in enumerate(found))
