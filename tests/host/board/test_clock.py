"""FCLK0: what is found, what is set, what cannot be, and that locks stay as they were."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fractrain.host.board.clock import (
    CLOCK_CONTROL,
    CLOCK_GATE,
    LOCK_STATE,
    RESET_CONTROL,
    Slcr,
    ps_clock_mhz,
    set_clock,
)
from fractrain.host.board.linux import LinuxSystem
from fractrain.hw.contract.errors import DataError, MachineError, ParameterError
from fractrain.hw.targets import zynq
from fractrain.hw.targets.registry import targets
from fractrain.sim.board.slcr import IO_PLL, SlcrModel

CLOCKS = targets()["zc706"].clocks


class Sleeper:
    """A system of which only `sleep` is asked."""

    slept = 0.0

    def sleep(self, seconds: float) -> None:
        self.slept += seconds


class Recorded(SlcrModel):
    """Tells in what order registers were written, and what the FPGA saw meanwhile."""

    def __init__(self, *arguments: object, locked: bool = False) -> None:
        super().__init__(*arguments, locked=locked)  # type: ignore[arg-type]
        self.written: list[int] = []

    def write(self, index: int, value: int) -> None:
        self.written.append(4 * index)
        if 4 * index == CLOCK_CONTROL:
            # dividers change while nothing runs on them
            assert self.read(CLOCK_GATE // 4) & 1 and self.read(RESET_CONTROL // 4) & 1
        super().write(index, value)


def configured(*injected: str, locked: bool = False) -> Recorded:
    model = Recorded(CLOCKS, injected, locked=locked)
    model.configured()
    return model


def set_to(model: SlcrModel, mhz: float) -> list[str]:
    return set_clock(Sleeper(), Slcr(model, 100 / 3), mhz)  # type: ignore[arg-type]


@pytest.mark.parametrize("locked", [False, True])
def test_the_clock_is_set_and_the_lock_left_as_it_was(locked: bool) -> None:
    model = configured(locked=locked)
    done = set_to(model, 200)
    assert done[0].startswith("was 50 MHz") and done[1].startswith("set to 200 MHz")
    assert model.clock_mhz == pytest.approx(200) and model.obstacle == ""
    assert model.read(LOCK_STATE // 4) == int(locked)


def test_a_right_clock_is_left_alone() -> None:
    model = configured()
    set_to(model, 200)
    model.written.clear()
    assert set_to(model, 200) == ["was 200 MHz (IO PLL 1000 MHz / 5 / 1)"]
    assert model.written == []


@pytest.mark.parametrize("found_mhz", [50, 200])
def test_a_design_of_which_nothing_is_known_is_reset_once(found_mhz: int) -> None:
    model = configured()
    set_to(model, found_mhz)
    model.written.clear()
    done = set_clock(Sleeper(), Slcr(model, 100 / 3), 200, reset_once=True)  # type: ignore[arg-type]
    # where the clock is switched that takes a reset anyway
    assert model.written.count(RESET_CONTROL) == 2 and model.obstacle == ""
    assert ("reset once" in done[-1]) == (found_mhz == 200)


def test_a_gated_clock_at_the_right_frequency_is_enabled() -> None:
    model = configured("fclk-gated")
    done = set_to(model, 50)
    assert any("it was gated" in each for each in done)
    assert CLOCK_CONTROL not in model.written and model.obstacle == ""


def test_a_gated_clock_is_set_before_it_is_enabled() -> None:
    model = configured("fclk-gated")
    assert any("it was gated" in each for each in set_to(model, 125))
    assert model.clock_mhz == pytest.approx(125) and model.obstacle == ""


def test_a_held_reset_is_released() -> None:
    model = configured("held-reset")
    assert any("reset was held" in each for each in set_to(model, 50))
    assert model.obstacle == ""


def test_nothing_is_changed_while_the_fpga_is_not_configured() -> None:
    model = Recorded(CLOCKS)
    with pytest.raises(MachineError, match="not configured: LVL_SHFTR_EN reads 0x0"):
        set_to(model, 200)
    assert model.written == []


def test_registers_that_do_not_take_a_write() -> None:
    stuck = configured("fclk-stuck")
    with pytest.raises(
        MachineError,
        match="0xF8000170 was written .* and reads .* FCLK0 is stopped now and the FPGA held in re",
    ):
        set_to(stuck, 200)
    assert stuck.obstacle == "FCLK0 is stopped"


@pytest.mark.parametrize(
    ("register", "said"),
    [
        (RESET_CONTROL, "; FCLK0 has not been stopped; nothing may access it"),
        (CLOCK_GATE, "; FCLK0 has not been stopped and the FPGA held in reset; nothing may"),
    ],
)
def test_how_a_change_that_fails_leaves_the_clock(
    register: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = configured()
    write = Recorded.write

    def deaf(self: Recorded, index: int, value: int) -> None:
        if 4 * index != register:
            write(self, index, value)

    monkeypatch.setattr(Recorded, "write", deaf)
    with pytest.raises(MachineError, match=said):
        set_to(model, 200)


def test_frequencies_that_no_pll_gives() -> None:
    with pytest.raises(ParameterError, match="FCLK0 in MHz: got 200, allowed: .* IO PLL 966.7"):
        set_to(configured("fclk-unreachable"), 200)
    # 1333 MHz / 10 from the ARM PLL, as the IO PLL does not give it
    model = configured()
    assert "ARM PLL" in set_to(model, 400 / 3)[1]
    assert model.clock_mhz == pytest.approx(400 / 3)


def test_a_bypassed_pll_gives_the_oscillator() -> None:
    model = configured()
    model.write(IO_PLL // 4, CLOCKS.io_multiplier << 12 | 1 << 4)
    assert Slcr(model, 100 / 3).clock().pll_mhz == pytest.approx(100 / 3)


@pytest.mark.parametrize(("oscillator_mhz", "io_multiplier"), [(100 / 3, 30), (50, 20)])
def test_boards_with_other_oscillators_get_the_same_clock(
    oscillator_mhz: float, io_multiplier: int
) -> None:
    clocks = zynq.clocks(oscillator_mhz=oscillator_mhz, io_multiplier=io_multiplier)
    model = Recorded(clocks)
    model.configured()
    done = set_clock(Sleeper(), Slcr(model, oscillator_mhz), 100)  # type: ignore[arg-type]
    assert model.clock_mhz == pytest.approx(100)
    assert "IO PLL 1000 MHz / 10 / 1" in done[1]


def test_another_oscillator_is_another_clock() -> None:
    """A board with 50 MHz at PS_CLK and the same registers: FCLK0 is 1.5 times as fast."""
    model = configured()
    set_to(model, 200)
    assert Slcr(model, 50).clock().mhz == pytest.approx(300)
    done = set_clock(Sleeper(), Slcr(model, 50), 200)  # type: ignore[arg-type]
    assert done[0].startswith("was 300 MHz (IO PLL 1500 MHz / 5 / 1)")
    assert Slcr(model, 50).clock().mhz == pytest.approx(200, rel=1e-3)


NODES = ("axi", "amba")
"""The bus's node has had both names."""


