"""Our machine, the ZC706 preset, behind the interface of the others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from fractrain.host.graph.convolution import usual_convolution
from fractrain.host.machines.layers import geometry_of
from fractrain.host.modelling.energy import joules
from fractrain.host.modelling.pass_costs import PassCosts
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import check_bits
from fractrain.sim.machines.work import Figures, Work

PRESET = "zc706"

LARGE_PRODUCTS, LARGE_WEIGHTS = 1 << 30, 1 << 22
"""Bit products of an image, and bits of weights, from which a layer is large: the cycle model
follows every beat of memory, and would take minutes for it the way it is asked for others. The
largest layer of a ResNet on CIFAR has 0.15e9 and 0.3e6 at 8 bits."""

LARGE_IMAGES = (1, 2)

LARGE = "a large layer: a program of its own, and a batch on a line through 1 and 2 images"


@dataclass(frozen=True)
class Zc706:
    """A pass in the middle of a command stream, by the cycle model (docs/step_model.md): its loads
    hide behind the pass before as far as they can. Stalls are the cycles in which the array does
    not multiply. A large layer (`LARGE_PRODUCTS`, `LARGE_WEIGHTS`) is modelled in a program of its
    own, and says so.

    memory : see `host.modelling.step_programs.MEMORIES`; ``ddr`` moves results through memory, as
        the other models do. A free choice
    """

    memory: str = "ddr"

    @property
    def name(self) -> str:
        return PRESET

    def peak(self, bits: tuple[int, int]) -> float:
        """MACs a second."""
        parameters = _costs(self.memory).parameters
        return parameters.bit_products_per_cycle / (bits[0] * bits[1]) * parameters.clock_mhz * 1e6

    @property
    def memory_bandwidth(self) -> float | None:
        """Bytes a second, reads and writes mixed; None where memory is ideal."""
        if self.memory != "ddr":
            return None
        memory = _costs(self.memory).parameters.target.memory
        return memory.peak_mbps * 1e6 * memory.mixed_efficiency

    def figures(self, work: Work) -> Figures:
        """Raises `ParameterError` for what the engine or its compiler cannot do."""
        costs = _costs(self.memory)
        parameters = costs.parameters
        for each in work.bits:
            check_bits("bits", each, maximum=parameters.precision.max_bits)
        convolution = usual_convolution(work.pass_, geometry_of(work.layer), work.bits)
        convolution = replace(convolution, stored=work.bits)
        large = _is_large(work)
        if large:
            cost = costs.of_batch(convolution, LARGE_IMAGES, alone=True)
        else:
            cost = costs.of_batch(convolution)
        costs.save()
        cycles = round(cost.cycles)
        return Figures(
            macs=work.layer.macs,
            cycles=cycles,
            stall_cycles=cycles - round(cost.busy_cycles),
            seconds=cycles / (parameters.clock_mhz * 1e6),
            dram_read_bits=round(8 * (cost.bytes_moved - cost.bytes_written)),
            dram_write_bits=round(8 * cost.bytes_written),
            joules=joules(parameters, cycles, cost.busy_cycles, cost.bytes_moved),
            notes=(LARGE,) if large else (),
        )


def _is_large(work: Work) -> bool:
    layer, (row, column) = work.layer, work.bits
    products = layer.macs // layer.batch * row * column
    weights = layer.kernel**2 * layer.inputs * layer.outputs * max(row, column)
    return products > LARGE_PRODUCTS or weights > LARGE_WEIGHTS


@lru_cache
def _costs(memory: str) -> PassCosts:
    return PassCosts(load_parameters(PRESET), memory)
