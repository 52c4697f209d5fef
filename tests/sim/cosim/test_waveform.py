"""Waveforms: what is recorded of which cycles, and what becomes of one that is too large."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import pywellen

from fractrain.hw.contract.errors import MissingToolError, ParameterError
from fractrain.sim.cosim import waveform
from fractrain.sim.cosim.waveform import Form, Waveform, with_useful_signals
from tests.sim.cosim.convolution_stand_in import program
from tests.sim.cosim.stand_in_mover import Mode
from tests.sim.cosim.test_convolution_harness import LIMIT, simulation

TOP = "TOP.stand_in_behind_registers"
PERIOD_PS = 5000  # of tiny's 200 MHz


def record(path: Path, first: int = 0, end: int | None = None, runs: int = 1) -> dict[str, Any]:
    """The signals of a few copies of the stand-in, by name; the waveform itself; its last cycle."""
    recording = Waveform(Form.VCD, first, end)
    with simulation(waveform=recording) as machine:
        for _ in range(runs):
            machine.run(0, program(Mode.COPY, 4), cycle_limit=LIMIT, collect_port=4)
        last = machine.cycles
    with path.open("wb") as file:
        recording.save(file)
    read = pywellen.Waveform(str(path))  # which nothing may close before the signals are read
    signals = {each.full_name: each.signal for each in read.all_vars()}
    return signals | {"waveform": recording, "cycles": last, "read": read}


def test_clock_and_signals_of_every_cycle(tmp_path: Path) -> None:
    found = record(tmp_path / "wave.vcd")
    clock, address = found[f"{TOP}.clk"], found[f"{TOP}.hp1__araddr"]
    times = range(0, found["cycles"] * PERIOD_PS, PERIOD_PS // 2)
    assert [int(clock.value_at(time)) for time in times] == [
        *itertools.islice((0, 1) * 10**6, len(times))
    ]
    assert len({address.value_at(time) for time in times}) > 2
    # the design itself has the name that it has in its Verilog
    assert f"{TOP}.stand_in.hp1__araddr" in found
    assert found["waveform"].begun and not found["waveform"].full
    assert not record(tmp_path / "late.vcd", found["cycles"])["waveform"].begun


def test_only_the_cycles_that_were_asked_for(tmp_path: Path) -> None:
    whole, part = record(tmp_path / "a.vcd"), record(tmp_path / "b.vcd", 5, 25)
    name = f"{TOP}.axi_lite__awvalid"
    times = range(5 * PERIOD_PS, 25 * PERIOD_PS, PERIOD_PS // 2)
    values = [whole[name].value_at(time) for time in times]
    assert [part[name].value_at(time) for time in times] == values and len(set(values)) == 2
    text = (tmp_path / "b.vcd").read_text()
    stamps = [int(line[1:]) for line in text.splitlines() if line.startswith("#")]
    assert min(stamps) == 5 * PERIOD_PS and max(stamps) < 25 * PERIOD_PS


def test_one_that_grows_too_large_ends_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fractrain.sim.cosim.convolution.MOST_BYTES", 100_000)
    monkeypatch.setattr("fractrain.sim.cosim.convolution.SLICE_CYCLES", 20)
    found = record(tmp_path / "wave.vcd", runs=20)
    size = found["waveform"].size_bytes
    assert found["waveform"].full and 100_000 < size < 200_000
    assert (tmp_path / "wave.vcd").stat().st_size == size
    assert found[f"{TOP}.clk"].value_at(PERIOD_PS) is not None, "and is complete up to there"


def test_a_full_disk_is_an_ordinary_error() -> None:
    recording = Waveform(Form.VCD)
    Path(recording.path.decode()).write_bytes(b"some signals")
    with open("/dev/full", "wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        recording.save(file)
    recording.close()
    recording.close()


def test_formats_go_by_the_name() -> None:
    assert Form.of(Path("a/b.FST")) is Form.FST and Form.of(Path("b.vcd")) is Form.VCD
    with pytest.raises(ParameterError, match="ends in .fst, or in .vcd"):
        Form.of(Path("fst"))


def test_fst_without_its_libraries_names_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waveform, "_HEADERS", "#include <no-such-header.h>\n")
    with pytest.raises(MissingToolError, match="apt install liblz4-dev zlib1g-dev"):
        Waveform(Form.FST)
    Waveform(Form.VCD).close()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingToolError, match="apt install g"):
        Waveform(Form.FST)


def test_what_is_left_out() -> None:
    text = """\
module top(clk);
  wire useful;
  wire [3:0] \\$signal$12 ;
endmodule
module \\top.part (clk);
  reg \\$7 ;
  reg also_useful;
endmodule
module unit_of_the_array(clk);
  wire \\$3 ;
  wire inside;
endmodule
"""
    kept, visible = [], True
    for line in with_useful_signals(text, "top").splitlines():
        if "tracing" in line:
            visible = "tracing_on" in line
        elif visible:
            kept.append(line.strip())
    assert kept == [
        *("module top(clk);", "wire useful;", "endmodule"),
        *("module \\top.part (clk);", "reg also_useful;", "endmodule"),
    ]
