"""What a run measures: each step once, however often it is interrupted, and apart from its log."""

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fractrain.host.accelerator import Integers
from fractrain.host.backends.engine import EngineAccelerator, Outcome
from fractrain.host.backends.golden import GoldenAccelerator
from fractrain.host.compiler import Program, Results
from fractrain.host.machine.counters import Counters
from fractrain.host.machine.work import ProgramRun, program_work
from fractrain.host.process.stopping import StopSignals
from fractrain.host.training.run import Run
from fractrain.host.training.run_directory import RunDirectory
from fractrain.host.training.run_record import describe
from fractrain.hw.contract.commands import Tag
from fractrain.hw.contract.errors import DataError, ParameterError
from fractrain.hw.contract.parameters import Parameters, load_parameters
from fractrain.hw.contract.precision import Precision
from fractrain.hw.contract.registers import COUNTERS
from tests.host.training.test_run import CADENCE, RECIPES, Power, Watching, files
from tests.host.training.test_trainer import PLAN, trainer_of

TINY = load_parameters("tiny")
LAYERS = 9
"""Of a ResNet-8: the first, two in each of three blocks, two shortcuts."""
CONVOLUTIONS = 3 * LAYERS - 1
"""Of a step: three passes of each layer, but for the first one's error."""
PROGRAMS = 2 * LAYERS
"""Of a step: gradient and error of a layer are one."""


class CountingMachine(EngineAccelerator):
    """Golden's integers, and a machine's counters: each convolution takes 100 busy cycles of
    150."""

    measured_as = "RTL cycles"

    def __init__(self, parameters: Parameters, seconds: float = 0.0) -> None:
        super().__init__(parameters)
        self._golden, self._seconds = GoldenAccelerator(parameters), seconds

    def _memory(self, program: Program) -> Any:
        raise NotImplementedError

    def _execute(self, *_: Any) -> Outcome:
        raise NotImplementedError

    def _run_checked(
        self,
        program: Program,
        operands: Mapping[str, Integers],
        precisions: Mapping[int, Precision],
        widths: Mapping[str, int],
    ) -> Results:
        names = [each.name for each in COUNTERS]
        each = dict(zip(names, (100, 1, 2, 3, 4, 10, 640, 32), strict=True))
        counters = {Tag[step.pass_.name]: each for step in program.steps}
        work = program_work(counters, cycles=150 * len(counters), seconds=self._seconds)
        self._work += work
        self._counters += work.total
        if self.program_observer is not None:
            self.program_observer(ProgramRun(program, precisions, work, 0.25, 0.5, 0.125))
        return self._golden.run(program, operands, precisions)


def part(
    root: Path,
    watching: Watching | None = None,
    *,
    accelerator: GoldenAccelerator | CountingMachine | None = None,
    resume: bool = False,
    log_programs: bool = False,
    kind: str = "float",
    **plan: Any,
) -> dict[str, Any]:
    """One process's part of the run ``root/run``; the summary if it came to the end."""
    recipe, mode = RECIPES[kind]
    if resume:
        directory = RunDirectory.reopen("run", root)
    else:
        directory = RunDirectory.reserve(root, "run", overwrite=True)
    with closing(directory), accelerator or CountingMachine(TINY) as opened:
        trainer = trainer_of(opened, replace(PLAN, **plan), recipe, mode)
        given = {"command": ["x"], "backend": "cosim", "config": "tiny", "device": None}
        config = describe(trainer, given)
        run = Run(trainer, directory, config, CADENCE, StopSignals(), log_programs=log_programs)
        if resume:
            run.resume(lambda note: None)
        return run.execute(watching or Watching())


def lines(root: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (root / "run" / name).read_text().splitlines()]


def without_clock(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in entry.items() if k != "wall_seconds"} for entry in entries]


def test_steps_on_a_machine(tmp_path: Path) -> None:
    """Of each step alone."""
    summary = part(tmp_path)
    measured = lines(tmp_path, "measured.jsonl")
    assert [entry["step"] for entry in measured] == list(range(7))
    for entry in measured:
        assert entry["wall_seconds"] > 0
        assert entry["programs"] == PROGRAMS and entry["cycles"] == 150 * CONVOLUTIONS
        assert entry["seconds"] == entry["cycles"] / (TINY.clock_mhz * 1e6)
        forward = Counters(**entry["passes"]["forward"])
        assert forward == Counters(*(LAYERS * each for each in (120, 100, 640, 32, 1, 2, 3, 4)))
        assert entry["passes"]["error"]["cycles"] == 120 * (LAYERS - 1)
        assert entry["passes"]["other"]["cycles"] == 30 * CONVOLUTIONS
        assert "machine_seconds" not in entry
    assert not (tmp_path / "run" / "programs.jsonl").exists()
    total = summary["measured"]
    assert (total["of"], total["config"], total["clock_hz"]) == ("RTL cycles", "tiny", 200e6)
    assert (total["steps"], total["cycles"]) == (7, 7 * 150 * CONVOLUTIONS)
    assert total["seconds"] == total["cycles"] / 200e6
    assert summary["counters"]["cycles"] > total["cycles"], "evaluations included"


def test_the_measuring_step_of_hardware_mode_counts_with_the_first(tmp_path: Path) -> None:
    part(tmp_path, kind="static", log_programs=True)
    programs = [entry["programs"] for entry in lines(tmp_path, "measured.jsonl")]
    assert programs == [2 * PROGRAMS] + 6 * [PROGRAMS]
    steps = [e["step"] for e in lines(tmp_path, "programs.jsonl") if e["phase"] == "training"]
    assert steps == 2 * PROGRAMS * [0] + [step for step in range(1, 7) for _ in range(PROGRAMS)]


