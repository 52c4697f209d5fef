"""The signals of a simulation, in a file for viewers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fractrain.host.files.atomic import writing
from fractrain.host.reports.units import BYTES
from fractrain.hw.contract.errors import DataError, FractrainError, ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.sim.cosim.waveform import Form, Waveform

CYCLES = re.compile(r"([0-9]{0,12}):([0-9]{0,12})")


def open_waveform(path: Path | None, cycles: str | None) -> Waveform | None:
    """A recorder of the signals in ``cycles`` (``FROM:TO``, None: all) for the file ``path``; None
    without one.

    Raises `ParameterError` for an invalid file or range of cycles, `MissingToolError` if the format
    needs a package that is not installed.
    """
    if path is None:
        if cycles is not None:
            raise ParameterError("trace-cycles", cycles, "with --trace FILE only")
        return None
    form, (first, end) = Form.of(path), (0, None) if cycles is None else _parse_cycles(cycles)
    return Waveform(form, first, end)


@contextmanager
def saving(waveform: Waveform | None, path: Path) -> Iterator[None]:
    """Write ``waveform`` to ``path`` if the block succeeds, and also if the machine fails or its
    results are wrong: then it is needed most. Any other exception, such as Ctrl-C, leaves no
    file."""
    try:
        yield
    except FractrainError:
        if waveform and waveform.begun:
            with suppress(DataError):  # the first error is the one to tell
                _save(waveform, path)
        raise
    if waveform and waveform.begun:
        _save(waveform, path)


def trace_text(
    waveform: Waveform, path: Path, parameters: Parameters, begin: int, cycles: int
) -> str:
    """The waveform's size, and where to look: the whole step begins in cycle ``begin`` of
    ``cycles``."""
    if not waveform.begun:
        return f"waveform: none, as the simulation had {cycles:,} cycles only (--trace-cycles)"
    period = 1e3 / parameters.clock_mhz
    lines = [
        f"waveform: {path}, {BYTES.text(waveform.size_bytes)}; cycles of {period:g} ns, the whole "
        f"step begins in cycle {begin:,}, at {begin * period / 1e3:,.2f} µs"
    ]
    if waveform.full:
        lines.append("It ends early, as it became too large: choose cycles with --trace-cycles.")
    return "\n".join(lines)


def trace_document(waveform: Waveform | None, path: Path, begins: dict[str, int]) -> dict[str, Any]:
    """The same figures for figures.json."""
    if waveform is None or not waveform.begun:
        return {}
    return {"trace": {"file": str(path), "bytes": waveform.size_bytes, "begins": begins}}


def _save(waveform: Waveform, path: Path) -> None:
    with writing(path) as file:
        waveform.save(file)


def _parse_cycles(text: str) -> tuple[int, int | None]:
    match = CYCLES.fullmatch(text)
    first = int(match[1] or 0) if match else 0
    end = int(match[2]) if match and match[2] else None
    if not match or text == ":" or (end is not None and end <= first):
        raise ParameterError(
            "trace-cycles", text, "FROM:TO with FROM below TO, for example 1000:2000, or 1000:"
        )
    return first, end
