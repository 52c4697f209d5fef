"""What an UPDATE does to the weights that it is given."""

from amaranth.hdl import Cat, Module, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.hw.flow.delay import delayed
from fractrain.hw.flow.fifo import Fifo
from fractrain.hw.vector.update import INTERVAL, Updater, update_factors
from fractrain.hw.vector.update_layouts import together, word_weights
from fractrain.hw.vector.weight_statistics import WeightStatistics

__all__ = ["UpdateLanes"]

WEIGHT_BITS = numerics.MASTER_BITS


class UpdateLanes(wiring.Component):
    """Brings weights, momenta, sums and random bytes together, and updates them.

    Members
    -------
    factors : In(`update_factors`), absent : In(1)     of the command; ``absent``: sums count as 0,
                                and none are taken
    words : In(stream of words)          `together` of weights, then as many of momenta, in turn
    sums : In(stream of ArrayLayout(signed(48), weights of a word))    of each word
    bytes : In(stream of ArrayLayout(8, lanes))                        of ``lanes`` weights
    room : In(1)                new ones may enter
    entered : Out(1)            ``lanes`` weights have entered
    momentum_valid, weight_valid : Out(1), momenta, weights : Out(lanes * 32)     new ones, in order
    busy : Out(1)               some that entered are still at work
    clear, collect : In(1), greatest, squares, done : Out     as `WeightStatistics` has them; to be
                                collected when nothing is ``busy``

    Timing: ``lanes`` weights every `INTERVAL` cycles; those that entered leave, whatever ``room``
    is then.
    Errors: `ParameterError` for lanes that do not divide the weights of a word of memory.
    """

    def __init__(self, parameters: Parameters, lanes: int, *, primitives: bool = False) -> None:
        self.parameters, self.lanes = parameters, lanes
        self.word_weights = word_weights(parameters)
        if lanes < 1 or self.word_weights % lanes:
            raise ParameterError("lanes", lanes, f"a divisor of {self.word_weights}")
        self.updater = Updater(lanes, primitives=primitives)
        # a result stays for an interval, so fewer lanes do for the statistics
        self.statistics = WeightStatistics(-(-lanes // INTERVAL), primitives=primitives)
        statistics = self.statistics.signature.members
        bits = lanes * WEIGHT_BITS
        super().__init__(
            {
                "factors": In(update_factors()),
                "absent": In(1),
                "words": In(stream.Signature(8 * parameters.word_bytes)),
                "sums": In(stream.Signature(data.ArrayLayout(signed(SUM_BITS), self.word_weights))),
                "bytes": In(stream.Signature(data.ArrayLayout(numerics.RANDOM_BITS, lanes))),
                "room": In(1),
                "entered": Out(1),
                "momentum_valid": Out(1),
                "momenta": Out(bits),
                "weight_valid": Out(1),
                "weights": Out(bits),
                "busy": Out(1),
                **{
                    name: statistics[name]
                    for name in ("clear", "collect", "greatest", "squares", "done")
                },
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.updater, m.submodules.statistics = updater, _ = self.updater, self.statistics
        weights = self._sort(m)
        parts = self.word_weights // self.lanes
        part = Signal(range(max(2, parts)))
        at_last = part == parts - 1
        bits = self.lanes * WEIGHT_BITS
        given = updater.weights.payload
        # without the words: whether they are taken does not hang on whether they are there
        awaited = Signal()
        m.d.comb += [
            awaited.eq(
                weights.r_rdy
                & self.of_momenta
                & (self.sums.valid | self.absent)
                & self.bytes.valid
                & self.room
            ),
            updater.weights.valid.eq(awaited & self.words.valid),
            self.entered.eq(updater.weights.valid & updater.weights.ready),
            given.weights.eq(weights.head.word_select(part, bits)),
            given.momenta.eq(self.words.payload.word_select(part, bits)),
            self.bytes.ready.eq(self.entered),
            weights.r_en.eq(self.entered & at_last),
            self.sums.ready.eq(self.entered & at_last & ~self.absent),
            updater.factors.eq(self.factors),
            updater.random.eq(delayed(m, self.bytes.payload, updater.random_cycle, name="random")),
            self.momentum_valid.eq(updater.moved),
            self.momenta.eq(updater.momenta),
            self.weight_valid.eq(updater.done),
            self.weights.eq(updater.results),
        ]
        with m.If(~self.absent):
            sums = Value.cast(self.sums.payload).word_select(part, self.lanes * SUM_BITS)
            m.d.comb += given.sums.eq(sums)
        with m.If(self.entered):
            m.d.sync += part.eq(0 if parts == 1 else part + 1)
        self._words_taken(m, awaited & updater.weights.ready & at_last)
        self._measure(m)
        return m

    def _sort(self, m: Module) -> Fifo:
        """Words of weights wait for those of momenta."""
        count = together(self.parameters)
        self.of_momenta, self.number = Signal(), Signal(range(max(2, count)))
        m.submodules.waiting = waiting = Fifo(8 * self.parameters.word_bytes, 2 * count)
        m.d.comb += [
            waiting.w_en.eq(self.words.valid & ~self.of_momenta),
            waiting.w_data.eq(self.words.payload),
        ]
        return waiting

    def _words_taken(self, m: Module, takes_momenta: Value) -> None:
        waiting = m.submodules.waiting
        count = together(self.parameters)
        last = self.number == count - 1
        taken = self.words.valid & self.words.ready
        with m.If(self.of_momenta):
            m.d.comb += self.words.ready.eq(takes_momenta)
        with m.Else():
            m.d.comb += self.words.ready.eq(waiting.w_rdy)
        with m.If(taken):
            m.d.sync += self.number.eq(self.number + 1)
            with m.If(last):
                m.d.sync += [self.number.eq(0), self.of_momenta.eq(~self.of_momenta)]

    def _measure(self, m: Module) -> None:
        """The new weights again, some lanes a cycle, while they stand."""
        updater, statistics = self.updater, self.statistics
        count = statistics.lanes
        groups = -(-self.lanes // count)
        turn = Cat(
            delayed(m, updater.done, cycle, name=f"done_{cycle}", reset_less=False)
            for cycle in range(groups)
        )
        width = count * WEIGHT_BITS
        chosen: Value = Value.cast(updater.results)[:0]
        for group in range(groups):
            part = Value.cast(updater.results).word_select(group, width)
            chosen = chosen | part & turn[group].replicate(width)
        shown, take = Signal(width, reset_less=True), Signal()
        m.d.sync += [shown.eq(chosen), take.eq(turn.any())]
        m.d.comb += [
            statistics.weights.as_value().eq(shown),
            statistics.take.eq(take.replicate(count)),
            statistics.clear.eq(self.clear),
            self.busy.eq(updater.busy | turn.any() | take),
            statistics.collect.eq(self.collect),
            self.greatest.eq(statistics.greatest),
            self.squares.eq(statistics.squares),
            self.done.eq(statistics.done),
        ]
