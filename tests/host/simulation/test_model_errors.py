"""The errors of the cycle model are explained where they are printed."""

from pathlib import Path

import pytest

from fractrain.host.simulation.calibration import ABOUT_ERRORS
from fractrain.host.simulation.model_errors import REASON, model_errors_text


def test_small_errors_need_no_reason() -> None:
    text = model_errors_text({"a": 0.001, "b": -0.019}, -0.0002, "the whole step")
    assert text == "error: of the cycle model, each convolution alone; of the whole step -0.02 %."
    assert model_errors_text({}, 0.0, "nothing").endswith("of nothing +0.00 %.")


@pytest.mark.parametrize("error", [0.449, -0.449])
def test_an_alarming_one_is_named_and_explained(error: float) -> None:
    text = model_errors_text({"a": 0.03, "b error": error, "c": -0.1}, 0.003, "the whole step")
    assert f"of the whole step +0.30 %. Largest alone: {100 * error:+.1f} %, b error." in text
    assert text.endswith(REASON) is (error > 0)


@pytest.mark.parametrize("page", ["cycle_model.md", "cycle_model_uniform.md"])
def test_the_tables_in_the_documentation_say_it_too(page: str, project_root: Path) -> None:
    assert f"{ABOUT_ERRORS} Made by" in (project_root / "docs" / page).read_text(encoding="utf-8")
