"""The HTML page: well formed, complete in itself, small, and with the right numbers in it."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fractrain.host.reports.page import render_page
from fractrain.host.reports.run import Evaluation, Run, read_run
from fractrain.host.reports.step_log import StepLog
from tests.host.reports.html_page import Page
from tests.host.reports.synthetic import progressive, static, write_run

HALVES = progressive((0, (4, 4, 6)), (20, (8, 8, 8)))


def two_runs(tmp_path: Path, **options: object) -> list[Run]:
    return [
        read_run(write_run(tmp_path / "static", **options)),  # type: ignore[arg-type]
        read_run(
            write_run(
                tmp_path / "pfq",
                method="pfq",
                bits=HALVES,
                accuracies=(55.0, 91.5, 92.0, 92.0),
                seed=1,
                **options,  # type: ignore[arg-type]
            )
        ),
    ]


def check(text: str) -> Page:
    """What must hold of every page."""
    well_formed(text)
    return Page(text)


def well_formed(text: str) -> None:
    """Ids are unique, everything is in the page itself, every colour has a value."""
    page = Page(text)
    assert len(set(page.ids)) == len(page.ids), "ids are unique"
    for reference in page.references:
        assert reference.startswith(("#", "data:image/png;base64,")), reference
        assert not reference.startswith("#") or reference[1:] in page.ids, reference
    assert all(target in page.ids for target in re.findall(r"url\(#([^)]*)\)", text))
    assert not re.search(r"url\((?!#)|@import|<script|<link|<iframe|\son\w+=", text)
    for colour in re.findall(r"#0[1-5]0[1-5]0[1-9]\b", text):
        raise AssertionError(f"stand-in colour {colour} is left")
    used = set(re.findall(r"var\((--[\w-]+)\)", text))
    assert used <= set(re.findall(r"(--[\w-]+):", text)), "every colour has a value"


def test_numbers_of_two_runs(tmp_path: Path) -> None:
    page = check(render_page(two_runs(tmp_path)))
    results = page.tables["Against the same steps at FW8/BW8"]
    assert results["figure"] == ["static", "pfq"]
    assert results["steps"] == ["40 of 40", "40 of 40"]
    assert results["best test accuracy"] == ["91.00 %", "92.00 %"]
    # 20 steps at a third of a million MACs and half of 40,000 cycles, 20 whole ones; 200 MHz
    assert results["effective MACs"] == ["40.0 M", "26.7 M"]
    assert results["saving of effective MACs"] == ["0.0 %", "33.3 %"]
    assert results["FPGA time"] == ["8.00 ms", "6.00 ms"]
    assert results["FPGA time at FW8/BW8"] == ["8.00 ms", "8.00 ms"]
    assert results["saving of FPGA time"] == ["0.0 %", "25.0 %"]
    assert results["FPGA energy"] == ["80.0 mJ", "60.0 mJ"]
    assert results["stages visited"] == ["1", "2"]
    equal = page.tables["At equal accuracy: 91.00 % on cifar10, resnet8"]
    assert equal["first reached after step"] == ["40", "20"]
    assert equal["effective MACs"] == ["40.0 M", "6.67 M"]
    assert equal["saving of effective MACs"] == ["0.0 %", "83.3 %"]
    assert equal["saving of FPGA time"] == ["0.0 %", "75.0 %"]
    assert "savings against static, static at 8/8/8 bits" in page.text
    assert page.tables["Settings in which the runs differ"]["method"] == ["static", "pfq"]
    assert page.tables["Settings that the runs share"]["plan.batch"] == ["128"]
    assert "stage 1 from step 20 (epoch 0): 8/8/8" in page.text
    assert "fractrain train --method pfq --name 'a b'" in page.text


def test_the_result_comes_first(tmp_path: Path) -> None:
    """A sentence and the main picture before notes, settings and tables."""
    runs = two_runs(tmp_path)
    text = render_page([*runs, read_run(write_run(tmp_path / "going", done=25, ended=False))])
    sentence = "pfq needed 66.7\N{NO-BREAK SPACE}% fewer effective MACs"
    marks = ('class="headline"', sentence, "<figure", 'class="notes"', "<table", "Configuration")
    places = [text.index(each) for each in marks]
    assert places == sorted(places)


def test_one_picture_of_accuracy_with_a_choice(tmp_path: Path) -> None:
    """Radio buttons, one for each cost; without a script, with the keyboard."""
    text = render_page(two_runs(tmp_path, measured=True))
    names = ["effective MACs", "FPGA time", "FPGA energy", "accelerator time", "board energy"]
    (choice,) = re.findall(r'<fieldset class="choice">.*?</fieldset>', text, re.DOTALL)
    buttons = re.findall(
        r'<input type="radio" name="over" id="([^"]*)"( checked)?><label for="([^"]*)">([^<]*)<',
        choice,
    )
    assert [button[3] for button in buttons] == names
    assert [bool(button[1]) for button in buttons] == [True, False, False, False, False]
    assert all(button[0] == button[2] for button in buttons)
    assert choice.count('<div class="panel">') == len(names)
    css = text[: text.index("</style>")]
    for number in range(1, len(names) + 1):
        rule = f".choice input:nth-of-type({number}):checked ~ .panel:nth-of-type({number})"
        assert rule in css


def test_static_and_progressive_runs_need_no_heat_maps(tmp_path: Path) -> None:
    """What a line says is not drawn; gates that choose block by block are."""
    text = render_page(two_runs(tmp_path))
    page = check(text)
    assert "image/png" not in text and "Block by block" not in text
    assert "8/8/8 bits of activations/weights/errors in all blocks, in every step." in page.text
    assert "The same bits in all blocks, by the stage of the schedule." in page.text
    gates = write_run(tmp_path / "dfq", bits=lambda step, block: (0, (3 + block, 4, 6)))
    page = check(render_page([*two_runs(tmp_path), read_run(gates)]))
    assert "Block by block Bits of activations Bits of errors Cost of blocks" in page.text
    assert page.text.count("bits (measured)") == 2, "those of one run"


def test_dots_tell_their_figures_with_units(tmp_path: Path) -> None:
    text = render_page(two_runs(tmp_path))
    assert (
        "<title>pfq: 91.50 % after step 20, effective MACs 6.67 M</title>" in text
        and "<title>static: 91.00 % after step 40, FPGA time 8.00 ms</title>" in text
    )


def test_every_line_of_text_has_a_unit(tmp_path: Path) -> None:
    """No bare exponents, on the page or in what is read out."""
    text = render_page(two_runs(tmp_path, measured=True))
    shown = re.sub(r"<style>.*?</style>|<path[^>]*>|xmlns[^ ]*", "", text, flags=re.DOTALL)
    assert not re.search(r"\d[eE][+-]\d|10[⁰¹²³⁴-⁹]", re.sub(r'd="[^"]*"', "", shown))
    assert 'aria-label="Test accuracy over FPGA time: static ends at 91.00 % with 8.00 ms;' in text


def test_every_figure_says_its_source(tmp_path: Path) -> None:
    page = check(render_page(two_runs(tmp_path, measured=True)))
    for table in page.sources.values():
        assert all(source for name, source in table.items() if name not in ("figure", "setting")), (
            table
        )
    sources = page.sources["Against the same steps at FW8/BW8"]
    assert sources["effective MACs"] == "computed"
    assert sources["saving of FPGA time"] == "modelled"
    assert sources["saving of board energy"] == "measured"
    for label in (
        "effective MACs (computed)",
        "FPGA time (modelled)",
        "FPGA energy (modelled)",
        "accelerator time (measured)",
        "board energy (measured)",
        "test accuracy, % (measured)",
        "loss (measured)",
        "cost, % of FP32 (computed)",
    ):
        assert label in page.text, label


def test_one_run(tmp_path: Path) -> None:
    page = check(render_page([read_run(write_run(tmp_path / "run"))]))
    assert "Training run run" in page.text
    assert "At equal accuracy: nothing to compare" in page.text
    assert page.tables["Settings"]["weights_sha256"] == ["0" * 64]


def test_without_a_static_8bit_run_the_page_says_so(tmp_path: Path) -> None:
    low = [
        read_run(write_run(tmp_path / name, bits=static((4, 4, 6)), seed=seed))
        for seed, name in enumerate("ab")
    ]
    page = check(render_page(low))
    assert "no savings: none of these runs is static at 8/8/8 bits" in page.text
    equal = page.tables["At equal accuracy: 91.00 % on cifar10, resnet8"]
    assert not any(name.startswith("saving") for name in equal)


def test_a_run_that_is_still_going(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", done=25, ended=False)
    with (folder / "log.jsonl").open("a") as file:
        file.write('{"step": 25, "lo')
    page = check(render_page([read_run(folder)]))
    assert "has not ended" in page.text
    assert "log.jsonl: the last line is incomplete and left out" in page.text
    assert "costs up to its last evaluation, after step 20" in page.text


@pytest.mark.parametrize("done", [0, 1, 2])
def test_runs_that_have_only_just_begun(tmp_path: Path, done: int) -> None:
    page = check(render_page([read_run(write_run(tmp_path / "run", done=done, ended=False))]))
    assert "No evaluation is recorded." in page.text
    assert ("No bits are recorded." in page.text) is (done == 0)
    assert ("Training loss" in page.text) is (done > 0), "the main picture until there is another"


def test_runs_without_modelled_figures(tmp_path: Path) -> None:
    runs = two_runs(tmp_path)
    bare = read_run(
        write_run(tmp_path / "bare", bits=static((4, 4, 6)), modelled=False, config={"blocks": []})
    )
    page = check(render_page([*runs, bare]))
    assert "bare: config.json names no blocks" in page.text
    results = page.tables["Against the same steps at FW8/BW8"]
    assert results["FPGA time"] == ["8.00 ms", "6.00 ms", "—"]
    assert results["saving of FPGA time"] == ["0.0 %", "25.0 %", "—"]
    assert "logarithm of what is missing to 100 %. Not recorded by bare." in page.text


def test_diverged_perfect_and_flat_runs(tmp_path: Path) -> None:
    """Losses that are no numbers or 0, and accuracies of 0 and 100 %, can be drawn."""
    bare = {"blocks": []}  # no heat maps: they take most of the time
    run = read_run(write_run(tmp_path / "run", accuracies=(0.0, 100.0), config=bare))
    for loss in (np.nan, 0.0, 1e-30):
        columns = {**run.log.columns, "loss": np.full(40, loss)}
        check(render_page([replace(run, log=replace(run.log, columns=columns))]))
    for accuracies in ((100.0,), (0.0,), (86.5, 86.5)):
        run = read_run(write_run(tmp_path / "run", accuracies=accuracies, config=bare))
        check(render_page([run]))


def test_other_peoples_text_is_escaped(tmp_path: Path) -> None:
    evil = "<script>alert('x')</script> & $\\frac{a}$ \"q\" {{ 7 * 7 }}"
    folder = write_run(
        tmp_path / "<b>run & $x$<",
        blocks=(evil, "stage1.阻塞", "]]>"),
        bits=lambda step, block: (0, (3 + block, 4, 6)),
        config={"command": ["fractrain", evil], "dataset": evil, "<i>key</i>": evil},
    )
    with (folder / "log.jsonl").open("a") as file:
        file.write("<torn>")
    page = check(render_page([read_run(folder), *two_runs(tmp_path)]))
    assert page.text.count("<script>alert('x')</script>") > 3, "shown as text"
    assert "{{ 7 * 7 }}" in page.text
    assert "Training runs compared" in page.text and "<b>run & $x$<" in page.text


def test_the_same_bytes_for_the_same_runs(tmp_path: Path) -> None:
    runs = two_runs(tmp_path)
    assert render_page(runs) == render_page(runs)


def test_colours_are_the_runs_own_in_every_figure(tmp_path: Path) -> None:
    """Ten runs: eight colours, the same ones in legends and figures."""
    run = read_run(write_run(tmp_path / "run", bits=HALVES, config={"blocks": []}))
    text = render_page([replace(run, name=f"run-{number}") for number in range(10)])
    check(text)
    legends = re.findall(
        r'<li><svg class="line".*?var\(--(run-\d)\).*?dasharray="([^"]*)".*?</svg>(run-\d)</li>',
        text,
    )
    assert [(colour, name) for colour, _, name in legends[:10]] == [
        (f"run-{n % 8 + 1}", f"run-{n}") for n in range(10)
    ]
    assert len({(colour, dashes) for colour, dashes, _ in legends[:10]}) == 10
    for name in ("accuracy-effective-macs", "steps-loss", "steps-cost"):
        svg = text[text.index(f'id="{name}-figure_1"') :]
        svg = svg[: svg.index("</svg>")]
        assert set(re.findall(r"var\(--(run-\d)\)", svg)) == {f"run-{n}" for n in range(1, 9)}


def long_run(template: Run, name: str, steps: int, blocks: int, seed: int) -> Run:
    """Bits that change in every step and block, as gates choose them."""
    random = np.random.default_rng(seed)
    columns = {key: random.normal(2, 0.1, steps) for key in template.log.columns}
    columns |= {"step": np.arange(steps, dtype=np.float64)}
    columns |= {"stage": np.repeat(np.arange(4.0), steps // 4)}
    log = StepLog(columns, random.integers(0, 13, (steps, blocks, 3)).astype(np.float32))
    last = template.evaluations[-1]
    evaluations = [
        Evaluation(step, float(random.uniform(80, 93)), 10_000, last.costs)
        for step in range(390, steps, 390)
    ]
    names = [f"stage{block // 18}.block{block % 18}" for block in range(blocks)]
    return replace(template, name=name, blocks=names, log=log, evaluations=evaluations)


def test_four_long_runs_are_less_than_two_megabytes(tmp_path: Path) -> None:
    template = read_run(write_run(tmp_path / "run"))
    runs = [long_run(template, f"run-{n}", 64_000, 54, n) for n in range(4)]
    text = render_page(runs)
    check(text)
    assert len(text.encode()) < 2_000_000
