"""Traces without a run: candidates, each with its share of the steps.

No trace of the published runs is public. Their mean costs are, and a mix of candidates with the
same mean stands for them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from fractrain.host.machines.network_layers import blocks_of
from fractrain.host.machines.trace import CIFAR, EIGHT, Stretch, Trace
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import PRECISION, Pass, Precision
from fractrain.hw.contract.values import Real, Whole

PUBLISHED_CANDIDATES = tuple(
    Precision(forward, 4, error) for forward, error in ((3, 6), (4, 6), (4, 8), (6, 8), (6, 12))
)
"""Of DFQ and FracTrain on CIFAR: weights have 4 bits."""

PUBLISHED_BATCH = 128

FORM = "MODEL[/BATCH]:A,W,E[*SHARE+A,W,E*SHARE…], for example resnet38/128:3,4,6*0.2+4,4,6*0.8"

Mix = Sequence[tuple[Precision, float]]


def mix_trace(
    model: str, mix: Mix, batch: int = PUBLISHED_BATCH, steps: float = 1.0, name: str = ""
) -> Trace:
    """All blocks of ``model`` at each precision of ``mix`` for its share of ``steps``.

    As in the published method on CIFAR, shortcuts have the bits of their block; the first
    convolution, which is in floating point there, has 8.
    """
    blocks = blocks_of(model, CIFAR)
    stretches = tuple(
        Stretch(share * steps, (precision,) * blocks) for precision, share in mix if share
    )
    text = mix_text(model, mix, batch)
    return Trace(
        name or text,
        model,
        CIFAR,
        batch,
        stretches,
        first=EIGHT,
        shortcuts=None,
        command=f"fractrain compare --machines '{text}'",
    )


def mix_text(model: str, mix: Mix, batch: int = PUBLISHED_BATCH) -> str:
    """As `read_mix` reads it."""
    parts = [
        f"{each.activation},{each.weight},{each.error}" + ("" if share == 1 else f"*{share:.6g}")
        for each, share in mix
        if share
    ]
    return f"{model}/{batch}:{'+'.join(parts)}"


def read_mix(text: str) -> Trace:
    """The trace of one step with a mix as users write it, see `FORM`; shares add up to 1.

    Raises `ParameterError` for another form, an unknown network, and other shares.
    """
    match = re.fullmatch(r"([^/:]+)(?:/([^:]*))?:(.+)", text)
    if match is None:
        raise ParameterError("mix", text, FORM)
    model, batch, rest = match.groups()
    images = PUBLISHED_BATCH if batch is None else Whole(1, 1 << 16).read("batch of the mix", batch)
    mix = []
    for part in rest.split("+"):
        bits, star, share = part.partition("*")
        precision = PRECISION.read("precision of the mix", bits)
        value = Real(0, 1, above=True).read("share of the mix", share) if star else 1.0
        mix.append((precision, value))
    whole = math.fsum(share for _, share in mix)
    if abs(whole - 1) > 1e-3:
        raise ParameterError("shares of the mix", f"{whole:g} together", "1 together")
    return mix_trace(model, [(each, share / whole) for each, share in mix], images)


def cost_in_percent(precision: Precision) -> float:
    """cp: (a·w + e·w + a·e) / (3 · 1024) in percent."""
    products = (precision.bits(each.row) * precision.bits(each.column) for each in Pass)
    return 100 * sum(products) / (3 * 1024)


def narrow_mix(candidates: Sequence[Precision], cp: float) -> Mix:
    """The two neighbouring candidates whose mean costs ``cp`` percent.

    Raises `ParameterError` for a mean that they cannot have.
    """
    ascending = sorted(candidates, key=cost_in_percent)
    for low, high in zip(ascending, ascending[1:], strict=False):
        if cost_in_percent(low) <= cp <= cost_in_percent(high):
            return _between(low, high, cp)
    least, most = (cost_in_percent(each) for each in (ascending[0], ascending[-1]))
    raise ParameterError("cp", cp, f"{least:.4g} to {most:.4g} % with these candidates")


def wide_mix(candidates: Sequence[Precision], cp: float) -> Mix:
    """The cheapest and the dearest candidate with the mean cost ``cp``: the other extreme."""
    narrow_mix(candidates, cp)  # refuses what cannot be
    return _between(min(candidates, key=cost_in_percent), max(candidates, key=cost_in_percent), cp)


def _between(low: Precision, high: Precision, cp: float) -> Mix:
    least, most = cost_in_percent(low), cost_in_percent(high)
    share = (cp - least) / (most - least)
    return [(low, 1 - share), (high, share)]
