"""Bits and sizes that the vector unit of a machine does not take."""

from __future__ import annotations

from fractrain.host.compiler.whole_step.memory_map import inner_bits
from fractrain.host.compiler.whole_step.network import Block, ResidualNetwork
from fractrain.host.compiler.whole_step.refusal import DoesNotFit, require_vector_unit, too_small
from fractrain.hw.contract.numerics import MAX_UNIT_PIXELS
from fractrain.hw.contract.parameters import Parameters


def check_limits(p: Parameters, network: ResidualNetwork) -> None:
    """Raise `DoesNotFit` for what a step of ``network`` needs and ``p`` does not have."""
    graph, slots = network.graph, p.precision.slots
    vector = require_vector_unit(p)
    if len(graph.slots) > slots:
        raise DoesNotFit("slots of a whole step", len(graph.slots), f"at most {slots}")
    _check_side_bits(vector.side_bits, network)
    assert graph.options.integers is not None
    if graph.options.integers.mixing:
        given = f"{graph.options.integers.mixing}/256"
        raise DoesNotFit("running statistics in those of a chunk", given, "0 (--running-share 0)")
    for stage in network.stages:
        _, height, width = stage.shape
        chunk = graph.options.integers.chunk(graph.batch, height, width)
        pixels = chunk * height * width
        if pixels > MAX_UNIT_PIXELS:
            allowed = f"at most {MAX_UNIT_PIXELS:,}; take smaller chunks (--chunk)"
            raise DoesNotFit(f"pixels of a chunk of the {stage.name}", f"{pixels:,}", allowed)


def check_peaks(p: Parameters, words: int) -> None:
    """Raise `DoesNotFit` for more peaks than there are, in whole blocks of memory."""
    assert p.vector is not None
    if words > p.vector.peak_words:
        raise too_small("peaks", words, p.vector.peak_words, "words")


def _check_side_bits(side_bits: int, network: ResidualNetwork) -> None:
    """Those of r and of x̂."""
    graph = network.graph
    assert graph.options.integers is not None
    allowed = f"at most {side_bits}, as lines of the side memory have (vector.side_bits)"
    if graph.options.integers.residual_bits > side_bits:
        given = graph.options.integers.residual_bits
        raise DoesNotFit("bits of the residual of a whole step", given, allowed)
    for segment in network.segments:
        if isinstance(segment, Block):
            bits = inner_bits(graph, segment.slot)
            if bits > side_bits:
                raise DoesNotFit(f"bits of x̂ inside {segment.name}", bits, allowed)
