"""`fractrain simulate --trace`: the waveform of the real machine agrees with its counters."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import pywellen

from fractrain.host.cli.main import main
from fractrain.host.simulation.trace import saving, trace_text
from fractrain.hw.contract.errors import DataError, MachineError, MismatchError, MissingToolError
from fractrain.hw.contract.parameters import load_parameters
from fractrain.sim.cosim.waveform import Form, Waveform

TOP = "TOP.convolution_engine_behind_registers.convolution_engine"
PERIOD_PS = 5000
STEP = ["--blocks", "0", "--batch", "1", "--precision", "2,1,1"]


@pytest.fixture
def recorded() -> Waveform:
    waveform = Waveform(Form.VCD)
    Path(waveform.path.decode()).write_bytes(b"signals")
    waveform.begun = True
    return waveform


def require_fst() -> None:
    try:
        Waveform(Form.FST).close()
    except MissingToolError as error:
        pytest.skip(str(error))


def test_the_waveform_agrees_with_the_counters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    require_fst()
    wave = tmp_path / "wave.fst"
    assert main(["simulate", *STEP, "--out", str(tmp_path), "--trace", str(wave)]) == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    printed = capsys.readouterr().out
    assert f"waveform: {wave}, " in printed and "cycles of 5 ns" in printed
    assert figures["trace"]["bytes"] == wave.stat().st_size
    assert {path.name for path in tmp_path.iterdir()} == {
        *("wave.fst", "figures.json", "roofline.svg")
    }
    signals = {each.full_name: each.signal for each in pywellen.Waveform(str(wave)).all_vars()}

    def count(name: str, cycles: range) -> int:
        return sum(int(signals[f"{TOP}.{name}"].value_at(PERIOD_PS * each)) for each in cycles)

    begins = [*figures["trace"]["begins"].values()]
    for row, begin, end in zip(figures["convolutions"], begins, begins[1:], strict=False):
        assert count("execute.issued", range(begin, end)) == row["busy_cycles"]
    step = range(begins[-1], begins[-1] + figures["step"]["cycles"] + 300)
    assert count("execute.issued", step) == figures["step"]["busy_cycles"]
    assert [count("clk", range(100))] == [0], "a cycle begins with the falling edge"
    assert signals[f"{TOP}.clk"].value_at(PERIOD_PS * 50 + PERIOD_PS // 2) in ("1", 1)


@pytest.mark.slow
def test_a_whole_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its array works in as many cycles as the machine counts, all behind where it begins."""
    require_fst()
    wave = tmp_path / "wave.fst"
    step = ["--whole-step", "--data", "digits", "--batch", "2", "--precision", "3,2,4"]
    assert main(["simulate", *step, "--out", str(tmp_path), "--trace", str(wave)]) == 0
    assert f"waveform: {wave}, " in capsys.readouterr().out
    figures = json.loads((tmp_path / "figures.json").read_text())
    (begin,) = figures["trace"]["begins"].values()
    signals = {each.full_name: each.signal for each in pywellen.Waveform(str(wave)).all_vars()}
    issued = signals[f"{TOP}.execute.issued"]
    cycles = range(begin, begin + figures["cycles"] + 300)
    found = sum(int(issued.value_at(PERIOD_PS * cycle)) for cycle in cycles)
    assert found == sum(each["BUSY"] for each in figures["passes"].values()) > 0


def test_what_is_said_of_it() -> None:
    waveform = Waveform(Form.VCD, 200)
    Path(waveform.path.decode()).write_bytes(b"x" * 1_234_567)

    def text() -> str:
        return trace_text(waveform, Path("a.vcd"), load_parameters("tiny"), 40, 100)

    assert text() == "waveform: none, as the simulation had 100 cycles only (--trace-cycles)"
    waveform.begun = True
    head = "waveform: a.vcd, 1.23 MB; cycles of 5 ns, the whole step begins in cycle 40, at 0.20 µs"
    assert text() == head
    waveform.full = True
    assert text().startswith(f"{head}\nIt ends early, as it became too large: ")


@pytest.mark.parametrize("error", [MismatchError("wrong"), MachineError("stuck")])
def test_what_went_wrong_is_kept(error: Exception, recorded: Waveform, tmp_path: Path) -> None:
    path = tmp_path / "wave.vcd"
    with pytest.raises(type(error)), saving(recorded, path):
        raise error
    assert path.read_bytes() == b"signals"


def test_what_never_began_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(MissingToolError), saving(Waveform(Form.VCD), tmp_path / "wave.vcd"):
        raise MissingToolError("no Verilator")
    with saving(Waveform(Form.VCD), tmp_path / "wave.vcd"):
        pass  # for example as its cycles did not come
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_what_was_stopped_leaves_no_file(
    error: type[BaseException], recorded: Waveform, tmp_path: Path
) -> None:
    with pytest.raises(error), saving(recorded, tmp_path / "wave.vcd"):
        raise error
    assert not list(tmp_path.iterdir())


def full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("fails", [None, MismatchError])
def test_a_full_disk_leaves_the_old_file(
    fails: Callable[[str], Exception] | None,
    recorded: Waveform,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "wave.vcd"
    path.write_text("old")
    monkeypatch.setattr(Waveform, "save", full_disk)
    expected = MismatchError if fails else DataError
    with pytest.raises(expected, match="wrong" if fails else "cannot write .*No space"):
        with saving(recorded, path):
            if fails:
                raise fails("wrong")
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1
