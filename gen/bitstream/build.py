"""A bitstream from beginning to end: prepare, run the tools, publish it or keep the logs."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fractrain.gen.bitstream.bit_file import to_bin
from fractrain.gen.bitstream.flow import Flow, Made, Request
from fractrain.gen.bitstream.openxc7 import OpenFlow
from fractrain.gen.bitstream.resources import beside_each_other, check_budget
from fractrain.gen.bitstream.script_runs import Say
from fractrain.gen.bitstream.target_checks import require_target
from fractrain.gen.bitstream.vivado import VivadoFlow
from fractrain.gen.bitstream_manifest import (
    BITSTREAM_MANIFEST_NAME,
    BitstreamManifest,
    output_name,
)
from fractrain.gen.build import TOOLS
from fractrain.gen.build_hash import build_hash
from fractrain.gen.designs import Flavour
from fractrain.gen.manifest import MANIFEST_NAME, FileEntry, Manifest, read_manifest
from fractrain.gen.port import Port
from fractrain.gen.publish import publish, withdraw
from fractrain.gen.reference_pages import reference_pages
from fractrain.gen.zynq.interfaces import wrapper_interfaces
from fractrain.gen.zynq.names import WRAPPER_NAME
from fractrain.hw.contract.errors import DataError, FractrainError
from fractrain.hw.contract.parameters import Parameters

__all__ = [
    "FLOWS",
    "failed_folder",
    "kind_of",
    "make_bitstream",
    "prepare_project",
    "write_project",
]

FLOWS: dict[str, Flow] = {each.name: each for each in (VivadoFlow(), OpenFlow())}

BITSTREAM_SUFFIXES = (".bit", ".bin", ".xsa")


def prepare_project(flow: Flow, request: Request) -> dict[str, bytes]:
    """Everything that ``flow`` needs, with reference pages and a manifest of a build.

    Name → content. Needs none of the flow's tools; the same request and sources give the same
    bytes. Raises `ParameterError` for a machine that its target cannot carry.
    """
    require_target(request.parameters)
    files = flow.prepare(request)
    files |= reference_pages(request.parameters)
    return files | {MANIFEST_NAME: _project_manifest(request.parameters, files).encode()}


def write_project(folder: Path, project: dict[str, bytes]) -> None:
    """Write what `prepare_project` gave to ``folder``, as `publish` does."""
    publish(folder, project)


def make_bitstream(
    flow: Flow, request: Request, project: dict[str, bytes], config: str, out: Path, say: Say
) -> BitstreamManifest:
    """Run the tools of ``flow`` on ``project`` and publish the bitstream as the folder ``out``.

    An earlier bitstream in ``out``, or a project left there for lack of tools, is removed before
    the tools start: after a failure or an interruption there is no bitstream of another design
    under the same name. The tools run in a folder beside ``out``; ``say`` is called with its name
    first, then with each stage. After a failure it stays as `failed_folder`, with logs and reports
    but nothing loadable.

    Raises `FractrainError` with the reason if a tool fails or its result does not pass the checks,
    and what `Flow.find_tools` and `publish` raise, before anything is removed.
    """
    flow.find_tools(request.parameters.target)
    withdraw(out, kind_of(out) or BITSTREAM_MANIFEST_NAME)
    with _working_folder(out, flow, project) as work:
        say(f"{flow.name} in {work}")
        made = flow.make(work, request, say)
        check_budget(made.utilization, request.budget)
        manifest, files = _bitstream(request, config, flow, made, _build_hash(project))
        publish(out, files, BITSTREAM_MANIFEST_NAME)
    return manifest


def kind_of(folder: Path) -> str | None:
    """Name of the manifest in ``folder``: of a bitstream, or of a prepared project; else None."""
    if (folder / BITSTREAM_MANIFEST_NAME).is_file():
        return BITSTREAM_MANIFEST_NAME
    return MANIFEST_NAME if _is_ours(folder) else None


def failed_folder(out: Path) -> Path:
    """The folder for the remains of a failed build for ``out``."""
    return out.with_name(f"{out.name}-failed")


def _build_hash(project: dict[str, bytes]) -> str:
    """The hash in the prepared Verilog: the sources may have changed while the tools ran."""
    return str(json.loads(project[MANIFEST_NAME])["build_hash"])


def _bitstream(
    request: Request, config: str, flow: Flow, made: Made, digest: str
) -> tuple[BitstreamManifest, dict[str, bytes]]:
    """Manifest and all files of the bitstream's folder."""
    target = request.parameters.target
    bit_name, bin_name = (output_name(target, suffix) for suffix in (".bit", ".bin"))
    files = {bit_name: made.bit, bin_name: to_bin(made.bit, target, bit_name), **made.others}
    manifest = BitstreamManifest(
        config=config,
        build_hash=digest,
        parameters=request.parameters,
        clock_mhz=made.clock_mhz,
        flow=flow.name,
        tool=made.tool,
        utilization=made.utilization,
        slack_ns=made.slack_ns,
        resources=beside_each_other(made.utilization, request.budget, request.modelled),
        strategy=made.strategy,
        files=tuple(FileEntry.of(name, content) for name, content in sorted(files.items())),
    )
    return manifest, files | {BITSTREAM_MANIFEST_NAME: manifest.to_json().encode()}


