"""Every convolution of a training step on the RTL, alone, then all of them as one program."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fractrain.host.backends.cosim import CosimAccelerator
from fractrain.host.simulation.measuring import Measured, measure
from fractrain.host.simulation.programs import Job, ResultForm, make_job
from fractrain.host.simulation.report import Report
from fractrain.host.simulation.step import Executed, TrainingStep
from fractrain.hw.contract.parameters import Parameters
from fractrain.sim.cosim.waveform import Waveform
from fractrain.sim.memory_model import MemoryModel

WHOLE = "the whole step"


class StepSimulation:
    """Every convolution alone, then all of them as one program.

    begins : first cycle of each, by layer and pass, and `WHOLE`
    cycles : all cycles, those between programs included
    """

    def __init__(
        self,
        parameters: Parameters,
        training: TrainingStep,
        form: ResultForm,
        memory: MemoryModel,
        say: Callable[[str], None],
    ) -> None:
        self._parameters, self._training, self._form = parameters, training, form
        self._memory, self._say = memory, say
        self._what = ""
        self.begins: dict[str, int] = {}
        self.cycles = 0

    def run(self, waveform: Waveform | None) -> Report:
        """Simulate; the waveform is complete afterwards."""
        convolutions, rows = self._training.convolutions, []
        self._say("compiling the programs and, unless it is cached, the RTL")
        whole = self._job(convolutions)
        machine = CosimAccelerator(
            self._parameters, memory=self._memory, waveform=waveform, watch=self._watch
        )
        with machine:
            for number, executed in enumerate(convolutions, 1):
                name = f"{executed.layer}, {executed.pass_.label}"
                self._begin(machine, name, f"{number} of {len(convolutions)}: {name}")
                rows.append((executed, self._measure(machine, self._job([executed]))))
            self._begin(machine, WHOLE, f"{WHOLE} in one command stream")
            total = self._measure(machine, whole)
            self.cycles = machine.clock_cycles
        return Report(self._parameters, rows, total)

    def _job(self, convolutions: Sequence[Executed]) -> Job:
        return make_job(self._parameters, self._training, convolutions, self._form)

    def _begin(self, machine: CosimAccelerator, name: str, what: str) -> None:
        self.begins[name] = machine.clock_cycles
        self._what = what
        self._say(what)

    def _measure(self, machine: CosimAccelerator, job: Job) -> Measured:
        return measure(machine, job, self._training.table, self._memory)

    def _watch(self, cycles: int) -> None:
        self._say(f"{self._what}: {cycles:,} cycles so far")
