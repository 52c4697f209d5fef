"""What `fractrain bitstream` does: make a bitstream, or everything up to its tools."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fractrain.gen.bitstream import build
from fractrain.gen.bitstream.flow import Flow, Request
from fractrain.gen.bitstream.script_runs import Say
from fractrain.gen.bitstream_manifest import BITSTREAM_MANIFEST_NAME, BitstreamManifest
from fractrain.gen.publish import check_replaceable
from fractrain.hw.contract.errors import MissingToolError

__all__ = ["Order", "make", "prepare", "summary"]

BY_HAND = {"vivado": "vivado -mode batch -source build.tcl", "openxc7": "sh build.sh"}


@dataclass(frozen=True)
class Order:
    """A bitstream of ``request`` by the ``flow`` of that name, for the configuration ``config``.

    ``out``: the folder to write; None for the usual ones in ``build``.
    """

    request: Request
    flow: str
    config: str
    out: Path | None = None

    @property
    def folder(self) -> Path:
        """The folder of the bitstream."""
        return self.out or Path("build", f"bitstream-{self.config}")

    @property
    def project_folder(self) -> Path:
        """The folder of the prepared files."""
        return self.out or Path("build", f"{self.flow}-{self.config}")


def prepare(order: Order, say: Say) -> tuple[Path, dict[str, int]]:
    """Write the prepared files and run no tool; returns the folder and the sizes of its files.

    Raises as `build.prepare_project` and `publish`.
    """
    check_replaceable(order.project_folder)
    project = _project(order, build.FLOWS[order.flow], say)
    build.write_project(order.project_folder, project)
    return order.project_folder, {name: len(content) for name, content in project.items()}


def make(order: Order, say: Say) -> BitstreamManifest:
    """The bitstream in ``order.folder``; raises as `build.make_bitstream`.

    Where tools are missing, `MissingToolError` says so once everything up to them is there.
    """
    flow, out, project_folder = build.FLOWS[order.flow], order.folder, order.project_folder
    # A project left there when tools were missing is now done.
    check_replaceable(out, build.kind_of(out) or BITSTREAM_MANIFEST_NAME)
    flow.check_place(out)
    if build.kind_of(project_folder) == BITSTREAM_MANIFEST_NAME:
        project_folder = out.with_name(f"{out.name}-{order.flow}")
    project = _project(order, flow, say)
    try:
        flow.find_tools(order.request.parameters.target)
    except MissingToolError as missing:
        build.write_project(project_folder, project)
        raise MissingToolError(
            _without_tools(str(missing), project_folder, order.flow)
        ) from missing
    return build.make_bitstream(flow, order.request, project, order.config, out, say)


def _project(order: Order, flow: Flow, say: Say) -> dict[str, bytes]:
    say("Verilog")
    return build.prepare_project(flow, order.request)


def _without_tools(missing: str, folder: Path, flow: str) -> str:
    """What is missing, what was done, and what else can be done, in one line."""
    other = "; --flow openxc7 needs open tools only" if flow == "vivado" else ""
    return (
        f"{missing}. Everything up to it is in {folder}: run this command, or `{BY_HAND[flow]}` in "
        f"that folder, on a machine that has it{other}; `fractrain simulate`, `synth` and `train` "
        "need none of it"
    )


def summary(manifest: BitstreamManifest) -> str:
    """What the tools reported, in three lines."""
    part = manifest.parameters.target.part
    used, slack = manifest.utilization, manifest.slack_ns
    shares = (
        ("LUT", used.lut, part.luts),
        ("FF", used.ff, part.flip_flops),
        ("BRAM36", used.bram36, part.bram36),
        ("DSP48", used.dsp, part.dsps),
    )
    timing = (
        "no evidence that the clock is met: this flow places with default delays"
        if slack.setup is None or slack.hold is None
        else f"met, slack {slack.setup:.3f} ns (setup), {slack.hold:.3f} ns (hold)"
    )
    return "\n".join(
        [
            ", ".join(f"{name} {count:,g} ({count / of:.1%})" for name, count, of in shares),
            f"timing at {manifest.clock_mhz:g} MHz: {timing}",
            f"build hash {manifest.build_hash[:8]}, {manifest.tool}",
        ]
    )