def test_steps_without_a_machine(tmp_path: Path) -> None:
    summary = part(tmp_path, accelerator=GoldenAccelerator(TINY))
    measured = lines(tmp_path, "measured.jsonl")
    assert [set(entry) for entry in measured] == [{"step", "wall_seconds"}] * 7
    assert summary["measured"] is None


def test_the_clock_of_a_machine_in_the_world(tmp_path: Path) -> None:
    part(tmp_path, accelerator=CountingMachine(TINY, seconds=0.5), steps=1)
    (entry,) = lines(tmp_path, "measured.jsonl")
    assert entry["machine_seconds"] == 0.5 * entry["programs"]


def test_interrupted_runs_measure_each_step_once(tmp_path: Path) -> None:
    whole = part(tmp_path / "whole", log_programs=True)
    root = tmp_path / "parts"
    with pytest.raises(Power):
        part(root, Watching(0), log_programs=True)
    for off, evaluating in ((3, False), (3, True), (5, False), (7, True)):
        with pytest.raises(Power):
            part(root, Watching(off, evaluating=evaluating), resume=True, log_programs=off < 5)
    summary = part(root, resume=True)
    assert summary["measured"] == whole["measured"]
    assert files(root) == files(tmp_path / "whole")
    for name in ("measured.jsonl", "programs.jsonl"):
        assert without_clock(lines(root, name)) == without_clock(lines(tmp_path / "whole", name))


def test_a_run_from_before_there_were_measurements_goes_on(tmp_path: Path) -> None:
    """Its first steps are not measured, and the summary says how many are."""
    with pytest.raises(Power):
        part(tmp_path, Watching(3))
    (tmp_path / "run" / "measured.jsonl").unlink()
    summary = part(tmp_path, resume=True)
    assert [entry["step"] for entry in lines(tmp_path, "measured.jsonl")] == [3, 4, 5, 6]
    assert summary["measured"]["steps"] == 4


def test_torn_and_damaged_lines(tmp_path: Path) -> None:
    with pytest.raises(Power):
        part(tmp_path, Watching(4))
    path = tmp_path / "run" / "measured.jsonl"
    whole = path.read_text()
    path.write_text(whole + '{"step": 5, "wal')
    part(tmp_path, resume=True)
    assert [entry["step"] for entry in lines(tmp_path, "measured.jsonl")] == list(range(7))
    # No result depends on it: what is left of it is put aside, and the run goes on.
    (tmp_path / "run" / "summary.json").unlink()
    path.write_text("x\n" + whole)
    part(tmp_path, resume=True)
    assert path.with_name("measured.jsonl.damaged").read_text() == "x\n" + whole
    assert not path.exists()


# -- programs ------------------------------------------------------------------------------------


def test_programs_are_told_of_one_by_one(tmp_path: Path) -> None:
    part(tmp_path, log_programs=True)
    programs = lines(tmp_path, "programs.jsonl")
    steps = [entry["step"] for entry in programs if entry["phase"] == "training"]
    assert steps == [step for step in range(7) for _ in range(PROGRAMS)]
    # after 3, 6 and 7 steps; 10 test images are one batch
    evaluated = [entry["step"] for entry in programs if entry["phase"] == "evaluation"]
    assert evaluated == [step for step in (3, 6, 7) for _ in range(LAYERS)]
    first = programs[0]
    assert first["convolutions"] == [
        {
            "pass": "forward",
            "images": 8,
            "channels": 1,
            "filters": 16,
            "size": [8, 8],
            "kernel": [3, 3],
            "stride": 1,
            "padding": 1,
            "bits": [8, 8],
            "stored_bits": [8, 8],
            "signed": [False, True],
            "operands": ["tensor 0", "tensor 1"],
        }
    ]
    back = programs[LAYERS]["convolutions"]
    assert [each["pass"] for each in back] == ["gradient", "error"]
    assert back[0]["operands"][1] == back[1]["operands"][0], "the error, which both read"
    assert programs[1]["convolutions"][0]["bits"] == [4, 4]  # the first of the first block
    assert (first["program"], first["cycles"], first["stall_memory"]) == (0, 150, 3)
    assert first["wall_seconds"] == {"pack": 0.25, "run": 0.5, "unpack": 0.125}
    measured = lines(tmp_path, "measured.jsonl")
    for name in ("cycles", "bytes_in", "stall_token"):
        assert sum(entry[name] for entry in programs if entry["step"] == 2) == measured[2][name]


def test_a_step_that_is_not_done_leaves_no_programs(tmp_path: Path) -> None:
    class Failing(CountingMachine):
        def _run_checked(self, *given: Any) -> Results:
            if self.work.programs == 2:
                raise DataError("gone")
            return super()._run_checked(*given)

    with pytest.raises(DataError, match="gone"):
        part(tmp_path, accelerator=Failing(TINY), log_programs=True)
    assert not list((tmp_path / "run").glob("*.jsonl"))


def test_there_must_be_a_machine(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="--log-programs: got True, allowed: with a backend"):
        part(tmp_path, accelerator=GoldenAccelerator(TINY), log_programs=True)
    assert list(tmp_path.iterdir()) == []
