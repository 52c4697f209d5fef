"""Logic depth: how many LUTs a signal passes from one register to the next.

Paths start at outputs of registered cells (flip-flops, block RAMs, DSP slices, LUT memories) and
at the top's inputs, and end at inputs of registered cells and the top's outputs. A LUT is one
level; a carry chain counts with the LUT in front of it; MUXF7 and MUXF8 count nothing.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from fractrain.gen.synthesis.cells import CONSTANT, Arc, Net
from fractrain.gen.synthesis.flat import FlatNetlist
from fractrain.hw.contract.errors import DataError

__all__ = ["Depth", "TimingPath", "logic_depth"]


PATHS_LISTED = 8


@dataclass(frozen=True)
class TimingPath:
    """The longest way to one register (or port), and the register (or port) it comes from."""

    levels: int
    start: str
    end: str


@dataclass(frozen=True)
class Depth:
    """How deep the logic is.

    levels : LUTs between two registers, at most
    paths : the longest paths, one for each register they end at, the longest first; of a
        register of many bits the deepest bit counts
    levels_after_direct : LUTs at most between the output of a block RAM or DSP slice whose
        output register is not used and the next register; 0 if there is no such output
    """

    levels: int
    paths: tuple[TimingPath, ...]
    levels_after_direct: int


def logic_depth(flat: FlatNetlist) -> Depth:
    """Measure ``flat``; `DataError` if it has a combinational loop."""
    graph = _Graph(flat)
    starts = {net for name in flat.inputs for net in flat.ports[name]} | graph.registered
    levels, before = graph.arrivals(starts)
    longest: dict[str, Net] = {}
    for net, named in graph.ends.items():
        name = flat.names[named].partition("[")[0]
        if name not in longest or levels.get(net, 0) > levels.get(longest[name], 0):
            longest[name] = net
    worst = sorted(longest.items(), key=lambda item: (-levels.get(item[1], 0), item[0]))
    late, _ = graph.arrivals(graph.direct)
    return Depth(
        levels=levels.get(worst[0][1], 0) if worst else 0,
        paths=tuple(
            TimingPath(levels.get(net, 0), flat.names[_first(net, before)], name)
            for name, net in worst[:PATHS_LISTED]
        ),
        levels_after_direct=max((late.get(net, 0) for net in graph.ends), default=0),
    )


def _first(net: Net, before: dict[Net, Net]) -> Net:
    """Where the longest path to ``net`` begins."""
    while net in before:
        net = before[net]
    return net


class _Graph:
    """The arcs of the design, drivers first, and the nets where paths begin and end."""

    def __init__(self, flat: FlatNetlist) -> None:
        arcs: list[Arc] = []
        self.registered: set[Net] = set()
        self.direct: set[Net] = set()
        self.from_lut: set[Net] = set()
        # Where a path ends → the net that names the end: a register is known by its output.
        self.ends: dict[Net, Net] = {
            net: net
            for name, nets in flat.ports.items()
            if name not in flat.inputs
            for net in nets
            if net != CONSTANT
        }
        for cell in flat.cells:
            arcs += cell.kind.arcs(cell.pins)
            if cell.kind.inputs:
                self.from_lut |= {net for _, net in cell.outputs()}
            if cell.kind.registered:
                direct = cell.kind.direct(cell.source.parameters)
                outputs = list(cell.outputs())
                self.registered |= {net for _, net in outputs}
                self.direct |= {net for name, net in outputs if name in direct}
                by_output = outputs and not cell.kind.outside
                for name, net in cell.inputs():
                    if name not in cell.kind.clocks:
                        self.ends[net] = outputs[0][1] if by_output else net
        self.arcs = _in_order([arc for arc in arcs if arc.outputs])

    def arrivals(self, starts: set[Net]) -> tuple[dict[Net, int], dict[Net, Net]]:
        """Levels from ``starts`` to each net, by the longest way, and the net before it."""
        levels = dict.fromkeys(starts - {CONSTANT}, 0)
        before: dict[Net, Net] = {}
        for arc in self.arcs:
            latest, source = -1, CONSTANT
            for net in arc.inputs:
                if net in levels and levels[net] + arc.levels > latest:
                    latest, source = levels[net] + arc.levels, net
            for net in arc.packed:
                if net in levels:
                    # From anything but a LUT, the LUT in front of the chain is a mere wire.
                    level = levels[net] + (0 if net in self.from_lut else 1)
                    if level > latest:
                        latest, source = level, net
            if latest < 0:
                continue
            for net in arc.outputs:
                if latest > levels.get(net, -1):
                    levels[net], before[net] = latest, source
        return levels, before


def _in_order(arcs: list[Arc]) -> list[Arc]:
    """``arcs`` sorted so that each comes after all that drive it (Kahn's algorithm)."""
    drivers: defaultdict[Net, int] = defaultdict(int)
    readers: defaultdict[Net, list[int]] = defaultdict(list)
    waiting = [0] * len(arcs)
    for arc in arcs:
        for net in arc.outputs:
            drivers[net] += 1
    for index, arc in enumerate(arcs):
        for net in {*arc.inputs, *arc.packed}:
            if net in drivers and net != CONSTANT:
                waiting[index] += drivers[net]
                readers[net].append(index)
    ready = [index for index, count in enumerate(waiting) if count == 0]
    ordered: list[Arc] = []
    while ready:
        arc = arcs[ready.pop()]
        ordered.append(arc)
        for net in arc.outputs:
            for reader in readers[net]:
                waiting[reader] -= 1
                if waiting[reader] == 0:
                    ready.append(reader)
    if len(ordered) < len(arcs):
        raise DataError("the netlist has a combinational loop")
    return ordered
