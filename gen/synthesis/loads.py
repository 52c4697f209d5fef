"""Fan-out: how many pins a net drives.

Long nets with many loads, not deep logic, limit the clock of a large array. So operands reach its
units through registers of their own, and no bit may have many loads.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from fractrain.gen.synthesis.cells import CONSTANT, Net
from fractrain.gen.synthesis.flat import FlatNetlist

__all__ = ["Loads", "Loaded", "measure_loads"]


@dataclass(frozen=True)
class Loaded:
    """A net and the number of its loads; 0 loads and no name if there is no such net."""

    loads: int
    name: str


@dataclass(frozen=True)
class Loads:
    """The nets with the most loads.

    operand : of the nets that carry operand bits: those that were named, and, through
        flip-flops, the nets that follow
    any_net : of all nets but clocks and resets of the whole design
    reset : of those resets
    """

    operand: Loaded
    any_net: Loaded
    reset: Loaded


def measure_loads(
    flat: FlatNetlist, operands: Iterable[str], resets: Iterable[str] = ("rst",)
) -> Loads:
    """Count the loads in ``flat``. Operand bits come on nets and input ports of the top; their
    names begin as one of the regular expressions ``operands``. ``resets`` names the resets of the
    whole design."""
    counts: Counter[Net] = Counter()
    reset_nets = {net for net, name in enumerate(flat.names) if name in set(resets)}
    aside: set[Net] = reset_nets | {CONSTANT}
    next_nets: dict[Net, list[Net]] = {}
    for cell in flat.cells:
        for name, net in cell.inputs():
            counts[net] += 1
            if name in cell.kind.clocks:
                aside.add(net)
        if cell.kind.flip_flops:
            for net in cell.pins["D"]:
                next_nets.setdefault(net, []).extend(cell.pins["Q"])
    carriers = _reached(_named(flat, operands), next_nets) - aside
    return Loads(
        operand=_most(flat, {net: counts[net] for net in carriers}),
        any_net=_most(flat, {net: loads for net, loads in counts.items() if net not in aside}),
        reset=_most(flat, {net: counts[net] for net in reset_nets}),
    )


def _named(flat: FlatNetlist, patterns: Iterable[str]) -> set[Net]:
    begins = re.compile("|".join(patterns) or r"(?!)").match
    ports = [name for name in flat.inputs if begins(name)]
    nets = {net for net, name in enumerate(flat.names) if begins(name)}
    return nets | {net for name in ports for net in flat.ports[name]}


def _reached(starts: set[Net], next_nets: dict[Net, list[Net]]) -> set[Net]:
    """``starts`` and every net behind them through any number of flip-flops."""
    reached = set(starts)
    pending = list(starts)
    while pending:
        for net in next_nets.get(pending.pop(), ()):
            if net not in reached:
                reached.add(net)
                pending.append(net)
    return reached


def _most(flat: FlatNetlist, counts: dict[Net, int]) -> Loaded:
    if not counts:
        return Loaded(0, "")
    net = min(counts, key=lambda each: (-counts[each], each))
    return Loaded(counts[net], flat.names[net])
