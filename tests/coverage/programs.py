"""Random programs, aimed at what a coverage still lacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from fractrain.host.compiler import Planes, Port, Raw, Step
from fractrain.host.compiler.results import Destination
from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand, Pass, Precision
from tests.coverage import bins
from tests.coverage.cases import Case, Run
from tests.coverage.drawing import (
    Random,
    Target,
    draw_bus,
    draw_geometry,
    draw_precision,
    smaller,
)
from tests.coverage.points import Coverage

RUNS = 3
KINDS = (*bins.CLASSES, *bins.SKIPS)
Wanted = tuple[Pass, str]
"""A precision class, and the pass that it is for."""

TENSORS = {Pass.FORWARD: ("a", "w", "y"), Pass.ERROR: ("e", "w", "x"), Pass.GRADIENT: "aeg"}
"""Row, column and result."""

UNMOVED = {(3, 3): 1, (1, 1): 0}
"""Kernels and the padding with which a result stays where the next layer reads it."""
_UNMOVED_TARGETS = {("3x3", "1"), ("1x1", "0")}


@dataclass
class Layer:
    """A convolution of a program.

    Members: ``names`` of its tensors, by `TENSORS`; ``wanted`` of each run; ``slots`` and
    ``forms`` (of results) of its passes, which are ``passes``; ``wide``: its tensors are stored
    with all bits.
    """

    geometry: Geometry
    names: dict[str, str]
    wanted: list[Wanted]
    forms: dict[Pass, str]
    passes: list[Pass]
    slots: dict[Pass, int]
    wide: bool = False

    def step(self, pass_: Pass) -> Step:
        """With bits and destination to be chosen."""
        row, column, result = (self.names[each] for each in TENSORS[pass_])
        return Step(pass_, self.geometry, self.slots[pass_], row, column, result)


def special_layers(parameters: Parameters) -> list[tuple[Geometry, bool]]:
    """Layers for which the compiler has commands of its own; whether they are stored wide."""
    p, c = parameters.array.rows, parameters.block.channels
    slices = parameters.buffers.column_words // parameters.precision.max_bits
    return [
        # rows of so many blocks that a gradient has slices beside each other
        (Geometry(1, 3, c + 1, (2, 8 * p + 3), (3, 3), 1, 1), False),
        # an error of two slices, with one tap each
        (Geometry(1, c, 9 * c + 1, (3, 5), (1, 1), 1, 0), False),
        # three shapes of slices in a gradient: the last two rows of each two images together
        (Geometry(3, c, 5, (6, p - 1), (3, 3), 1, 1), False),
        # more weights than the column memory holds
        (Geometry(1, (slices + 1) * c, c, (3, 5), (3, 3), 1, 1), True),
        # an image that comes in strips, and its gradient in several parts
        (Geometry(1, c - 1, c, (6 * slices, p), (3, 3), 1, 1), True),
        # a wide row for a follower with stride 2
        (Geometry(1, 3, c, (3, p + 5), (3, 3), 1, 1), False),
    ]


class Programs:
    """Cases for machines of ``parameters``, the same ones for the same ``seed`` and holes."""

    def __init__(self, parameters: Parameters, coverage: Coverage, seed: int) -> None:
        self.parameters, self.coverage = parameters, coverage
        self._seed, self._count = seed, 0
        self._targets = sorted({each[1:5] for each in coverage.points["layers"].bins})

    def next(self) -> Case:
        """The next one, most of it in bins that are empty now."""
        self._count += 1
        random = Random(self._seed, self._count)
        special = not self.coverage.empty("layers") and random.chance(0.5)
        free = random.sample(range(self.parameters.precision.slots), 9)
        slots = [free[:1] * 3] * 3 if random.chance(0.12) else [free[:3], free[3:6], free[6:]]
        if special:
            layers = [self._special(random, slots[0])]
        else:
            layers = [self._layer(random, 0, slots[0], deep=random.chance(0.1))]
        for number in range(1, random.choice([1, 2, 2, 3])):
            mine = slots[number]
            follows = random.chance(0.5) and self._follower(random, layers[-1], number, mine)
            layers.append(follows or self._layer(random, number, mine, deep=False))
        runs = [self._run(random, layers, number) for number in range(RUNS)]
        steps = self._steps(random, layers, runs)
        seed, base = random.number(0, 2**31), 4096 * random.number(0, 255)
        return Case(tuple(steps), tuple(runs), seed, base)

    # -- layers --------------------------------------------------------------------------------

    def _layer(self, random: Random, number: int, slots: list[int], *, deep: bool) -> Layer:
        target = self._target(random)
        wanted = self._wanted(random, target)
        if deep:
            wanted = [(pass_, random.choice(["1 bit", "narrow"])) for pass_, _ in wanted]
        forms, batch = self._forms(random, target)
        images = random.choice([1, 1, 3, 5] if batch == "odd" else [2, 2, 4, 6])
        geometry = smaller(
            draw_geometry(random, self.parameters, target, images, deep=deep),
            self.parameters,
            [kind for _, kind in wanted],
        )
        passes = list(Pass) if random.chance(0.8) else [wanted[0][0]]
        return Layer(
            geometry,
            {each: f"{each}{number}" for each in "aweyxg"},
            wanted,
            forms,
            passes,
            _assign(random, slots),
            wide=deep,
        )

    def _special(self, random: Random, slots: list[int]) -> Layer:
        """A layer that no target is likely to be."""
        geometry, wide = random.choice(special_layers(self.parameters))
        return Layer(
            geometry,
            {each: f"{each}0" for each in "aweyxg"},
            [(random.choice(list(Pass)), random.choice(["1 bit", "narrow"])) for _ in range(RUNS)],
            {each: random.choice(bins.FORMS[:2]) for each in Pass},
            list(Pass),
            _assign(random, slots),
            wide,
        )

    def _follower(
        self, random: Random, before: Layer, number: int, slots: list[int]
    ) -> Layer | None:
        """A layer that reads the output of ``before`` where it is, if there can be one."""
        g, kernel = before.geometry, random.choice([(3, 3), (3, 3), (1, 1)])
        if UNMOVED.get(g.kernel) != g.padding or g.stride > 2 or len(before.passes) == 1:
            return None
        filters = random.number(1, 2 * self.parameters.block.channels)
        stride = random.choice([1, 2])
        names = {each: f"{each}{number}" for each in "aweyxg"} | {"a": before.names["y"]}
        if stride == 1 and random.chance(0.7):
            before.names["e"] = names["x"]
        return Layer(
            Geometry(g.images, g.filters, filters, g.output, kernel, stride, UNMOVED[kernel]),
            names,
            [(random.choice(list(Pass)), random.choice(KINDS)) for _ in range(RUNS)],
            {each: random.choice(bins.FORMS[:3]) for each in Pass},
            list(Pass),
            _assign(random, slots),
        )

    def _target(self, random: Random) -> Target:
        layers, results = self.coverage.empty("layers"), self.coverage.empty("results")
        if layers and random.chance(0.9):
            return random.choice(layers)[1:5]
        if results and random.chance(0.9):
            pair = random.choice(results)[1:3]
            return random.choice([each for each in self._targets if each[:2] == pair])
        unmoved = [each for each in self._targets if (each[0], each[3]) in _UNMOVED_TARGETS]
        return random.choice(unmoved if random.chance(0.5) else self._targets)

    def _wanted(self, random: Random, target: Target) -> list[Wanted]:
        labels = {each.label: each for each in Pass}
        empty = {
            values[5]: labels[values[0]]
            for values in self.coverage.empty("layers")
            if values[1:5] == target
        }
        wanted = [(empty[kind], kind) for kind in random.sample(list(empty), RUNS)]
        while len(wanted) < RUNS:
            wanted.append((random.choice(list(Pass)), random.choice(KINDS)))
        return wanted

    def _forms(self, random: Random, target: Target) -> tuple[dict[Pass, str], str]:
        """Forms of the results, and whether the batch is odd or even."""
        empty = [each for each in self.coverage.empty("results") if each[1:3] == target[:2]]
        batch = random.choice(empty)[4] if empty else random.choice(bins.BATCHES)
        forms = {}
        for pass_ in Pass:
            most = 3 if pass_ is Pass.GRADIENT else 4
            open_ = [each[3] for each in empty if (each[0], each[4]) == (pass_.label, batch)]
            forms[pass_] = random.choice(open_ or bins.FORMS[:most])
        return forms, batch

    # -- precisions ----------------------------------------------------------------------------

    def _run(self, random: Random, layers: Sequence[Layer], number: int) -> Run:
        table = {}
        nothing = random.chance(0.05)
        for layer in layers:
            pass_, kind = layer.wanted[number]
            for slot in dict.fromkeys(layer.slots[each] for each in layer.passes):
                precision = draw_precision(random, kind, pass_)
                if nothing:  # every pass reads one of these
                    precision = replace(precision, activation=0, error=0, weight=0)
                table[slot] = _with_any_unused(random, layer, slot, precision)
        bus = random.choice(("ideal",) * 6 + bins.BUSES)
        model, stalls = draw_bus(random, self.parameters, bus)
        return Run(table, bus, model, stalls, random.number(0, 2**31), random.chance(0.3))

    # -- steps ---------------------------------------------------------------------------------

    def _steps(self, random: Random, layers: list[Layer], runs: Sequence[Run]) -> list[Step]:
        """Forward passes in order, then the others from the last layer to the first."""
        order = [(layer, Pass.FORWARD) for layer in layers if Pass.FORWARD in layer.passes]
        for layer in reversed(layers):
            backward = [each for each in layer.passes if each is not Pass.FORWARD]
            order += [(layer, each) for each in random.sample(backward, 2)]
        drafts = [layer.step(pass_) for layer, pass_ in order]
        stored = self._stored(random, order, runs)
        steps = []
        for (layer, pass_), step in zip(order, drafts, strict=True):
            step = replace(step, stored_bits=(stored[step.row], stored[step.column]))
            form = "planes" if step.result in stored else layer.forms[pass_]
            bits = stored.get(step.result, random.number(1, 16))
            signed = pass_ is Pass.ERROR if step.result in stored else random.chance(0.5)
            steps.append(
                replace(step, destination=_destination(random, step, form, bits, signed, runs))
            )
        return steps

    def _stored(
        self, random: Random, order: list[tuple[Layer, Pass]], runs: Sequence[Run]
    ) -> dict[str, int]:
        """Bits in memory of every tensor that is read: those of all runs, or more."""
        stored: dict[str, int] = {}
        for layer, pass_ in order:
            step = layer.step(pass_)
            most = layer.wide or layer.forms[pass_] == "raw48"
            for name, operand in ((step.row, pass_.row), (step.column, pass_.column)):
                used = max(1, *(run.table[step.slot].bits(operand) for run in runs))
                if most:
                    used = 16
                stored[name] = max(stored.get(name, 0), used)
        return {
            name: random.number(bits, 16) if random.chance(0.15) else bits
            for name, bits in stored.items()
        }


def _assign(random: Random, slots: list[int]) -> dict[Pass, int]:
    """A slot for all passes, or one each."""
    if random.chance(0.6):
        return dict.fromkeys(Pass, slots[0])
    return dict(zip(Pass, slots, strict=True))


def _with_any_unused(random: Random, layer: Layer, slot: int, precision: Precision) -> Precision:
    """``precision``, with anything for the operands that nobody reads at ``slot``."""
    used = {
        operand
        for pass_ in layer.passes
        if layer.slots[pass_] == slot
        for operand in (pass_.row, pass_.column)
    }
    return Precision(
        *(
            precision.bits(operand) if operand in used else random.number(0, 16)
            for operand in Operand
        )
    )


def _destination(
    random: Random, step: Step, form: str, bits: int, signed: bool, runs: Sequence[Run]
) -> Destination:
    if form == "port":
        return Port()
    if form != "planes":
        return Raw()
    table = random.choice(runs).table[step.slot]
    widths = table.bits(step.pass_.row) + table.bits(step.pass_.column)
    terms = prod(step.geometry.kernel) * step.geometry.channels
    largest = widths + terms.bit_length() // 2
    return Planes(bits, min(40, max(0, largest - bits - random.number(0, 5))), signed)
