"""The board's registers, interrupt and time, as the driver is handed them."""

from __future__ import annotations

import pytest

from fractrain.host.board.bus import BoardBus, BoardClock
from fractrain.host.board.clock import ClockChanged
from fractrain.hw.contract.errors import MachineError
from fractrain.hw.targets.registry import targets

HZ = 200e6
PORTS = targets()["zc706"].ports


class Uio:
    """A UIO device, and the system's time."""

    simulated = False

    def __init__(self) -> None:
        self.words = self
        self.seen: list[object] = []
        self.time = 7.0

    def read(self, index: int) -> int:
        self.seen.append(index)
        return 5

    def write(self, index: int, value: int) -> None:
        self.seen.append((index, value))

    def enable(self) -> None:
        self.seen.append("enable")

    def wait(self, timeout_s: float) -> bool:
        self.seen.append(timeout_s)
        return timeout_s > 1

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def bus() -> tuple[BoardBus, Uio]:
    uio = Uio()
    return BoardBus(uio, HZ, PORTS), uio  # type: ignore[arg-type]


def clock(uio: Uio, **options: object) -> BoardClock:
    return BoardClock(uio, HZ, **options)  # type: ignore[arg-type]


def test_accesses_and_waits_are_the_device_s() -> None:
    made, uio = bus()
    assert made.read(3) == 5
    made.write(4, 6)
    made.listen()
    assert not made.wait(200) and made.wait(400e6)
    assert uio.seen == [3, (4, 6), "enable", 1e-6, 2.0] and made.observed() == ""


@pytest.mark.parametrize("act", ["enable", "wait"])
def test_a_device_without_interrupt(act: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made, uio = bus()

    def fails(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(uio, act, fails)
    with pytest.raises(MachineError, match=r"has no interrupt \(Input/output error\): the node"):
        made.listen() if act == "enable" else made.wait(0)


def test_time_is_the_processor_s_in_cycles_of_the_machine() -> None:
    uio = Uio()
    made = clock(uio)
    assert (made.exact, made.real, made.now()) == (False, True, 7 * HZ)
    made.sleep(HZ / 2)
    assert uio.time == 7.5
    uio.simulated = True
    assert not clock(uio).real


def test_how_long_is_waited() -> None:
    """Four times what a program takes at most, what memory may take twice, and Linux."""
    made = clock(Uio())
    assert made.patience(1000, 1 << 20) == pytest.approx(4_000 + (2 << 20) + 0.25 * HZ)
    assert made.describe(made.patience(1000, 1 << 20)) == "0.26 s"
    assert made.describe(80_000) == "0.4 ms"


def test_a_changed_clock_is_told() -> None:
    def changed() -> None:
        raise ClockChanged("it is another")

    with pytest.raises(ClockChanged):
        clock(Uio(), check=changed).check()
    clock(Uio()).check()


def test_a_late_processor_is_no_changed_clock() -> None:
    made = clock(Uio())
    for late in (1.0, 1.5, 100.0):
        made.check_pace(20_000, late * 20_000)
    made.check_pace(20_000, 19_800)
    with pytest.raises(ClockChanged, match=r"20,000 cycles within 97 microseconds: FCLK0 is at"):
        made.check_pace(20_000, 19_400)
