"""Commands that take long say so while they work."""

from pathlib import Path
from typing import Any

import pytest

from host.cli.main import main
from hw.contract.parameters import load_parameters
from sim import progress
from sim.cosim.designs import cached_design


class Reached(Exception):
    """The slow part has been entered."""


@pytest.mark.parametrize(
    ("arguments", "slow_part", "text"),
    [
        (["generate", "--config", "tiny"], "gen.build.generate", "generating the Verilog of tiny"),
        (
            ["synth", "--config", "tiny", "--part", "array"],
            "gen.synthesis.figures.synthesize_part",
            "synthesizing array",
        ),
    ],
)
def test_slow_parts_are_announced(
    arguments: list[str],
    slow_part: str,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    said = []

    def slow(*_: Any, **__: Any) -> None:
        said.extend(task.text for task in progress._line._tasks)
        raise Reached

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(slow_part, slow)
    with pytest.raises(Reached):
        main(arguments)
    assert said == [text] and not progress._line._tasks


def test_the_verilog_of_a_simulation_is_announced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = []

    def emit() -> str:
        said.extend(task.text for task in progress._line._tasks)
        return "module some_engine(); endmodule\n"

    monkeypatch.setenv("FRACTRAIN_BUILD", str(tmp_path))
    cached_design("some_engine", load_parameters("tiny"), emit)
    assert said == ["generating the Verilog of some_engine"]
