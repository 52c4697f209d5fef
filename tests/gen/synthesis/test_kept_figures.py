"""The figures of the last synthesis, remembered by the machine that they are of."""

import dataclasses
from pathlib import Path

import pytest

from fractrain.gen.synthesis import kept_figures as module
from fractrain.gen.synthesis.figures import Figures
from fractrain.gen.synthesis.kept_figures import keep_figures, kept_figures
from fractrain.hw.contract.errors import DataError
from fractrain.hw.contract.parameters import load_parameters

TINY = load_parameters("tiny")
FIGURES = Figures(
    **dict(luts=11, packed_luts=10, flip_flops=12, dsps=3, bram36=1.5, memory_luts=4),
    **dict(luts_per_bit_product=None, logic_levels=4, levels_after_memory=0),
    **dict(loads_per_operand_bit=None, loads_of_any_net=9, notes={}, paths=(), modules=[]),
)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_was_kept_is_found_again() -> None:
    keep_figures(TINY, "top", FIGURES)
    assert kept_figures(TINY, "top") == {
        **dict(luts=11, memory_luts=4, flip_flops=12, dsps=3, bram36=1.5)
    }
    assert kept_figures(TINY, "array") is None
    assert kept_figures(dataclasses.replace(TINY, clock_mhz=100), "top") is None


def test_other_sources_are_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_figures(TINY, "top", FIGURES)
    monkeypatch.setattr(module, "build_hash", lambda parameters: "f" * 64)
    assert kept_figures(TINY, "top") is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"luts": 1}', "\0"])
def test_damage_is_no_figure(text: str, place: Path) -> None:
    keep_figures(TINY, "top", FIGURES)
    (file,) = (place / "build" / "synth").iterdir()
    file.write_text(text)
    assert kept_figures(TINY, "top") is None


def test_what_cannot_be_written(place: Path) -> None:
    (place / "build").write_text("a file")
    with pytest.raises(DataError, match="cannot write build/synth/figures-top-"):
        keep_figures(TINY, "top", FIGURES)
