"""The expander that is tested: a sum with a signed stride, and a counter."""

from amaranth.hdl import signed
from amaranth.lib import data

from fractrain.hw.flow.expander import Expander

COUNT_BITS = 4
ITEM = data.StructLayout({"sum": 8, "stride": signed(4), "place": 4, "rest": 9})
STEPS: dict[str, str | int] = {"sum": "stride", "place": 1}


INPUT = data.StructLayout({"item": ITEM, "count": COUNT_BITS})
OUTPUT = data.StructLayout({"item": ITEM, "first": 1, "last": 1})


def make_expander() -> Expander:
    return Expander(ITEM, COUNT_BITS, STEPS)
