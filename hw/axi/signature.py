"""AXI3 of a Zynq-7000: 32-bit addresses; 64-bit data and 6-bit IDs at the HP ports, which lead to
memory; 32-bit data and 12-bit IDs at the GP master, which carries out what software reads and
writes.
"""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["AXI3", "AXI3_GP", "AXI3_READ", "AXI3_WRITE", "axi3", "join_channels"]

SIZE_8_BYTES = 3
BURST_FIXED, BURST_INCR = 0, 1
CACHE_BUFFERABLE = 3
"""AxCACHE "normal, non-cacheable, bufferable": the interconnect may merge and acknowledge early."""

OKAY, EXOKAY, SLVERR, DECERR = range(4)
"""Responses; the upper bit says that something went wrong."""


def _address_channel(prefix: str, id_bits: int) -> dict[str, wiring.Member]:
    widths = {
        "addr": 32,
        "len": 4,
        "size": 3,
        "burst": 2,
        "id": id_bits,
        "lock": 2,
        "cache": 4,
        "prot": 3,
        "qos": 4,
        "valid": 1,
    }
    channel = {prefix + name: Out(width) for name, width in widths.items()}
    return channel | {f"{prefix}ready": In(1)}


def _read_channels(data_bits: int, id_bits: int) -> dict[str, wiring.Member]:
    return _address_channel("ar", id_bits) | {
        "rdata": In(data_bits),
        "rresp": In(2),
        "rid": In(id_bits),
        "rlast": In(1),
        "rvalid": In(1),
        "rready": Out(1),
    }


def _write_channels(data_bits: int, id_bits: int) -> dict[str, wiring.Member]:
    return _address_channel("aw", id_bits) | {
        "wdata": Out(data_bits),
        "wstrb": Out(data_bits // 8),
        "wid": Out(id_bits),
        "wlast": Out(1),
        "wvalid": Out(1),
        "wready": In(1),
        "bresp": In(2),
        "bid": In(id_bits),
        "bvalid": In(1),
        "bready": Out(1),
    }


def axi3(data_bits: int, id_bits: int) -> wiring.Signature:
    """A port of these widths, seen by its master."""
    return wiring.Signature(
        _read_channels(data_bits, id_bits) | _write_channels(data_bits, id_bits)
    )


_READ, _WRITE = _read_channels(64, 6), _write_channels(64, 6)

AXI3_READ = wiring.Signature(_READ)
"""The read channels of a port, seen by its master."""
AXI3_WRITE = wiring.Signature(_WRITE)
"""The write channels of a port, seen by its master."""
AXI3 = wiring.Signature(_READ | _WRITE)
"""One port, seen by its master: a port member ``hp0`` has the Verilog names ``hp0__araddr`` ..."""
AXI3_GP = axi3(32, 12)
"""M_AXI_GP0 of the processing system, seen by its master, which is the processing system."""


def join_channels(
    m: Module,
    port: wiring.PureInterface,
    read: wiring.PureInterface,
    write: wiring.PureInterface,
) -> None:
    """Make the master ``port`` (`AXI3`) of ``read`` (`AXI3_READ`) and ``write`` (`AXI3_WRITE`)."""
    for members, part in ((_READ, read), (_WRITE, write)):
        for name, member in members.items():
            inner, outer = getattr(part, name), getattr(port, name)
            m.d.comb += outer.eq(inner) if member.flow == Out else inner.eq(outer)
