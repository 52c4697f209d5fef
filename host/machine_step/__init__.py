"""The host's part of a training step on a machine with a vector unit (docs/whole_step.md).

Before the step it makes records of scales (`scales`, by the step's `layout`), during it the loss
and the error at the pooling (`exchange`), after it ranges, statistics and gradients (`settling`).
`MachineStep` does all of it beside a `WholeStepMachine`, and leaves what the executor leaves, bit
for bit. `CompiledMachine` is one: the compiler's programs on any machine with a vector unit.
"""

from fractrain.host.machine_step.compiled_machine import CompiledMachine
from fractrain.host.machine_step.machine import PooledSums, StepOrder, WholeStepMachine
from fractrain.host.machine_step.machine_step import MachineStep

__all__ = ["CompiledMachine", "MachineStep", "PooledSums", "StepOrder", "WholeStepMachine"]
