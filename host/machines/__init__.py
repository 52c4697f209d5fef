"""Machines side by side: those of `sim.machines` and our own, behind one interface."""

from fractrain.host.machines.layers import geometry_of, layer_of
from fractrain.host.machines.ours import Zc706
from fractrain.host.machines.registry import MACHINES, build_machine

__all__ = ["MACHINES", "Zc706", "build_machine", "geometry_of", "layer_of"]
