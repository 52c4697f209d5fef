"""The machine as processes: commands in, cycles by cause and bytes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fractrain.hw.contract.commands import Command, Stage, Tag
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision
from fractrain.hw.contract.registers import COUNTERS
from fractrain.sim.cycles.commands import Dispatcher
from fractrain.sim.cycles.execute import ExecuteModel
from fractrain.sim.cycles.fetch import FetchModel
from fractrain.sim.cycles.kernel import Kernel
from fractrain.sim.cycles.memory import Ddr
from fractrain.sim.cycles.reader import Reader
from fractrain.sim.cycles.result import ResultModel
from fractrain.sim.cycles.sender import Sender
from fractrain.sim.cycles.tokens import Tokens
from fractrain.sim.cycles.totals import Totals
from fractrain.sim.cycles.writer import Writer
from fractrain.sim.memory_model import MemoryModel

FINISH_CYCLES = 12
"""From the last thing that happens to the interrupt."""


@dataclass(frozen=True)
class Prediction:
    """``cycles`` from start to interrupt, and the engine's counters by tag and name."""

    cycles: int
    counters: Mapping[Tag, Mapping[str, int]]

    def total(self, name: str) -> int:
        """Counter ``name`` over all tags."""
        return sum(each[name] for each in self.counters.values())


def predict(
    parameters: Parameters,
    commands: Sequence[Command],
    precisions: Mapping[int, Precision],
    memory: MemoryModel,
    *,
    program_address: int = 0,
) -> Prediction:
    """What ``commands`` cost on a machine with ``parameters`` and the table ``precisions``.

    The result port always takes what it is offered.
    """
    kernel, totals = Kernel(), Totals()
    ddr = Ddr(kernel, memory)
    tokens = Tokens(kernel)
    reader = Reader(kernel, ddr, parameters, memory)
    writer = Writer(kernel, ddr, parameters, memory)
    dispatcher = Dispatcher(kernel, reader, parameters, commands, precisions, program_address)
    fetch = FetchModel(kernel, reader, parameters, dispatcher.queues[Stage.FETCH], tokens, totals)
    sender = Sender(kernel, writer, parameters, tokens, totals)
    result = ResultModel(kernel, sender, parameters, dispatcher.queues[Stage.RESULT], tokens)
    execute = ExecuteModel(
        kernel, parameters, dispatcher.queues[Stage.EXECUTE], tokens, totals, fetch, result
    )
    for part in (reader, writer, dispatcher, fetch, execute, sender, result):
        part.start()
    kernel.run()
    end = max(kernel.now, dispatcher.end_time) + FINISH_CYCLES
    totals.add_bytes(Tag.OTHER, dispatcher.program_bytes, written=False)
    counters = totals.rounded(round(end), [counter.name for counter in COUNTERS])
    return Prediction(round(end), counters)
