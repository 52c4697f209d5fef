"""What a run may be called."""

import pytest

from fractrain.host.training.run_names import LONGEST, RunName
from fractrain.hw.contract.errors import ParameterError


@pytest.mark.parametrize(
    "name", ["a", "run 1", "café", "x.y", "_", "a-b", "n" * LONGEST, "é" * LONGEST, "1"]
)
def test_names(name: str) -> None:
    assert RunName().read("--name", name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", ".a", "-a", "a/b", "/", "latest", " a", "a ", "a\nb", "a\tb", "a\x00"),
        *("a\x7f", "a\u2028b", "a\u202eb", "a\udcff", "n" * (LONGEST + 1), "語" * LONGEST, None, 3),
    ],
)
def test_no_names(name: object) -> None:
    with pytest.raises(ParameterError, match="--name: got .*the name of one folder"):
        RunName().read("--name", name)
