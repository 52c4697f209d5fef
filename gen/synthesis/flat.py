"""A mapped hierarchy laid flat: every cell of the design with the nets of the whole design.

Depth and fan-out do not stop at module boundaries, so both are measured here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fractrain.gen.synthesis.cells import CONSTANT, CellKind, Net, cell_kind
from fractrain.gen.synthesis.netlist import Bit, Instance, Module, Netlist

__all__ = ["FlatCell", "FlatNetlist", "flatten"]


@dataclass(frozen=True, slots=True)
class FlatCell:
    """One cell of the design; ``pins`` map names to nets, lowest bit first."""

    kind: CellKind
    source: Instance
    pins: Mapping[str, list[Net]]

    def inputs(self) -> Iterator[tuple[str, Net]]:
        """Every input pin that is tied to a net, not to a constant."""
        for name, nets in self.pins.items():
            if name not in self.source.outputs:
                for net in nets:
                    if net != CONSTANT:
                        yield name, net

    def outputs(self) -> Iterator[tuple[str, Net]]:
        """Every output pin that is connected."""
        for name in self.source.outputs:
            for net in self.pins.get(name, ()):
                yield name, net


@dataclass(frozen=True)
class FlatNetlist:
    """All cells, the nets of the top's ports, and a name for every net."""

    cells: list[FlatCell]
    ports: Mapping[str, list[Net]]
    inputs: frozenset[str]
    names: list[str]


def flatten(netlist: Netlist) -> FlatNetlist:
    """Lay ``netlist`` flat."""
    return _Flattener(netlist).run()


class _Flattener:
    """Numbers nets as it walks down; nets that turn out to be one are joined (union-find)."""

    def __init__(self, netlist: Netlist) -> None:
        self.netlist = netlist
        self.parent: list[Net] = [CONSTANT]
        self.names: list[str] = ["constant"]
        self.placed: list[tuple[Instance, dict[str, list[Net]]]] = []

    def run(self) -> FlatNetlist:
        top = self.netlist.modules[self.netlist.top]
        local = self._place(top, {}, "")
        ports = {name: [local[bit] for bit in bits] for name, bits in top.ports.items()}
        roots = [self._root(net) for net in range(len(self.parent))]
        return FlatNetlist(
            cells=[
                FlatCell(
                    cell_kind(cell.type),
                    cell,
                    {name: [roots[net] for net in nets] for name, nets in pins.items()},
                )
                for cell, pins in self.placed
            ],
            ports={name: [roots[net] for net in nets] for name, nets in ports.items()},
            inputs=top.inputs,
            names=self.names,
        )

    def _place(self, module: Module, given: Mapping[str, list[Net]], path: str) -> dict[Bit, Net]:
        """Place ``module`` with its ports at the nets ``given``; returns its nets."""
        local: dict[Bit, Net] = dict.fromkeys(("0", "1", "x", "z"), CONSTANT)
        for port, nets in given.items():
            for bit, net in zip(module.ports[port], nets, strict=True):
                # A net may reach several ports, and an output may be a constant.
                if bit in local:
                    self._join(local[bit], net)
                else:
                    local[bit] = net

        def net_of(bit: Bit) -> Net:
            net = local.get(bit)
            if net is None:
                net = local[bit] = self._new(path, module, bit)
            return net

        for bits in module.ports.values():
            for bit in bits:
                net_of(bit)
        for cell in module.cells:
            pins = {name: [net_of(bit) for bit in bits] for name, bits in cell.pins.items()}
            self.placed.append((cell, pins))
        for child in module.children:
            pins = {name: [net_of(bit) for bit in bits] for name, bits in child.pins.items()}
            self._place(self.netlist.modules[child.type], pins, f"{path}{child.name}.")
        return local

    def _new(self, path: str, module: Module, bit: Bit) -> Net:
        self.parent.append(len(self.parent))
        assert isinstance(bit, int)
        self.names.append(path + module.net_names.get(bit, f"net {bit}"))
        return len(self.parent) - 1

    def _root(self, net: Net) -> Net:
        while self.parent[net] != net:
            self.parent[net] = self.parent[self.parent[net]]
            net = self.parent[net]
        return net

    def _join(self, one: Net, other: Net) -> None:
        # The lower number wins: CONSTANT over any net, the outer name over the inner one.
        low, high = sorted((self._root(one), self._root(other)))
        self.parent[high] = low
