"""How far a step that is put together from steps of one precision is off its own program.

    python -m tests.host.machines.put_together --seeds 0 1

ResNet-20, 128 images, memory at 3.4 GB/s: the mix of docs/whole_step.md, then its candidates at
random.
"""

import argparse
import random
import tempfile
from pathlib import Path

from fractrain.host.graph.choice import fixed_choices
from fractrain.host.machines.network_layers import blocks_of
from fractrain.host.machines.trace import Stretch, Trace
from fractrain.host.machines.whole_steps import WholeStepMachine, step_graph
from fractrain.host.modelling.whole_steps import mixed_blocks, rated_memory, whole_step_cost
from fractrain.hw.contract.parameters import WHOLE_STEP_PRESET, load_parameters
from fractrain.hw.contract.precision import Precision

MODEL, IMAGES, BATCH, RATE = "resnet20", (3, 32, 32), 128, 3.4
MIX = "31.5:3,4,6+23.5:4,4,6+32.25:4,4,8+12.75:6,4,8"
CANDIDATES = tuple(Precision(*bits) for bits in ((3, 4, 6), (4, 4, 6), (4, 4, 8), (6, 4, 8)))


def compare(name: str, choices: tuple[Precision, ...], folder: Path) -> None:
    trace = Trace(
        name=name, model=MODEL, images=IMAGES, batch=BATCH, stretches=(Stretch(1, choices),)
    )
    machine = WholeStepMachine(gigabytes=RATE, folder=folder)
    together = machine.trace(trace).seconds
    parameters = load_parameters(WHOLE_STEP_PRESET)
    graph = step_graph(MODEL, IMAGES, BATCH, tuple(dict.fromkeys(choices)))
    table = graph.table(fixed_choices(list(choices)))
    cost = whole_step_cost(parameters, graph, table, rated_memory(parameters, RATE))
    own = cost.cycles / (parameters.clock_mhz * 1e6)
    off = together / own - 1
    print(f"{name}: program {own * 1e3:.2f} ms, put together {off:+.1%}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1])
    blocks = blocks_of(MODEL, IMAGES)
    with tempfile.TemporaryDirectory() as folder:
        compare("the mix", tuple(mixed_blocks(MIX, blocks)), Path(folder))
        for seed in parser.parse_args().seeds:
            rng = random.Random(seed)
            choices = tuple(rng.choice(CANDIDATES) for _ in range(blocks))
            compare(f"random, seed {seed}", choices, Path(folder))


if __name__ == "__main__":
    main()
