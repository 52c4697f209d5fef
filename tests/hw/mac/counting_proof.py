"""Proofs that a pipeline counts: ``total = Σ_k a[k] & b[k]``, for all inputs."""

import numpy as np

from tests.hw.mac.decision_diagrams import DecisionDiagrams
from tests.hw.mac.pipeline_netlist import Net, Pipeline

__all__ = ["prove_by_diagrams", "prove_by_levels"]

MAX_LEAVES = 18
"""A piece of a level with more inputs than this is not exhausted."""


class _Truths:
    """Logic on columns of a truth table."""

    invert = staticmethod(lambda value: 1 ^ value)
    both = staticmethod(lambda a, b: a & b)
    either = staticmethod(lambda a, b: a | b)
    differ = staticmethod(lambda a, b: a ^ b)

    @staticmethod
    def choose(condition: np.ndarray, then: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
        return condition & then | (1 ^ condition) & otherwise


def prove_by_levels(pipeline: Pipeline, lanes: int) -> int:
    """Prove it for a tree of counters with registers between its levels; returns its latency.

    From the output back, level by level: what is counted is ``Σ weight * bit`` over the
    registers of a level. The logic in front of it falls into pieces that share no input. Each
    is exhausted: its weighted outputs are ``Σ weight * bit`` of its inputs, which gives the
    weights of the level before; or, at the first level, the number of products ``a[k] & b[k]``,
    with every lane in one piece only.
    """
    lanes_of = {net: lane for port in ("a", "b") for lane, net in enumerate(pipeline.ports[port])}
    assert len(lanes_of) == 2 * lanes
    weights: dict[Net, int] = {net: 1 << bit for bit, net in enumerate(pipeline.ports["total"])}
    weights.pop("0", None)
    counted: list[int] = []
    latency = 0
    while weights:
        latency += 1
        before = {_register_input(pipeline, net): weight for net, weight in weights.items()}
        weights = {}
        for outputs, leaves in _pieces(pipeline, before):
            sums = _weighted_sums(pipeline, outputs, leaves)
            if leaves[0] in lanes_of:
                counted += _check_products(sums, [lanes_of[leaf] for leaf in leaves])
            else:
                weights |= _check_linear(sums, leaves)
    assert sorted(counted) == list(range(lanes)), "a lane is counted twice or not at all"
    return latency


def _register_input(pipeline: Pipeline, net: Net) -> Net:
    source = pipeline.flip_flop_input(net)
    assert source is not None, "the levels of the tree have unequal numbers of registers"
    return source


def _pieces(pipeline: Pipeline, outputs: dict[Net, int]) -> list[tuple[dict[Net, int], list[Net]]]:
    """Groups of ``outputs`` that share no leaf with another group, with their leaves."""
    pieces: list[tuple[dict[Net, int], set[Net]]] = []
    for net, weight in outputs.items():
        piece, leaves = {net: weight}, pipeline.leaves(net)
        apart = []
        for other, others in pieces:
            if leaves & others:
                piece, leaves = piece | other, leaves | others
            else:
                apart.append((other, others))
        pieces = [*apart, (piece, leaves)]
    return [(piece, sorted(leaves, key=str)) for piece, leaves in pieces]


def _weighted_sums(pipeline: Pipeline, outputs: dict[Net, int], leaves: list[Net]) -> np.ndarray:
    """``Σ weight * output`` for every assignment of the leaves, leaf 0 the lowest bit."""
    assert len(leaves) <= MAX_LEAVES, f"a piece of a level has {len(leaves)} inputs"
    rows = np.arange(1 << len(leaves))
    truths = {leaf: (rows >> index) & 1 for index, leaf in enumerate(leaves)}
    values = pipeline.evaluate(_Truths(), truths, outputs)
    return sum(
        weight * (value + 0 * rows) for weight, value in zip(outputs.values(), values, strict=True)
    )


def _check_linear(sums: np.ndarray, leaves: list[Net]) -> dict[Net, int]:
    """The weights of ``leaves`` whose weighted sum is ``sums``."""
    weights = [int(sums[1 << index]) for index in range(len(leaves))]
    rows = np.arange(len(sums))
    expected = sum(weight * (rows >> index & 1) for index, weight in enumerate(weights))
    assert np.array_equal(sums, expected), "a counter does not count"
    return dict(zip(leaves, weights, strict=True))


def _check_products(sums: np.ndarray, lanes: list[int]) -> list[int]:
    """The lanes whose products ``sums`` counts."""
    rows = np.arange(len(sums))
    distinct = sorted(set(lanes))
    expected = np.zeros_like(rows)
    for lane in distinct:
        first, second = (index for index, each in enumerate(lanes) if each == lane)
        expected += (rows >> first) & (rows >> second) & 1
    assert np.array_equal(sums, expected), "a group of products is not counted"
    return distinct


def prove_by_diagrams(pipeline: Pipeline, order: list[int]) -> int:
    """Prove it for any pipeline, by canonical diagrams; returns its latency.

    ``order`` : the lanes, those that are added early next to each other, which keeps the
    diagrams of all partial sums small.
    """
    lanes = len(order)
    diagrams = DecisionDiagrams(2 * lanes)
    known: dict[Net, int] = {}
    products = []
    for position, lane in enumerate(order):
        a, b = diagrams.variable(2 * position), diagrams.variable(2 * position + 1)
        known |= {pipeline.ports["a"][lane]: a, pipeline.ports["b"][lane]: b}
        products.append(diagrams.both(a, b))
    totals = pipeline.evaluate(diagrams, known, pipeline.ports["total"])
    assert len(totals) == lanes.bit_length()
    for bit, total in enumerate(totals):
        assert total == _count_bit(diagrams, products, bit), f"bit {bit} of the total is wrong"
    return pipeline.lag(pipeline.ports["total"], known)


def _count_bit(diagrams: DecisionDiagrams, products: list[int], bit: int) -> int:
    """Bit ``bit`` of the number of ``products`` that are one; these in order of variables."""
    # functions[n]: the bit, if n of the products so far are one; from the last product back
    functions = [count >> bit & 1 for count in range(len(products) + 1)]
    for product in reversed(products):
        functions = [
            diagrams.choose(product, one_more, same)
            for same, one_more in zip(functions, functions[1:], strict=False)
        ]
    return functions[0]
