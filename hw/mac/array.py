"""The M x N array of multiply-accumulate units, in clusters."""

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.parameters import ArrayParameters
from fractrain.hw.flow.delay import delayed
from fractrain.hw.flow.layouts import array_beat, column_operand, pass_control, row_operand
from fractrain.hw.mac.cluster import Cluster
from fractrain.hw.mac.flavour import Flavour
from fractrain.hw.shared_module import SharedModule

__all__ = ["Flavour", "MacArray"]


class MacArray(wiring.Component):
    """``rows`` x ``columns`` dot products of digits, shifted and accumulated over passes.

    A pass multiplies one digit (``S = spatial_bits`` planes, most significant first) of every
    row with one of every column, ``K`` lanes each; ``w[s]`` is ``±2**(S-1-s)``, or 0 for a plane
    that is not enabled::

        dot[m][n] = Σ_s Σ_t Σ_k  row_w[s] * column_w[t] * (rows[m][s*K + k] & columns[n][t*K + k])
        value[m][n] = (0 if first else value[m][n]) + (dot[m][n] << shift)

    Members
    -------
    control : In(pass_control(array))
    rows : In(row_operand(array)), columns : In(column_operand(array))
        the operands, in the same cycle as ``control``
    results : Out(array_beat(array))

    Timing: a pass per cycle; cycles with ``valid=0`` change nothing. No back-pressure. Beat 0 of
    a tile is on ``results`` ``latency_cycles`` after the operands of its ``last`` pass, the other
    ``beats_per_tile - 1`` follow in the next cycles. ``last`` passes must be at least
    ``beats_per_tile`` cycles apart; ``first`` of the next tile may follow ``last`` at once.
    Reset clears ``results.valid`` and ``last``, nothing else: values are defined by ``first``.
    Numbers: exact, modulo ``2**48``.

    ``flavour``: the form in which the units are emitted; it changes neither ports nor timing.
    Errors: `ParameterError` for a combination of ``lanes``, ``spatial_bits`` and widths that
    the chosen accumulator cannot do.
    """

    def __init__(self, array: ArrayParameters, *, flavour: Flavour) -> None:
        self.array = array
        self.flavour = flavour
        self._clusters = [
            [Cluster(array, flavour) for _ in range(array.column_clusters)]
            for _ in range(array.rows // array.cluster_rows)
        ]
        super().__init__(
            {
                "control": In(pass_control(array)),
                "rows": In(row_operand(array)),
                "columns": In(column_operand(array)),
                "results": Out(array_beat(array)),
            }
        )

    @property
    def latency_cycles(self) -> int:
        """From the operands of the ``last`` pass to beat 0 on ``results``."""
        return self._clusters[0][0].latency_cycles

    @property
    def beats_per_tile(self) -> int:
        return self.array.beats_per_tile

    def elaborate(self, platform: object) -> Module:
        m = Module()
        array = self.array
        height, width = array.cluster_rows, array.cluster_columns
        results: list[list[Value]] = [[] for _ in range(array.rows)]
        for row, clusters in enumerate(self._clusters):
            for column, each in enumerate(clusters):
                cluster = SharedModule(each, each.name)
                m.submodules[f"cluster_{row}_{column}"] = cluster
                m.d.comb += [
                    cluster.control.eq(self.control),
                    cluster.rows.eq(Cat(self.rows[row * height + i] for i in range(height))),
                    cluster.columns.eq(Cat(self.columns[column * width + i] for i in range(width))),
                ]
                for index in range(height):
                    results[row * height + index].append(cluster.results[index])
        m.d.comb += self.results.data.eq(Cat(results))
        self._mark_beats(m)
        return m

    def _mark_beats(self, m: Module) -> None:
        """``valid`` and ``last`` of the beats on their way out of the clusters."""
        beats = self.beats_per_tile
        finished = delayed(
            m,
            self.control.valid & self.control.last,
            self.latency_cycles,
            name="finished",
            reset_less=False,
        )
        beat = Signal(range(beats))
        with m.If(finished):
            m.d.sync += beat.eq(beats - 1)
        with m.Elif(beat != 0):
            m.d.sync += beat.eq(beat - 1)
        # beat counts the beats after beat 0
        m.d.comb += [
            self.results.valid.eq(finished | (beat != 0)),
            self.results.last.eq(Const(1) if beats == 1 else beat == 1),
        ]
