"""Options of `fractrain train` that contradict each other, and those that do not."""

import pytest

from fractrain.host.cli.train import parse_options
from fractrain.host.runs.checks import check_options
from fractrain.hw.contract.errors import ParameterError


@pytest.mark.parametrize(
    "line",
    [
        "",
        "--mode float --batch 12 --bn-group 4",
        "--mode reference --batch 12 --bn-group 12",
        "--backend board --power",
        "--backend board --device local --log-programs",
        "--backend board --device simulated --log-programs",
        "--backend cosim --log-programs",
        "--backend torch --device cuda --mode reference",
        "--mode reference --decide early",
        "--name x --overwrite",
        "--model resnet1202",
    ],
)
def test_what_goes_together(line: str) -> None:
    check_options(parse_options(line.split()))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "--batch 12 --bn-group 5",
            "--bn-group: got 5, allowed: a divisor of --batch, which is 12",
        ),
        ("--bn-group 128", "--bn-group: got 128, allowed: a divisor"),
        ("--backend cosim --device cpu", "--device: got 'cpu', allowed: none with --backend cosim"),
        ("--backend board --mode reference", "--mode: got 'reference', allowed: hardware or float"),
        ("--backend torch --log-programs", "--log-programs: got True, allowed: with a backend"),
        ("--mode reference --decide late", "--decide: got 'late', allowed: early, or nothing"),
        ("--model resnet1208", "model: got 'resnet1208', allowed: resnet8, .*resnet1202"),
        ("--backend board --device simulated --power 5", "--power: got 5.0, .*no watts"),
    ],
)
def test_what_does_not(line: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        check_options(parse_options(line.split()))
