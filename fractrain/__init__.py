"""Training of neural networks on an FPGA, at a precision that changes while training runs.

The parts are packages of their own, in the repository as top-level folders: `fractrain.hw` (the
machine, and the contract that hardware and software share), `fractrain.gen` (what makes files of
it), `fractrain.sim` (models of it), `fractrain.host` (what drives it), with the files of
`fractrain.configs` and `fractrain.constraints`. A name such as `hw.contract` in this project's
texts is short for `fractrain.hw.contract`.

What most programs need is here as well, and imported when it is first asked for:

    import fractrain

    with fractrain.open_accelerator("golden", config="tiny") as accelerator:
        y = accelerator.forward(a, w, bits=(4, 3), stride=1, padding=1)

What a program of one's own adds to the methods, networks and data sets that `fractrain train` takes
is registered in `METHODS`, `NETWORKS` and `DATASETS`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fractrain.host.accelerator import Accelerator, open_accelerator
    from fractrain.host.datasets.kinds import DATASETS
    from fractrain.host.methods.registry import METHODS
    from fractrain.host.networks.registry import NETWORKS
    from fractrain.hw.contract.errors import FractrainError
    from fractrain.hw.contract.parameters import Parameters, load_parameters
    from fractrain.hw.contract.precision import Pass, Precision

__version__ = "0.1.0"

__all__ = [
    "DATASETS",
    "METHODS",
    "NETWORKS",
    "Accelerator",
    "FractrainError",
    "Parameters",
    "Pass",
    "Precision",
    "__version__",
    "load_parameters",
    "open_accelerator",
]

_HOMES = {
    "Accelerator": "host.accelerator",
    "DATASETS": "host.datasets.kinds",
    "FractrainError": "hw.contract.errors",
    "METHODS": "host.methods.registry",
    "NETWORKS": "host.networks.registry",
    "Parameters": "hw.contract.parameters",
    "Pass": "hw.contract.precision",
    "Precision": "hw.contract.precision",
    "load_parameters": "hw.contract.parameters",
    "open_accelerator": "host.accelerator",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
