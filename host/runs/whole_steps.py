"""What the steps of a run would take on a machine that takes whole ones, for its results."""

from __future__ import annotations

from pathlib import Path

from fractrain.host.compiler.whole_step import DoesNotFit
from fractrain.host.machines.run_traces import trace_of_run
from fractrain.host.machines.whole_steps import HEADS, WholeStepMachine, savings
from fractrain.host.reports.run import read_run
from fractrain.hw.contract.errors import FractrainError
from fractrain.hw.contract.tables import terminal_table
from fractrain.sim.progress import work

LEAST_STEPS = 100
"""Of a run of fewer, modelling takes longer than training."""


def whole_steps(folder: Path, mode: str, steps: int) -> str:
    """A table of the finished run in ``folder``: time and energy of whole steps, modelled; empty
    where there is nothing to say, one line where the machine has no room for such steps."""
    if mode != "hardware" or steps < LEAST_STEPS:
        return ""
    machine, say = WholeStepMachine(), work()
    try:
        return terminal_table(
            HEADS, savings(trace_of_run(read_run(folder)), machine, say), indent="  "
        )
    except DoesNotFit as refused:
        return f"  no whole steps on {machine.name}: {refused}"
    except FractrainError as error:  # the results stand all the same
        return f"  whole steps are not modelled: {error}"
    finally:
        say("")
