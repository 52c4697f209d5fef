"""The ports of the convolution engine, as its Verilog has them."""

from __future__ import annotations

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import SUM_BITS

_REQUEST = {
    "addr": 32,
    "len": 4,
    "size": 3,
    "burst": 2,
    "id": 6,
    "lock": 2,
    "cache": 4,
    "prot": 3,
    "qos": 4,
    "valid": 1,
    "ready": 1,
}
AXI3_WIDTHS = {
    **{f"ar{name}": width for name, width in _REQUEST.items()},
    **{"rdata": 64, "rresp": 2, "rid": 6, "rlast": 1, "rvalid": 1, "rready": 1},
    **{f"aw{name}": width for name, width in _REQUEST.items()},
    **{"wdata": 64, "wstrb": 8, "wid": 6, "wlast": 1, "wvalid": 1, "wready": 1},
    **{"bresp": 2, "bid": 6, "bvalid": 1, "bready": 1},
}
"""One HP port."""
AXI_LITE_WIDTHS = {
    **{"awaddr": 12, "awprot": 3, "awvalid": 1, "awready": 1},
    **{"wdata": 32, "wstrb": 4, "wvalid": 1, "wready": 1, "bresp": 2, "bvalid": 1, "bready": 1},
    **{"araddr": 12, "arprot": 3, "arvalid": 1, "arready": 1},
    **{"rdata": 32, "rresp": 2, "rvalid": 1, "rready": 1},
}


def convolution_ports(parameters: Parameters) -> dict[str, int]:
    """Widths of all ports; the payload of ``port`` is the results and, above them, ``last``."""
    widths = {"clk": 1, "rst": 1, "interrupt": 1}
    widths |= {f"axi_lite__{name}": width for name, width in AXI_LITE_WIDTHS.items()}
    for port in range(parameters.memory.ports):
        widths |= {f"hp{port}__{name}": width for name, width in AXI3_WIDTHS.items()}
    beat = parameters.results_per_beat * SUM_BITS + 1
    return widths | {"port__payload": beat, "port__valid": 1, "port__ready": 1}
