"""The pins of the PS7, the processing system of a Zynq-7000 as a primitive of its FPGA.

Buses are those of `hw.axi.signature`; everything else is in a table. The tests compare all of it
with Yosys's cell library.
"""

from __future__ import annotations

from collections.abc import Iterator

from amaranth.lib.wiring import Out

from fractrain.gen.port import Port
from fractrain.hw.axi.signature import axi3

__all__ = ["PS7"]

OUTPUTS = """
    EMIOPJTAGTDO EMIOPJTAGTDTN EMIOTRACECTL EMIOTRACEDATA:32 EMIOWDTRSTO EMIOGPIOO:64 EMIOGPIOTN:64
    EVENTEVENTO EVENTSTANDBYWFE:2 EVENTSTANDBYWFI:2 FCLKCLK:4 FCLKRESETN:4 FTMTF2PTRIGACK:4
    FTMTP2FDEBUG:32 FTMTP2FTRIG:4 IRQP2F:29
"""
INPUTS = """
    DDRARB:4 EMIOGPIOI:64 EMIOPJTAGTCK EMIOPJTAGTDI EMIOPJTAGTMS EMIOSRAMINTIN EMIOTRACECLK
    EMIOWDTCLKI EVENTEVENTI FCLKCLKTRIGN:4 FPGAIDLEN FTMDTRACEINATID:4 FTMDTRACEINCLOCK
    FTMDTRACEINDATA:32 FTMDTRACEINVALID FTMTF2PDEBUG:32 FTMTF2PTRIG:4 FTMTP2FTRIGACK:4 IRQF2P:20
"""
PADS = """
    DDRA:15 DDRBA:3 DDRCASB DDRCKE DDRCKN DDRCKP DDRCSB DDRDM:4 DDRDQ:32 DDRDQSN:4 DDRDQSP:4
    DDRDRSTB DDRODT DDRRASB DDRVRN DDRVRP DDRWEB MIO:54 PSCLK PSPORB PSSRSTB
"""

# name -> how many there are, their outputs, their inputs
CONTROLLERS = {
    "DMA": (4, "DAVALID DRREADY RSTN DATYPE:2", "ACLK DAREADY DRLAST DRVALID DRTYPE:2"),
    "EMIOCAN": (2, "PHYTX", "PHYRX"),
    "EMIOENET": (
        2,
        "GMIITXD:8 GMIITXEN GMIITXER MDIOMDC MDIOO MDIOTN PTPDELAYREQRX PTPDELAYREQTX "
        "PTPPDELAYREQRX PTPPDELAYREQTX PTPPDELAYRESPRX PTPPDELAYRESPTX PTPSYNCFRAMERX "
        "PTPSYNCFRAMETX SOFRX SOFTX",
        "EXTINTIN GMIICOL GMIICRS GMIIRXCLK GMIIRXD:8 GMIIRXDV GMIIRXER GMIITXCLK MDIOI",
    ),
    "EMIOI2C": (2, "SCLO SCLTN SDAO SDATN", "SCLI SDAI"),
    "EMIOSDIO": (
        2,
        "BUSPOW BUSVOLT:3 CLK CMDO CMDTN DATAO:4 DATATN:4 LED",
        "CDN CLKFB CMDI DATAI:4 WP",
    ),
    "EMIOSPI": (2, "MO MOTN SCLKO SCLKTN SO SSNTN SSON:3 STN", "MI SCLKI SI SSIN"),
    "EMIOTTC": (2, "WAVEO:3", "CLKI:3"),
    "EMIOUART": (2, "DTRN RTSN TX", "CTSN DCDN DSRN RIN RX"),
    "EMIOUSB": (2, "PORTINDCTL:2 VBUSPWRSELECT", "VBUSPWRFAULT"),
}

# name -> is it a master, bits of data, bits of identifiers, outputs and inputs beside the bus
BUSES = {
    "MAXIGP0": (True, 32, 12, "", ""),
    "MAXIGP1": (True, 32, 12, "", ""),
    "SAXIACP": (False, 64, 3, "", "ARUSER:5 AWUSER:5"),
    "SAXIGP0": (False, 32, 6, "", ""),
    "SAXIGP1": (False, 32, 6, "", ""),
    **{
        f"SAXIHP{number}": (
            *(False, 64, 6, "RACOUNT:3 RCOUNT:8 WACOUNT:6 WCOUNT:8"),
            "RDISSUECAP1EN WRISSUECAP1EN",
        )
        for number in range(4)
    },
}
SIZE_BITS = 2
"""Of AxSIZE, a bit less than AXI3 has: no beat is wider than 8 bytes."""


def _ports(prefix: str, direction: str, table: str) -> Iterator[Port]:
    """The pins in ``table``: names, with ``:bits`` where there are several."""
    for entry in table.split():
        name, _, bits = entry.partition(":")
        yield Port(prefix + name, direction, int(bits or 1))


def _bus(name: str) -> Iterator[Port]:
    is_master, data_bits, id_bits, outputs, inputs = BUSES[name]
    yield Port(f"{name}ARESETN", "output", 1)
    yield Port(f"{name}ACLK", "input", 1)
    for signal, member in axi3(data_bits, id_bits).members.items():
        drives = (member.flow is Out) == is_master
        width = SIZE_BITS if signal.endswith("size") else member.shape
        yield Port(name + signal.upper(), "output" if drives else "input", int(width))
    yield from _ports(name, "output", outputs)
    yield from _ports(name, "input", inputs)


def _all_ports() -> Iterator[Port]:
    for bus in BUSES:
        yield from _bus(bus)
    for name, (count, outputs, inputs) in CONTROLLERS.items():
        for number in range(count):
            yield from _ports(f"{name}{number}", "output", outputs)
            yield from _ports(f"{name}{number}", "input", inputs)
    yield from _ports("", "output", OUTPUTS)
    yield from _ports("", "input", INPUTS)
    yield from _ports("", "inout", PADS)


PS7 = tuple(_all_ports())
"""Every pin; ``direction`` of a pad is ``inout``."""
