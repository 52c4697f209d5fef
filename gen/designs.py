"""The designs that can be generated: simulation and command line get them here, not from `hw`."""

from __future__ import annotations

from fractrain.gen.build_hash import build_hash, hash_register
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.engine.engine import ConvolutionEngine
from fractrain.hw.mac.array import MacArray
from fractrain.hw.mac.flavour import Flavour
from fractrain.hw.zynq.accelerator import ZynqAccelerator

__all__ = ["ENGINE_NAME", "Flavour", "make_accelerator", "make_array", "make_engine"]

ENGINE_NAME = "fractrain_engine"
"""Name of the engine's module in Verilog."""


def make_engine(parameters: Parameters, flavour: Flavour) -> ConvolutionEngine:
    """The convolution engine of ``parameters``; its BUILD_HASH register shows their build hash."""
    digest = hash_register(build_hash(parameters))
    return ConvolutionEngine(parameters, flavour=flavour, build_hash=digest)


def make_accelerator(parameters: Parameters, flavour: Flavour) -> ZynqAccelerator:
    """The engine of ``parameters`` behind the ports of a Zynq; BUILD_HASH as `make_engine`."""
    digest = hash_register(build_hash(parameters))
    return ZynqAccelerator(parameters, flavour=flavour, build_hash=digest)


def make_array(parameters: Parameters, flavour: Flavour) -> MacArray:
    """The MAC array of ``parameters`` alone."""
    return MacArray(parameters.array, flavour=flavour)
