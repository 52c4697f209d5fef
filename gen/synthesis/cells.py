"""The 7-series cells of a mapped netlist: what each costs and how a signal passes it.

Costs and pins are those of AMD's 7-series libraries guide (UG953) and CLB guide (UG474).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fractrain.hw.contract.errors import DataError

__all__ = ["CONSTANT", "Arc", "CellKind", "cell_kind"]

Net = int
CONSTANT: Net = 0
"""The net of every pin that is tied to a constant."""


@dataclass(frozen=True, slots=True)
class Arc:
    """A combinational path through a cell: ``levels`` LUT levels from each of ``inputs``.

    ``packed`` inputs come from the LUT in front of the cell in the same slice: they add no level if
    a LUT drives them, and one (that LUT as a wire) if anything else does.
    """

    inputs: Sequence[Net]
    outputs: Sequence[Net]
    levels: int
    packed: Sequence[Net] = ()


Pins = Mapping[str, Sequence[Net]]


def _through(*inputs: str, outputs: Sequence[str], levels: int) -> Callable[[Pins], list[Arc]]:
    """Arcs of a cell in which every output depends on every one of ``inputs``."""

    def arcs(pins: Pins) -> list[Arc]:
        sources = [net for name in inputs for net in pins.get(name, ())]
        return [Arc(sources, [net for name in outputs for net in pins.get(name, ())], levels)]

    return arcs


def _ports(*pairs: tuple[str, str]) -> Callable[[Pins], list[Arc]]:
    """Arcs of a memory in LUTs: each read address reaches its own data through one LUT."""

    def arcs(pins: Pins) -> list[Arc]:
        found = []
        for address, data in pairs:
            # Addresses are buses on some cells and A0, A1 ... on others.
            nets = [n for name in pins if name.rstrip("0123456789") == address for n in pins[name]]
            found.append(Arc(nets, pins.get(data, ()), 1))
        return found

    return arcs


def _carry(pins: Pins) -> list[Arc]:
    """The four bits of a CARRY4. Bit i sees bits 0..i; the carry itself costs no level."""
    start = [*pins.get("CI", ()), *pins.get("CYINIT", ())]
    select, data = pins["S"], pins["DI"]
    found = []
    for bit in range(4):
        packed = select[: bit + 1]
        outputs = pins.get("O", ())[bit : bit + 1]
        found.append(Arc([*start, *data[:bit]], outputs, 0, packed))
        carries = pins.get("CO", ())[bit : bit + 1]
        found.append(Arc([*start, *data[: bit + 1]], carries, 0, packed))
    return found


def _no_arcs(pins: Pins) -> list[Arc]:
    return []


Parameters = Mapping[str, int | str]


def _none_direct(parameters: Parameters) -> frozenset[str]:
    return frozenset()


def _block_ram_direct(parameters: Parameters) -> frozenset[str]:
    """Data pins of a block RAM without its output register (in SDP mode both halves obey A's)."""
    simple = parameters.get("RAM_MODE") == "SDP"
    a = parameters.get("DOA_REG", 0)
    b = a if simple else parameters.get("DOB_REG", 0)
    return frozenset(([] if a else ["DOADO", "DOPADOP"]) + ([] if b else ["DOBDO", "DOPBDOP"]))


def _dsp_direct(parameters: Parameters) -> frozenset[str]:
    return frozenset() if parameters.get("PREG", 1) else frozenset({"P"})


@dataclass(frozen=True)
class CellKind:
    """Cost of one cell and its timing.

    luts : LUTs in all, memory_luts : those of them used as memory or shift register
    inputs : number of inputs of a plain LUT, 0 for anything else (what packing looks at)
    registered : the cell's state ends and starts paths
    direct : the data pins that, with given parameters, come straight out of a memory array or
        adder, without the output register that a block RAM or DSP slice has
    outside : its pins count as ports of the design: each is known by its own net
    """

    luts: int = 0
    memory_luts: int = 0
    inputs: int = 0
    flip_flops: int = 0
    dsps: int = 0
    half_brams: int = 0
    registered: bool = False
    clocks: frozenset[str] = frozenset()
    arcs: Callable[[Pins], list[Arc]] = _no_arcs
    direct: Callable[[Parameters], frozenset[str]] = _none_direct
    outside: bool = False


def _lut(size: int) -> CellKind:
    names = [f"I{index}" for index in range(size)]
    return CellKind(luts=1, inputs=size, arcs=_through(*names, outputs=["O"], levels=1))


def _memory(luts: int, *pairs: tuple[str, str]) -> CellKind:
    return CellKind(
        luts=luts,
        memory_luts=luts,
        registered=True,
        clocks=frozenset({"CLK", "WCLK"}),
        arcs=_ports(*pairs),
    )


def _block_ram(halves: int) -> CellKind:
    return CellKind(
        half_brams=halves,
        registered=True,
        clocks=frozenset({"CLKARDCLK", "CLKBWRCLK", "REGCLKARDRCLK", "REGCLKB"}),
        direct=_block_ram_direct,
    )


_FLIP_FLOP = CellKind(flip_flops=1, registered=True, clocks=frozenset({"C", "G"}))
_MUX = CellKind(arcs=_through("I0", "I1", "S", outputs=["O"], levels=0))
_BUFFER = CellKind(arcs=_through("I", outputs=["O"], levels=0))
_QUAD_PORTS = (("ADDRA", "DOA"), ("ADDRB", "DOB"), ("ADDRC", "DOC"), ("ADDRD", "DOD"))

_KINDS: dict[str, CellKind] = {
    **{f"LUT{size}": _lut(size) for size in range(1, 7)},
    "LUT6_2": CellKind(
        luts=1,
        inputs=6,
        arcs=_through("I0", "I1", "I2", "I3", "I4", "I5", outputs=["O5", "O6"], levels=1),
    ),
    "INV": CellKind(luts=1, inputs=1, arcs=_through("I", outputs=["O"], levels=1)),
    "CARRY4": CellKind(arcs=_carry),
    **dict.fromkeys(("MUXF7", "MUXF8"), _MUX),
    **dict.fromkeys(("BUFG", "IBUF", "OBUF"), _BUFFER),
    **dict.fromkeys(("FDRE", "FDSE", "FDCE", "FDPE"), _FLIP_FLOP),
    **dict.fromkeys(("FDRE_1", "FDSE_1", "FDCE_1", "FDPE_1", "LDCE", "LDPE"), _FLIP_FLOP),
    "RAM32X1S": _memory(1, ("A", "O")),
    "RAM64X1S": _memory(1, ("A", "O")),
    "RAM128X1S": _memory(2, ("A", "O")),
    "RAM256X1S": _memory(4, ("A", "O")),
    "RAM32X1D": _memory(2, ("A", "SPO"), ("DPRA", "DPO")),
    "RAM64X1D": _memory(2, ("A", "SPO"), ("DPRA", "DPO")),
    "RAM128X1D": _memory(4, ("A", "SPO"), ("DPRA", "DPO")),
    "RAM32M": _memory(4, *_QUAD_PORTS),
    "RAM64M": _memory(4, *_QUAD_PORTS),
    "SRL16E": _memory(1, ("A", "Q")),
    "SRLC32E": _memory(1, ("A", "Q")),
    "RAMB18E1": _block_ram(1),
    "RAMB36E1": _block_ram(2),
    "DSP48E1": CellKind(
        dsps=1,
        registered=True,
        clocks=frozenset({"CLK"}),
        direct=_dsp_direct,
    ),
    # Paths begin and end at its pins: behind them is no logic of the design.
    "PS7": CellKind(
        registered=True,
        clocks=frozenset(
            [f"{port}ACLK" for port in ("MAXIGP0", "MAXIGP1", "SAXIGP0", "SAXIGP1", "SAXIACP")]
            + [f"SAXIHP{number}ACLK" for number in range(4)]
        ),
        outside=True,
    ),
}


def cell_kind(cell_type: str) -> CellKind:
    """Cost and timing of ``cell_type``; `DataError` for one that is not a 7-series cell."""
    if cell_type not in _KINDS:
        raise DataError(
            f"synthesis left a cell of type {cell_type}, which is not a 7-series cell known here"
        )
    return _KINDS[cell_type]
