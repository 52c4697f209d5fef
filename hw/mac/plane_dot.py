"""The dot product of two bit planes, the leaf of the recursive MAC."""

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.mac.cells import Cells, InferredCells, Lut6Cells
from fractrain.hw.mac.compression import PRODUCTS_PER_GROUP, CompressionPlan, counter_sizes
from fractrain.hw.mac.word_count import WordCounter

__all__ = ["DOT_STYLES", "PlaneDot"]

_TREE_CELLS: dict[str, type[Cells]] = {"lut6": Lut6Cells, "inferred": InferredCells}
DOT_STYLES = (*_TREE_CELLS, "words")


class PlaneDot(wiring.Component):
    """Dot product of two bit planes: ``total = Σ_k a[k] & b[k]``.

    Members
    -------
    a, b : In(lanes)          one bit per lane
    total : Out(range(lanes + 1))

    ``style`` is one of three forms with the same signature, latency and results:
    ``lut6`` (tree of instantiated LUT6, LUT6_2 and CARRY4), ``inferred`` (the same tree as plain
    logic) and ``words`` (a word-wide count and a delay, for fast simulation).

    Timing: one result per cycle, ``latency_cycles`` after its operands; no back-pressure. Every
    level of the tree is registered, at most one LUT and one carry chain apart.
    Numbers: unsigned, exact. Registers have no reset: results are meaningful ``latency_cycles``
    after the first operands.
    Errors: `ParameterError` unless 1 <= lanes <= 1024 and ``style`` is known.
    """

    def __init__(self, lanes: int, style: str) -> None:
        if style not in DOT_STYLES:
            raise ParameterError("dot style", style, ", ".join(DOT_STYLES))
        self.plan = CompressionPlan.for_lanes(lanes)
        self.lanes = lanes
        self.style = style
        super().__init__({"a": In(lanes), "b": In(lanes), "total": Out(range(lanes + 1))})

    @property
    def latency_cycles(self) -> int:
        return self.plan.latency_cycles

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.style == "words":
            self._count_words(m)
        else:
            self._count_tree(m, _TREE_CELLS[self.style]())
        return m

    def _count_words(self, m: Module) -> None:
        # Operands are wide and the total is narrow: delay the total, in one shift register, which a
        # compiled simulation keeps in one word.
        width = len(self.total)
        count = Signal(width)
        line = Signal(width * self.latency_cycles, reset_less=True)
        m.d.comb += count.eq(WordCounter(m).count_ones(self.a, self.b))
        m.d.sync += line.eq(Cat(count, line[:-width]))
        m.d.comb += self.total.eq(line[-width:])

    def _count_tree(self, m: Module, cells: Cells) -> None:
        columns = self._register(m, 0, self._count_groups(m, cells))
        for level in range(1, len(self.plan.heights)):
            columns = self._register(m, level, self._compress(m, cells, columns))
        if not self.plan.has_adder:
            m.d.comb += self.total.eq(Cat(*columns))
            return
        rows = [Cat(*(self._bit(column, row) for column in columns)) for row in range(2)]
        total = Signal(len(self.total), reset_less=True)
        m.d.sync += total.eq(rows[0] + rows[1])
        m.d.comb += self.total.eq(total)

    def _count_groups(self, m: Module, cells: Cells) -> list[list[Value]]:
        columns: list[list[Value]] = [[] for _ in self.plan.heights[0]]
        for start in range(0, self.lanes, PRODUCTS_PER_GROUP):
            group = slice(start, min(start + PRODUCTS_PER_GROUP, self.lanes))
            for column, bit in zip(
                columns, cells.count_products(m, self.a[group], self.b[group]), strict=False
            ):
                column.append(bit)
        return columns

    @staticmethod
    def _compress(m: Module, cells: Cells, columns: list[Value]) -> list[list[Value]]:
        result: list[list[Value]] = [[] for _ in range(len(columns) + 2)]
        for weight, column in enumerate(columns):
            bits = list(column)
            for size in counter_sizes(len(bits)):
                group, bits = bits[:size], bits[size:]
                for offset, bit in enumerate(cells.count_bits(m, group)):
                    result[weight + offset].append(bit)
            result[weight] += bits
        return [column for column in result if column]

    @staticmethod
    def _register(m: Module, level: int, columns: list[list[Value]]) -> list[Value]:
        """The bits of a level, one register per weight."""
        registers: list[Value] = []
        for weight, bits in enumerate(columns):
            register = Signal(
                len(bits), name=f"level_{level}_weight_{1 << weight}", reset_less=True
            )
            m.d.sync += register.eq(Cat(*bits))
            registers.append(register)
        return registers

    @staticmethod
    def _bit(column: Value, index: int) -> Value:
        return column[index] if index < len(column) else Const(0, 1)