@pytest.mark.parametrize("node", NODES)
def test_the_device_tree_says_which_oscillator(node: str, tmp_path: Path) -> None:
    clkc = tmp_path / "proc/device-tree" / node / "slcr@f8000000/clkc@100"
    clkc.mkdir(parents=True)
    (clkc / "ps-clk-frequency").write_bytes((33_333_333).to_bytes(4, "big"))
    assert ps_clock_mhz(LinuxSystem(tmp_path, {})) == pytest.approx(100 / 3)
    (clkc / "ps-clk-frequency").write_bytes((50_000_000).to_bytes(4, "big"))
    assert ps_clock_mhz(LinuxSystem(tmp_path, {})) == 50


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "has no ps-clk-frequency"),
        (b"", "damaged"),
        (bytes(4), "damaged"),
        (b"33", "damaged"),
    ],
)
def test_a_device_tree_that_does_not_say(content: bytes | None, says: str, tmp_path: Path) -> None:
    clkc = tmp_path / "proc/device-tree/axi/slcr@f8000000/clkc@100"
    clkc.mkdir(parents=True)
    if content is not None:
        (clkc / "ps-clk-frequency").write_bytes(content)
    with pytest.raises(DataError, match=f"the device tree .*{says}"):
        ps_clock_mhz(LinuxSystem(tmp_path, {}))


@given(ratio=st.integers(1, 63 * 63))
def test_any_ratio_of_the_io_pll(ratio: int) -> None:
    """Two dividers of at most 63 make it, or no PLL has two that do."""
    model = configured()
    try:
        set_to(model, 1000 / ratio)
    except ParameterError:
        pairs = [each for each in range(1, 64) if ratio % each == 0 and ratio // each <= 63]
        assert not pairs and model.clock_mhz == pytest.approx(50)
        return
    assert model.clock_mhz == pytest.approx(1000 / ratio, rel=1e-3)
