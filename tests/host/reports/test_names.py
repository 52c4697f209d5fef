"""Names of runs in pictures and over columns."""

import pytest

from fractrain.host.reports.names import cut, heads, short_names, text_width


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["static", "no-step", "no-evaluation"], ["static", "no-step", "no-evaluation"]),
        (
            ["digits-resnet8-static-golden-seed0", "digits-resnet8-pfq-golden-seed0"],
            ["static", "pfq"],
        ),
        (["cifar10-resnet20-pfq-seed0", "cifar10-resnet20-pfq-seed1"], ["seed0", "seed1"]),
        (["fractrain", "reference-fractrain"], ["fractrain", "reference…ractrain"]),
        (["x" * 30], ["xxxxxxxxx…xxxxxxxx"]),
        (["same-name-that-is-long-1", "same-name-that-is-long-1"], ["same-name…s-long-1"] * 2),
    ],
)
def test_short_names(names: list[str], short: list[str]) -> None:
    assert short_names(names) == short


def test_heads_are_names_while_they_fit() -> None:
    assert heads(["digits-resnet8-static-golden"]) == ["digits-resnet8-static-golden"]
    assert all(len(each) <= 30 for each in heads(["a" * 50, "b" * 31]))


def test_cut_keeps_both_ends() -> None:
    assert cut("abcdefghij", 10) == "abcdefghij"
    assert cut("abcdefghijk", 10) == "abcde…hijk"


def test_wide_letters_are_wide() -> None:
    assert text_width("阻塞", 10) == 20 > text_width("ab", 10) > 10
