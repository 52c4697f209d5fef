"""SIGINT and SIGTERM: held during a step, raised elsewhere."""

import os
import signal

import pytest

from fractrain.host.process.stopping import Stopped, StopSignals


def send(signum: int) -> None:
    os.kill(os.getpid(), signum)


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM])
def signum(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def test_raised_where_the_program_is(signum: int) -> None:
    with pytest.raises(Stopped) as stopped, StopSignals():
        send(signum)
        pytest.fail("the signal was not raised")
    assert stopped.value.exit_code == 128 + signum
    assert str(stopped.value) == "interrupted"


def test_held_once(signum: int) -> None:
    with StopSignals() as stop, stop.held():
        assert stop.requested is None
        send(signum)
        assert stop.requested == signum


def test_the_second_is_not_held(signum: int) -> None:
    with StopSignals() as stop, pytest.raises(Stopped), stop.held():
        send(signal.SIGTERM)
        send(signum)
        pytest.fail("the signal was not raised")


def test_the_third_is_the_systems() -> None:
    with StopSignals() as stop, stop.held():
        send(signal.SIGTERM)
        with pytest.raises(Stopped):
            send(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL


def test_not_held_within_held(signum: int) -> None:
    with StopSignals() as stop, stop.held():
        with pytest.raises(Stopped), stop.held(False):
            send(signum)
            pytest.fail("the signal was not raised")


def test_a_request_does_not_wait_for_what_is_not_held(signum: int) -> None:
    with StopSignals() as stop, stop.held():
        send(signum)
        with pytest.raises(Stopped) as stopped, stop.held(False):
            pytest.fail("the block was entered")
        assert stopped.value.signum == signum


def test_further_signals_unless_they_are_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignals(signal.SIGHUP):
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # nohup
        signal.signal(signal.SIGHUP, lambda *_: None)
        with pytest.raises(Stopped) as stopped, StopSignals(signal.SIGHUP):
            send(signal.SIGHUP)
            pytest.fail("the signal was not raised")
        assert stopped.value.exit_code == 129
    finally:
        signal.signal(signal.SIGHUP, before)


def test_handlers_are_put_back() -> None:
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    with StopSignals():
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before
