"""Runs inside the simulator: the expander against a plain loop."""

import cocotb

from tests.harness import STALLS, Bench, testbench
from tests.hw.flow.expander_layout import INPUT, ITEM, OUTPUT

Item = dict[str, int]


def random_item(bench: Bench) -> tuple[Item, int]:
    random = bench.random
    item = {"sum": random.randrange(256), "stride": random.randrange(-8, 8), "place": 0}
    return item | {"rest": random.getrandbits(9)}, random.choice([0, 1, 1, 2, 3, 15])


def expanded(item: Item, count: int) -> list[tuple[Item, bool, bool]]:
    results = []
    for i in range(max(1, count)):
        grown = item | {"sum": (item["sum"] + i * item["stride"]) % 256, "place": i}
        results.append((grown, i == 0, i >= count - 1))
    return results


def encode(pair: tuple[Item, int]) -> int:
    return INPUT.const({"item": pair[0], "count": pair[1]}).as_value().value


def decode(bits: int) -> tuple[Item, bool, bool]:
    out = OUTPUT.from_bits(bits)
    return {name: out.item[name] for name, _ in ITEM}, bool(out.first), bool(out.last)


@testbench(cycle_limit=10_000)
@cocotb.parametrize(source_stalls=STALLS, sink_stalls=STALLS)
async def repeats(bench: Bench, source_stalls: str, sink_stalls: str) -> None:
    source = bench.source("i", stalls=source_stalls, encode=encode)
    sink = bench.sink("o", stalls=sink_stalls, decode=decode)
    pairs = [random_item(bench) for _ in range(60)]
    source.send(*pairs)
    wanted = [each for item, count in pairs for each in expanded(item, count)]
    assert await sink.receive(len(wanted)) == wanted


@testbench(cycle_limit=1_000)
async def full_rate(bench: Bench) -> None:
    source = bench.source("i", encode=encode)
    sink = bench.sink("o", decode=decode)
    pairs = [random_item(bench) for _ in range(100)]
    total = sum(max(1, count) for _, count in pairs)
    source.send(*pairs)
    await sink.receive(1)
    await bench.cycles(total - 1)
    assert sink.transferred == total
