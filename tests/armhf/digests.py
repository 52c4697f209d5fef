"""Checksums of everything between tensors and memory: the same on every machine, or a bug.

Prints one JSON object, name → SHA-256. Integers only, so a processor with 32-bit indices and
sizes must give what a workstation gives: random operands, packed images, command streams at the
addresses of a board's buffer, results of the golden model and of the emulated machine.
"""

import hashlib
import json
from itertools import product

import numpy as np
from numpy.typing import NDArray

from fractrain.host.compiler import compile_program
from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Precision
from tests.host.compiler.running import expected, random_operands, run, three_passes

GEOMETRIES = {
    "3x3": Geometry(2, 20, 24, (9, 11), (3, 3), 1, 1),
    "1x1/2": Geometry(1, 16, 33, (16, 16), (1, 1), 2, 0),
    "5x5/2": Geometry(3, 5, 7, (7, 7), (5, 5), 2, 2),
}
WIDTHS = {"16": (16, 16, 16), "mixed": (8, 5, 6), "1": (1, 1, 1)}
ADDRESSES = {"low": 0x0010_0000, "high": 0x3C00_0000}


def digest(array: NDArray) -> str:
    """Of shape and values; the type of the integers is the machine's own business."""
    whole = np.ascontiguousarray(array).astype("<i8")
    return hashlib.sha256(f"{whole.shape}".encode() + whole.tobytes()).hexdigest()


def digests() -> dict[str, str]:
    """All of them."""
    found = {}
    for (name, geometry), (width, bits) in product(GEOMETRIES.items(), WIDTHS.items()):
        for config, (where, base) in product(("tiny", "zc706"), ADDRESSES.items()):
            case = f"{config} {name} {width} bits {where}"
            made = compile_program(load_parameters(config), three_passes(geometry, bits), base)
            operands = random_operands(made, np.random.default_rng(706))
            precisions = {0: Precision(*bits)}
            found[f"{case}: commands"] = digest(made.commands)
            found[f"{case}: image"] = digest(made.pack(operands))
            golden = expected(made, operands, precisions)
            for result in ("y", "dx", "dw"):
                found[f"{case}: {result} golden"] = digest(np.asarray(golden[result]))
            if config == "tiny" and where == "high":  # the slowest part
                emulated, _ = run(made, operands, precisions)
                for result in ("y", "dx", "dw"):
                    found[f"{case}: {result} emulated"] = digest(np.asarray(emulated[result]))
    return found


if __name__ == "__main__":
    print(json.dumps(digests()))
