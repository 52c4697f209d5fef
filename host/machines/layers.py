"""Layers of the machine models and geometries of the step graph: one from the other."""

from __future__ import annotations

from fractrain.host.graph.geometry import Geometry, output_size
from fractrain.hw.contract.errors import ParameterError
from fractrain.sim.machines.work import Layer


def layer_of(geometry: Geometry) -> Layer:
    """The layer with this geometry; its input's padding is part of it.

    Raises `ParameterError` for kernels and outputs that are not square, and for groups.
    """
    (kernel, width), (output, columns) = geometry.kernel, geometry.output
    if kernel != width or output != columns or geometry.groups != 1:
        raise ParameterError("geometry", geometry.text, "square, in one group, on other machines")
    return Layer(
        kernel, output, geometry.stride, geometry.channels, geometry.filters, geometry.images
    )


def geometry_of(layer: Layer) -> Geometry:
    """A geometry with this layer: ``output·stride`` rows with half the kernel as padding where
    that makes such an output, as in the networks here, else as few rows as do."""
    padding = (layer.kernel - 1) // 2
    rows, kernel = layer.output * layer.stride, (layer.kernel, layer.kernel)
    if output_size((rows, rows), kernel, layer.stride, padding)[0] != layer.output:
        rows, padding = (layer.output - 1) * layer.stride + layer.kernel, 0
    return Geometry(
        layer.batch, layer.inputs, layer.outputs, (rows, rows), kernel, layer.stride, padding
    )
