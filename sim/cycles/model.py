"""The machine as processes: commands in, cycles by cause and bytes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fractrain.hw.contract.commands import Command, Stage, Tag
from fractrain.hw.contract.normalized import KeptBits
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision
from fractrain.hw.contract.registers import COUNTERS, VECTOR_COUNTERS
from fractrain.sim.cycles.commands import Dispatcher
from fractrain.sim.cycles.execute import ExecuteModel
from fractrain.sim.cycles.fetch import FetchModel
from fractrain.sim.cycles.host import HostModel
from fractrain.sim.cycles.kernel import Kernel
from fractrain.sim.cycles.memories import Memories, SecondMemory
from fractrain.sim.cycles.result import ResultModel
from fractrain.sim.cycles.sender import Sender
from fractrain.sim.cycles.times import Times
from fractrain.sim.cycles.tokens import Tokens
from fractrain.sim.cycles.totals import Totals
from fractrain.sim.cycles.turns import OnChip
from fractrain.sim.cycles.vector import VectorModel
from fractrain.sim.memory_model import MemoryModel

FINISH_CYCLES = 12
"""From the last thing that happens to the interrupt."""


@dataclass(frozen=True)
class Prediction:
    """``cycles`` from start to interrupt, the engine's counters by tag and name, and the ``times``
    of each command."""

    cycles: int
    counters: Mapping[Tag, Mapping[str, int]]
    times: Sequence[Times] = ()

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
    kept: Mapping[int, KeptBits] | None = None,
    host_cycles: float = 0,
    second: SecondMemory | None = None,
    fluid: bool = False,
) -> Prediction:
    """What ``commands`` cost on a machine with ``parameters`` and the table ``precisions``.

    ``kept``: bits of x̂ of each slot; ``host_cycles``: what the host takes for each of its tokens;
    ``second``: a memory for the stash; all on a machine with a vector unit. The result port always
    takes what it is offered.
    """
    vector = parameters.vector is not None
    kernel, totals = Kernel(), Totals()
    tokens = Tokens(kernel, vector=vector)
    memories = Memories(kernel, parameters, memory, second, fluid=fluid)
    reader = memories.reader(program_address)
    dispatcher = Dispatcher(
        kernel, reader, parameters, commands, precisions, program_address, kept or {}
    )
    on_chip = OnChip(kernel)
    fetch = FetchModel(
        kernel, memories, parameters, dispatcher.queues[Stage.FETCH], tokens, totals, on_chip
    )
    sender = Sender(kernel, memories, parameters, tokens, totals)
    result = ResultModel(
        kernel, sender, parameters, dispatcher.queues[Stage.RESULT], tokens, on_chip
    )
    execute = ExecuteModel(
        kernel, parameters, dispatcher.queues[Stage.EXECUTE], tokens, totals, fetch, result
    )
    parts: list[Any] = [memories, dispatcher, fetch, execute, sender, result]
    if vector:
        queue = dispatcher.queues[Stage.VECTOR]
        parts.append(
            VectorModel(kernel, memories, parameters, queue, tokens, totals, result, on_chip)
        )
        parts.append(HostModel(kernel, tokens, commands, host_cycles))
    for part in parts:
        part.start()
    kernel.run()
    end = max(kernel.now, dispatcher.end_time) + FINISH_CYCLES
    totals.add(Tag.OTHER, "BYTES_READ", dispatcher.program_bytes)
    names = [counter.name for counter in (*COUNTERS, *(VECTOR_COUNTERS if vector else ()))]
    counters = totals.rounded(round(end), names)
    return Prediction(round(end), counters, dispatcher.times)
