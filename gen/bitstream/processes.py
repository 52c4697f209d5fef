"""Runs a tool for hours: passes its output on line by line, and leaves none of its processes."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from fractrain.gen.tool_environment import script_environment
from fractrain.hw.contract.errors import DataError, MissingToolError

__all__ = ["run_logged"]

GRACE_SECONDS = 10.0
"""From the request to end until the tool is killed."""
POLL_SECONDS = 0.2


def run_logged(
    command: Sequence[str],
    folder: Path,
    log: Path,
    on_line: Callable[[str], None],
    environment: Mapping[str, str] | None = None,
) -> int:
    """Run ``command`` in ``folder`` without input until it ends; returns its exit code.

    Standard output and error go to ``log`` and, line by line, to ``on_line``. There is no time
    limit. ``environment`` is added to `script_environment`. However the call ends (an exception
    from ``on_line`` or a KeyboardInterrupt included), no process of the command's group is left.

    Raises `MissingToolError` if the command cannot be started, `DataError` if the log cannot be
    written.
    """
    with _writable(log) as save, _started(command, folder, environment) as process:
        return _follow(process, save, on_line)


@contextlib.contextmanager
def _writable(log: Path) -> Iterator[Callable[[bytes], None]]:
    """A function that appends to a new file ``log``, unbuffered, so that others can follow it."""

    def failed(error: OSError) -> DataError:
        return DataError(f"cannot write {log}: {error.strerror}")

    def save(data: bytes) -> None:
        try:
            file.write(data)
        except OSError as error:
            raise failed(error) from error

    try:
        file = log.open("wb", buffering=0)
    except OSError as error:
        raise failed(error) from error
    with file:
        yield save


@contextlib.contextmanager
def _started(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None
) -> Iterator[subprocess.Popen[bytes]]:
    """The process, in a group of its own, which is gone afterwards."""
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=script_environment(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            process_group=0,
        )
    except OSError as error:
        raise MissingToolError(f"cannot start {command[0]}: {error.strerror}") from error
    assert process.stdout is not None
    try:
        yield process
    finally:
        _end_group(process)
        process.stdout.close()


def _follow(
    process: subprocess.Popen[bytes],
    save: Callable[[bytes], None],
    on_line: Callable[[str], None],
) -> int:
    """Pass the output on until the process has ended, even if another one still holds its pipe."""
    assert process.stdout is not None
    descriptor, rest = process.stdout.fileno(), b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while True:
            if not selector.select(POLL_SECONDS):
                if process.poll() is not None:
                    break
                continue
            data = os.read(descriptor, 1 << 16)
            if not data:
                break
            save(data)
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                on_line(line.decode("utf-8", errors="replace"))
    if rest:
        on_line(rest.decode("utf-8", errors="replace"))
    return process.wait()


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End every process of the group, also those that the tool has started."""
    try:
        if process.poll() is None:
            _signal_group(process, signal.SIGTERM)
            process.wait(GRACE_SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        pass
    finally:
        _signal_group(process, signal.SIGKILL)
        process.wait()


def _signal_group(process: subprocess.Popen[bytes], signum: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signum)
