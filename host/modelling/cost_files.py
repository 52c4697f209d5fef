"""Files of costs that took long to model: objects of numbers, named after all they depend on."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path

from fractrain.hw.contract.parameters import Parameters

FOLDER = "step_costs"


def cost_file(name: str, folder: Path | None = None) -> Path:
    """``name`` in ``folder``, by default in that of everything that is generated
    (``$FRACTRAIN_BUILD``, else ``build``)."""
    from fractrain.sim.cosim.cache import build_root

    return (folder or build_root() / FOLDER) / f"{name}.json"


def read_costs(file: Path, size: int, *, many: bool = False) -> dict[str, list[float]]:
    """What `add_costs` has written to ``file``: ``size`` numbers each, or ``many`` times as many;
    nothing if it is unreadable or something else."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        known = {key: [float(each) for each in values] for key, values in document.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
    for values in known.values():
        whole = bool(values) and len(values) % size == 0 if many else len(values) == size
        if not whole or not all(map(math.isfinite, values)):
            return {}
    return known


def add_costs(
    file: Path, costs: Mapping[str, Sequence[float]], size: int, *, many: bool = False
) -> None:
    """Write ``costs`` to ``file``, beside what other processes have written there (`read_costs`).
    Without write access there is no file."""
    known = read_costs(file, size, many=many) | dict(costs)
    document = {key: tuple(known[key]) for key in sorted(known)}
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    with contextlib.suppress(OSError):  # a folder that is not ours: next time takes as long
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_text(json.dumps(document, indent=0) + "\n", encoding="utf-8")
            os.replace(temporary, file)
        finally:
            temporary.unlink(missing_ok=True)


def digest(parameters: Parameters, sources: Iterable[str], root: Path | None = None) -> str:
    """A hash of ``parameters``, their memory and ``sources``, folders and files below ``root``, by
    default below this package."""
    from fractrain.sim import memory_model
    from fractrain.sim.cosim.cache import content_hash

    root = root or Path(str(resources.files("fractrain")))
    places = [root / each for each in sources]
    files = [each for place in places for each in (sorted(place.rglob("*.py")) or [place])]
    texts = [
        (each.relative_to(root).as_posix(), each.read_text(encoding="utf-8")) for each in files
    ]
    document = json.dumps(parameters.to_mapping(), sort_keys=True)
    memory = repr(memory_model.MemoryModel.ddr(parameters))
    return content_hash(document, memory, *(part for each in texts for part in each))
