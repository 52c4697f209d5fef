"""Units with shared operand registers: a part of the array that is placed together."""

from amaranth.hdl import Cat, Const, Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.parameters import ArrayParameters
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.hw.flow.delay import delayed
from fractrain.hw.flow.layouts import pass_control
from fractrain.hw.mac.accumulator import AccumulatorTiming
from fractrain.hw.mac.drain import RowDrain
from fractrain.hw.mac.flavour import Flavour
from fractrain.hw.mac.unit import MacUnit, UnitParameters
from fractrain.hw.shared_module import SharedModule

__all__ = ["Cluster"]


class Cluster(wiring.Component):
    """``cluster_rows`` x ``cluster_columns`` units that share operand registers and control.

    Members
    -------
    control : In(pass_control(array))
    rows : In(ArrayLayout(S * K, cluster_rows)), columns : In(ArrayLayout(S * K, cluster_columns))
        operands of the pass, in the same cycle as ``control``
    results : Out(ArrayLayout(signed(SUM_BITS), cluster_rows))
        beat ``b`` of a tile is column ``b`` of every row of units

    Timing: beat 0 comes ``latency_cycles`` after the operands of the ``last`` pass, the others
    in the cycles after it; ``last`` passes must be at least ``cluster_columns`` cycles apart.
    Loads of one bit of a row's operand register: ``2 * S * cluster_columns`` (a column's: rows).
    """

    def __init__(self, array: ArrayParameters, flavour: Flavour) -> None:
        self.unit = UnitParameters.of(array, flavour)
        self.name = f"mac_cluster_{array.cluster_rows}x{array.cluster_columns}_of_{self.unit.name}"
        operand = array.spatial_bits * array.lanes
        result = signed(SUM_BITS)
        super().__init__(
            {
                "control": In(pass_control(array)),
                "rows": In(data.ArrayLayout(operand, array.cluster_rows)),
                "columns": In(data.ArrayLayout(operand, array.cluster_columns)),
                "results": Out(data.ArrayLayout(result, array.cluster_rows)),
            }
        )

    @property
    def latency_cycles(self) -> int:
        return self.latency_of(self.unit)

    @staticmethod
    def latency_of(unit: UnitParameters) -> int:
        """Operand register, unit, multiplexer register."""
        return 1 + unit.captured_cycle + 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        control = delayed(m, self.control, 1, name="control")
        rows = [
            self._register(m, operand, self.control.row_enable, f"row_{index}")
            for index, operand in enumerate(self.rows)
        ]
        columns = [
            self._register(m, operand, self.control.column_enable, f"column_{index}")
            for index, operand in enumerate(self.columns)
        ]
        shared = self._shared_control(m, control)
        start = delayed(m, shared["capture"], 1, name="start")
        for row, row_operand in enumerate(rows):
            captured = [
                self._unit(m, f"unit_{row}_{column}", row_operand, column_operand, shared)
                for column, column_operand in enumerate(columns)
            ]
            self._drain(m, row, captured, start)
        return m

    def _register(self, m: Module, operand: Value, enable: Value, name: str) -> Value:
        """Operand register; absent planes become zeros here."""
        lanes, planes = self.unit.lanes, self.unit.spatial_bits
        gate = Cat(enable[plane].replicate(lanes) for plane in range(planes))
        register = Signal(len(operand), name=name, reset_less=True)
        m.d.sync += register.eq(operand if planes == 1 else operand & gate)
        return register

    def _shared_control(self, m: Module, control: data.View) -> dict[str, Value]:
        """Inputs that all units share, each delayed to the cycle in which they take it."""
        unit = self.unit
        takes, total = AccumulatorTiming, unit.total_cycle
        row_negative, column_negative = control.row_negative[0], control.column_negative[0]
        # Decoded a cycle ahead: the decoded bits then come from registers.
        shift = delayed(m, control.shift, total - 1, name="shift")
        power, upper = unit.shift_plan.decode(shift)
        negate: Value = Const(0, 1)
        if unit.spatial_bits == 1:
            # Counts have no sign: the only pair of planes gives the pass its sign.
            negate = delayed(m, row_negative ^ column_negative, total + takes.negate, name="negate")
        return {
            "row_negative": delayed(m, row_negative, unit.signs_cycle, name="row_negative"),
            "column_negative": delayed(
                m, column_negative, unit.signs_cycle, name="column_negative"
            ),
            "control": Cat(
                delayed(m, power, 1, name="power"),
                delayed(m, upper, 1, name="upper"),
                negate,
                delayed(m, control.first, total + takes.first, name="first"),
                delayed(m, control.valid, total + takes.valid, name="valid"),
            ),
            "capture": delayed(m, control.valid & control.last, unit.capture_cycle, name="capture"),
        }

    def _unit(
        self, m: Module, name: str, row: Value, column: Value, shared: dict[str, Value]
    ) -> Value:
        m.submodules[name] = unit = SharedModule(MacUnit(self.unit), self.unit.name)
        m.d.comb += [unit.rows.eq(row), unit.columns.eq(column)]
        m.d.comb += [getattr(unit, port).eq(value) for port, value in shared.items()]
        return unit.captured

    def _drain(self, m: Module, row: int, captured: list[Value], start: Value) -> None:
        part = RowDrain(len(captured), SUM_BITS, primitives=self.unit.dot == "lut6")
        drain = SharedModule(part, part.name)
        m.submodules[f"drain_{row}"] = drain
        m.d.comb += [
            drain.values.eq(Cat(captured)),
            drain.start.eq(start),
            self.results[row].eq(drain.result),
        ]
