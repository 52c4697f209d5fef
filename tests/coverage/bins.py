"""The bins: what layers, programs, buses and commands there are, as far as coverage tells apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fractrain.host.compiler import Planes, Port, Step
from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Pass, Precision
from tests.coverage.points import Coverage, Point

PASSES = tuple(each.label for each in Pass)
KERNELS = ("3x3", "1x1", "other")
STRIDES = ("1", "2")
WIDTHS = ("quarter", "half", "whole", "several")
PADDINGS = ("0", "1", "2+")
CLASSES = ("1 bit", "narrow", "wide", "very wide", "mixed")
SKIPS = ("row skipped", "column skipped")
FORMS = ("port", "raw32", "raw48", "planes")
BATCHES = ("odd", "even")
TRUNCATED = ("none", "row", "column", "both")
BUSES = ("ideal", "ddr", "short stalls", "long stalls", "slow answers", "slow port", "random")
CHANGES = ("same", "fewer", "more", "to skip", "from skip")
CORNERS = (
    *("stride 3+", "stride beyond kernel", "even kernel", "one row", "one column"),
    *("one output", "rest of input", "padding beyond kernel", "one channel", "one filter"),
    *("whole blocks", "broken blocks", "odd height", "batch 4+"),
)
KERNEL_OF = {(3, 3): "3x3", (1, 1): "1x1"}
MOST_PADDING = 3
SIDES = range(1, 6)


def width_range(width: str, pixels: int) -> tuple[int, int]:
    """Fewest and most pixels of an output row of this class, with blocks of ``pixels``."""
    return {
        "quarter": (1, pixels // 4),
        "half": (pixels // 4 + 1, pixels // 2),
        "whole": (pixels // 2 + 1, pixels),
        "several": (pixels + 1, 2 * pixels + pixels // 2),
    }[width]


def width_class(geometry: Geometry, pixels: int) -> str:
    """Of the rows of the output."""
    columns = geometry.output[1]
    return next((each for each in WIDTHS[:3] if columns <= width_range(each, pixels)[1]), "several")


def paddings(padding: str) -> range:
    """The numbers that a class stands for."""
    return range(2, MOST_PADDING + 1) if padding == "2+" else range(int(padding), int(padding) + 1)


def kernel_sides(kernel: str) -> range:
    return {"3x3": range(3, 4), "1x1": range(1, 2), "other": SIDES}[kernel]


def exists(kernel: str, stride: str, width: str, padding: str, pixels: int) -> bool:
    """Some input of at least one pixel gives this output."""
    least, most = width_range(width, pixels)
    step = int(stride)
    return any(
        step * (columns - 1) + side - 2 * around + step - 1 >= 1
        for columns in range(least, most + 1)
        for side in kernel_sides(kernel)
        for around in paddings(padding)
    )


def precision_class(row: int, column: int) -> str:
    """Of an operand of ``row`` bits by one of ``column``; 0 bits skip."""
    if not row or not column:
        return SKIPS[bool(row)]
    if row == column == 1:
        return "1 bit"
    kinds = {(bits > 4) + (bits > 8) for bits in (row, column)}
    return CLASSES[1 + kinds.pop()] if len(kinds) == 1 else "mixed"


def corners(g: Geometry, channels: int) -> Iterator[str]:
    """What is special about a layer, with blocks of ``channels``."""
    height, width = g.kernel
    reached = (g.stride * (each - 1) + side for each, side in zip(g.output, g.kernel, strict=True))
    padded = (each + 2 * g.padding for each in g.size)
    broken = g.channels % channels or g.filters % channels
    several = min(g.channels, g.filters) > channels
    yield from (
        name
        for name, holds in zip(
            CORNERS,
            (
                *(g.stride > 2, g.stride > max(g.kernel), not height % 2 or not width % 2),
                *(g.output[0] == 1 < g.output[1], g.output[1] == 1 < g.output[0]),
                *(g.output == (1, 1), any(a < b for a, b in zip(reached, padded, strict=True))),
                *(g.padding >= max(g.kernel), g.channels == 1, g.filters == 1),
                *(several and not broken, several and bool(broken)),
                *(g.output[0] % 2 == 1 < g.output[0], g.images >= 4),
            ),
            strict=True,
        )
        if holds
    )


def form_of(step: Step, raw: str) -> str:
    """How the results of ``step`` leave; ``raw`` is the width of those in memory."""
    if isinstance(step.destination, Port):
        return "port"
    return "planes" if isinstance(step.destination, Planes) else raw


def truncation(step: Step, precision: Precision) -> str:
    """Which operands are read at fewer bits than they have in memory."""
    row, column = (
        0 < precision.bits(operand) < stored
        for operand, stored in zip(
            (step.pass_.row, step.pass_.column), step.stored_bits, strict=True
        )
    )
    return TRUNCATED[row + 2 * column]


def change(before: tuple[int, int], now: tuple[int, int]) -> str:
    """How the bits of a step have changed from one run to the next, in the same memory."""
    if 0 in before or 0 in now:
        return "same" if before == now else "to skip" if 0 in now else "from skip"
    return "same" if before == now else "fewer" if sum(now) < sum(before) else "more"


def layer_points(parameters: Parameters) -> Mapping[str, Point]:
    """Points over layers and programs, for blocks of these ``parameters``."""
    pixels = parameters.array.rows
    return {
        "layers": Point(
            "output rows as parts of a block",
            {
                "pass": PASSES,
                "kernel": KERNELS,
                "stride": STRIDES,
                "width": WIDTHS,
                "padding": PADDINGS,
                "precision": (*CLASSES, *SKIPS),
            },
            ("pass", "kernel", "stride"),
            ("width", "padding"),
            lambda pass_, kernel, stride, width, padding, precision: exists(
                kernel, stride, width, padding, pixels
            ),
        ),
        "results": Point(
            "how results leave, of batches of odd and even size",
            {
                "pass": PASSES,
                "kernel": KERNELS,
                "stride": STRIDES,
                "form": FORMS,
                "batch": BATCHES,
            },
            ("pass", "kernel", "stride"),
            ("form", "batch"),
            lambda pass_, kernel, stride, form, batch: (pass_, form) != ("gradient", "planes"),
        ),
        "truncated": Point(
            "operands read at fewer bits than are stored",
            {"pass": PASSES, "kernel": KERNELS, "operand": TRUNCATED},
            ("pass", "kernel"),
            ("operand",),
        ),
        "corners": Point(
            "layers at the edge of what there is",
            {"corner": CORNERS, "pass": PASSES},
            ("corner",),
            ("pass",),
        ),
        "chains": Point(
            "steps that read results in planes, of a step that ran or was skipped",
            {"maker": PASSES[:2], "reader": PASSES, "maker's": ("run", "skip")},
            ("maker", "reader"),
            ("maker's",),
            lambda maker, reader, ran: (maker, reader) in _CHAINS,
        ),
        "table": Point(
            "bits of a step, compared with the run before in the same memory",
            {"pass": PASSES, "change": CHANGES},
            ("pass",),
            ("change",),
        ),
        "bus": Point(
            "memory and result port",
            {"pass": PASSES, "bus": BUSES},
            ("pass",),
            ("bus",),
        ),
        "programs": Point(
            "steps of a program, their slots, and how many of them are skipped",
            {
                "steps": ("1", "2..3", "4+"),
                "slots": ("one", "several"),
                "skipped": ("none", "some", "all"),
            },
            ("steps", "slots"),
            ("skipped",),
            lambda steps, slots, skipped: steps != "1" or (slots == "one" and skipped != "some"),
        ),
    }


_CHAINS = {
    ("forward", "forward"),
    ("forward", "gradient"),
    ("error", "error"),
    ("error", "gradient"),
}


def record_layer(
    coverage: Coverage, parameters: Parameters, step: Step, precision: Precision, raw: str
) -> None:
    """Count one run of ``step``."""
    g, pass_ = step.geometry, step.pass_.label
    kernel = KERNEL_OF.get(g.kernel, "other")
    kind = precision_class(precision.bits(step.pass_.row), precision.bits(step.pass_.column))
    if g.stride <= 2:
        padding = PADDINGS[min(g.padding, 2)]
        width = width_class(g, parameters.array.rows)
        coverage.hit("layers", pass_, kernel, str(g.stride), width, padding, kind)
    if kind in SKIPS:
        return
    form = form_of(step, raw)
    if g.stride <= 2 and form:
        batch = BATCHES[g.images % 2 == 0]
        coverage.hit("results", pass_, kernel, str(g.stride), form, batch)
    coverage.hit("truncated", pass_, kernel, truncation(step, precision))
    for corner in corners(g, parameters.block.channels):
        coverage.hit("corners", corner, pass_)


def record_program(
    coverage: Coverage, steps: tuple[Step, ...], table: Mapping[int, Precision]
) -> None:
    """Count one run of a program."""
    states = {
        step.result: 0
        not in (table[step.slot].bits(step.pass_.row), table[step.slot].bits(step.pass_.column))
        for step in steps
    }
    ran = sum(states.values())
    count = "1" if len(steps) == 1 else "2..3" if len(steps) < 4 else "4+"
    slots = "one" if len({step.slot for step in steps}) == 1 else "several"
    skipped = "none" if ran == len(steps) else "some" if ran else "all"
    coverage.hit("programs", count, slots, skipped)
    makers = {step.result: step for step in steps}
    for step in steps:
        for name in {step.row, step.column} & makers.keys():
            if states[step.result]:
                state = "run" if states[name] else "skip"
                coverage.hit("chains", makers[name].pass_.label, step.pass_.label, state)