def _project_manifest(parameters: Parameters, files: dict[str, bytes]) -> str:
    """The manifest of the prepared files; its ports are those of the wrapper."""
    return Manifest(
        top=WRAPPER_NAME,
        flavour=Flavour.SYNTHESIS.value,
        build_hash=build_hash(parameters),
        parameters=parameters,
        ports=tuple(
            Port(port.name, port.direction, port.width)
            for interface in wrapper_interfaces(parameters)
            for port in interface.ports
        ),
        latencies={},
        tools={name: importlib.metadata.version(name) for name in TOOLS},
        files=tuple(FileEntry.of(name, content) for name, content in sorted(files.items())),
    ).to_json()


@contextmanager
def _working_folder(out: Path, flow: Flow, project: dict[str, bytes]) -> Iterator[Path]:
    """A folder beside ``out`` with the files of ``project``.

    After a success or an interruption it is gone, after a failure it is `failed_folder`.
    """
    out = out.resolve()
    failed = failed_folder(out)
    _remove_failed(failed)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f"{out.name}-running-", dir=out.parent))
        work.chmod(out.parent.stat().st_mode)  # the permissions of the folder above
        for name, content in project.items():
            (work / name).write_bytes(content)
    except OSError as error:
        raise DataError(f"cannot write beside {out}: {error.strerror}") from error
    try:
        yield work
    except Exception as error:
        kept = _keep(work, failed, flow)
        if isinstance(error, FractrainError):
            error.args = (
                f"{error}; no bitstream was made. Logs and reports are in {kept}, the whole output "
                f"in {flow.log}",
            )
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _remove_failed(failed: Path) -> None:
    """Remove the remains of an earlier failure, and nothing else."""
    if _is_ours(failed):
        shutil.rmtree(failed, ignore_errors=True)


def _keep(work: Path, failed: Path, flow: Flow) -> Path:
    """Make ``work`` the folder ``failed``, without anything to load; where it is now."""
    loadable = [work / name for name in flow.loadable]
    loadable += [path for path in work.rglob("*") if path.suffix in BITSTREAM_SUFFIXES]
    for path in loadable:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    if failed.exists():
        failed = work.with_name(work.name.replace("-running-", "-failed-"))
    work.rename(failed)
    return failed


def _is_ours(folder: Path) -> bool:
    """Whether ``folder`` has the manifest that every prepared project has."""
    try:
        return read_manifest(folder / MANIFEST_NAME).top == WRAPPER_NAME
    except DataError:
        return False
