"""Traces of training runs: from the log, or from the summary of a run whose bits follow a
schedule."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.host.machines.network_layers import blocks_of, layers_of
from fractrain.host.machines.trace import Images, Stretch, Trace
from fractrain.host.reports.records import mapping, needed_number
from fractrain.host.reports.run import Run
from fractrain.host.reports.settings import command_line
from fractrain.hw.contract.errors import DataError, ParameterError
from fractrain.hw.contract.precision import Precision

CHANNELS = (3, 1)
LARGEST = 256
"""Rows of images that are looked for."""

KEPT = (
    *("dataset", "method", "mode", "seed", "steps", "epochs", "test_images", "weights_sha256"),
    *("test_accuracy", "best_test_accuracy", "effective_macs", "effective_macs_fw8bw8"),
)
"""Of a summary, in the source of its trace."""


def trace_of_run(run: Run) -> Trace:
    """The bits that ``run`` logged, of all blocks and steps so far; layers outside the blocks are
    at 8 bits, as in hardware and float mode.

    Raises `DataError` for a log with steps or bits missing, and for one of reference mode, which
    computes all candidates and has the means of their bits over images.
    """
    where = str(run.path)
    if run.config.get("mode") == "reference":
        raise _no_trace(where, "in reference mode all candidates are computed, for single images")
    bits = run.log.bits
    if not bits.size or not run.log.complete or np.isnan(bits).any():
        raise _no_trace(where, "its log has not the bits of every step")
    model = str(run.config.get("model"))
    batch = int(needed_number(mapping(run.config, "plan", where), "batch", where))
    summary = run.summary or {}
    source = {each: run.config[each] for each in KEPT if each in run.config}
    source |= {each: summary[each] for each in KEPT if each in summary}
    source |= {"steps": run.steps_done, "ended": run.summary is not None}
    source["command"] = command_line(run)
    return Trace(
        run.name,
        model,
        images_of(model, float(run.log["effective_macs_fw8bw8"][0]) / batch, where),
        batch,
        tuple(_stretches(bits, where)),
        source=source,
        command=f"fractrain trace {shlex.quote(run.path.name)}",
    )


def trace_of_summary(path: Path, summary: Mapping[str, Any]) -> Trace | None:
    """Of a run that has ended, from its ``summary.json`` at ``path``: of a static or progressive
    one, which names the bits of its stages. None where gates chose: their choices are in the log.

    Raises `DataError` if it is no summary.
    """
    where, stages = str(path), summary.get("stages")
    if not isinstance(stages, list) or not all(isinstance(each, dict) for each in stages):
        raise DataError(f"{where} is no summary of a run: it names no stages")
    if not stages or any("activation" not in each for each in stages):
        return None
    try:
        firsts = [int(each["first_step"]) for each in stages]
        bits = [
            Precision(int(each["activation"]), int(each["weight"]), int(each["error"]))
            for each in stages
        ]
        steps, batch = int(summary["steps"]), int(summary["plan"]["batch"])
        model, macs = str(summary["model"]), float(summary["effective_macs_fw8bw8"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{where} is no summary of a run: {error!r}") from error
    images = images_of(model, macs / (batch * steps), where)
    blocks = blocks_of(model, images)
    ends = zip(bits, firsts, [*firsts[1:], steps], strict=True)
    command = shlex.join(map(str, summary.get("command") or ()))
    return Trace(
        path.stem,
        model,
        images,
        batch,
        tuple(Stretch(end - first, (each,) * blocks) for each, first, end in ends if end > first),
        source={each: summary[each] for each in KEPT if each in summary} | {"command": command},
        command=f"fractrain trace {shlex.quote(str(path))}",
    )


def images_of(model: str, effective_macs: float, where: str) -> Images:
    """The images of a run at FW8/BW8 that spends ``effective_macs`` on each in a step: runs do not
    record their shape, and this tells it. Square ones of 3 channels are tried first.

    Raises `DataError` if there are none.
    """
    wanted = effective_macs * 1024 / 64
    for channels in CHANNELS:
        try:
            guess = 32 * (wanted / step_macs(model, (channels, 32, 32))) ** 0.5
        except ParameterError as error:
            raise DataError(f"{where}: {error}") from error
        for rows in range(max(1, round(guess) - 2), min(LARGEST, round(guess) + 2) + 1):
            images = channels, rows, rows
            if abs(step_macs(model, images) - wanted) < 1e-6 * wanted:
                return images
    raise DataError(
        f"{where}: no square images up to {LARGEST} rows have {wanted:,.0f} MACs a step"
    )


def step_macs(model: str, images: Images) -> int:
    """Multiply-accumulates of all passes over one image."""
    return sum(each.geometry.macs * len(each.passes) for each in layers_of(model, images))


def _stretches(bits: NDArray[np.float32], where: str) -> Iterator[Stretch]:
    """Of ``bits[step, block, operand]``: equal steps in a row are one."""
    whole = bits.astype(np.int64)
    if (whole != bits).any():
        raise _no_trace(where, "its bits are means over images")
    rows: Sequence[bytes] = [each.tobytes() for each in whole]
    first = 0
    for _, group in itertools.groupby(rows):
        steps = sum(1 for _ in group)
        yield Stretch(steps, tuple(Precision(*map(int, each)) for each in whole[first]))
        first += steps


def _no_trace(where: str, why: str) -> DataError:
    return DataError(f"{where}: no trace for machines: {why}")
